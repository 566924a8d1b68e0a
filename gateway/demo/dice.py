"""The randomness of the emulators, the only place that draws any."""

from __future__ import annotations

import secrets  # noqa: TID251 - this package may not import the gateway's dice
import uuid


def token(nbytes: int = 24) -> str:
    """Return *nbytes* random bytes as base64url without padding."""
    return secrets.token_urlsafe(nbytes)


def identifier() -> str:
    """Return a random UUID as text, the form of Cognito's jti and event_id."""
    return str(uuid.uuid4())
