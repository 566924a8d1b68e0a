"""JSON Web Tokens as the emulators sign and read them (RS256 only)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from gateway.demo.keys import SigningKey


def sign(key: SigningKey, claims: Mapping[str, object]) -> str:
    """Return *claims* signed with *key*; the header carries kid and alg only, as at both vendors."""
    return jwt.encode(dict(claims), key.private, algorithm="RS256", headers={"kid": key.kid, "typ": None})


def read(token: str, keys: Sequence[SigningKey]) -> dict[str, Any] | None:
    """Return the claims of *token* if one of *keys* signed it; times and audience are the caller's business."""
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        public = {key.kid: key.private.public_key() for key in keys}[str(kid)]
        claims: dict[str, Any] = jwt.decode(
            token,
            public,
            algorithms=["RS256"],
            options={"verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_nbf": False},
        )
    except (jwt.PyJWTError, KeyError):
        return None
    return claims


def half_hash(text: str) -> str:
    """Return the left half of SHA-256 as base64url: at_hash and its kin (OpenID Connect core 3.1.3.6)."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).rstrip(b"=").decode()


def s256(verifier: str) -> str:
    """Return the PKCE challenge of *verifier* (RFC 7636 §4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
