"""The only place that draws randomness (rule R38)."""

from __future__ import annotations

import secrets


def token(nbytes: int = 16) -> str:
    """An unguessable base64url string of ``nbytes`` random bytes, without padding."""
    return secrets.token_urlsafe(nbytes)


def key() -> bytes:
    """32 random bytes: a key for AES-256."""
    return secrets.token_bytes(32)


def nonce96() -> bytes:
    """12 random bytes: a nonce for AES-GCM (NIST SP 800-38D §8.2.2)."""
    return secrets.token_bytes(12)


def fraction() -> float:
    """A number in [0, 1), for jitter."""
    return secrets.randbelow(1 << 30) / (1 << 30)
