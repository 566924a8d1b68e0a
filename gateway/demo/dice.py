"""The randomness of the emulators, the only place that draws any."""

from __future__ import annotations

import secrets
import uuid


def token(nbytes: int = 24) -> str:
    """Return *nbytes* random bytes as base64url without padding."""
    return secrets.token_urlsafe(nbytes)


def identifier() -> str:
    """Return a random UUID as text, the form of Cognito's jti and event_id."""
    return str(uuid.uuid4())


def key() -> bytes:
    """Return 32 random bytes, a key for AES-256."""
    return secrets.token_bytes(32)
