"""Tokens as a sender makes them, and as an attacker would."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from gateway.demo import clock, keys
from gateway.demo.keys import SigningKey

ELSEWHERE = "https://elsewhere.example"
HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A token not yet signed; *key* is what its *algorithm* (RS256, HS256 or none) works with."""

    header: Mapping[str, object]
    claims: Mapping[str, object]
    key: SigningKey
    algorithm: str = "RS256"

    def claiming(self, **claims: object) -> Draft:
        """Return this draft with other *claims*; None takes a claim away."""
        return replace(self, claims=_without_none({**self.claims, **claims}))

    def headed(self, **header: object) -> Draft:
        """Return this draft with other header parameters; None takes one away."""
        return replace(self, header=_without_none({**self.header, **header}))

    def text(self) -> str:
        """Return the token in its compact form (RFC 7515 §7.1)."""
        header = _base64url(json.dumps({"alg": self.algorithm, **self.header}).encode())
        signed = f"{header}.{_base64url(json.dumps(self.claims).encode())}"
        return f"{signed}.{_base64url(self._signature(signed.encode()))}"

    def _signature(self, signed: bytes) -> bytes:
        if self.algorithm == "none":
            return b""
        if self.algorithm == "HS256":
            return hmac.digest(_public_pem(self.key), signed, hashlib.sha256)
        return self.key.private.sign(signed, padding.PKCS1v15(), hashes.SHA256())


Change = Callable[[Draft], Draft]


def _timed(draft: Draft, **seconds: int) -> Draft:
    """Return *draft* with those of its times that are named so many *seconds* from now; it gets no new ones."""
    times = {name: clock.now() + shift for name, shift in seconds.items() if name in draft.claims}
    return draft.claiming(**times)


VARIANTS: Mapping[str, Change] = {
    "good": lambda draft: draft,
    "wrong_typ": lambda draft: draft.headed(typ="JWT"),
    "no_typ": lambda draft: draft.headed(typ=None),
    "wrong_iss": lambda draft: draft.claiming(iss=ELSEWHERE),
    "wrong_aud": lambda draft: draft.claiming(aud=ELSEWHERE),
    "wrong_sub": lambda draft: draft.claiming(sub="somebody-else"),
    "no_jti": lambda draft: draft.claiming(jti=None),
    "expired": lambda draft: _timed(draft, iat=-HOUR, nbf=-HOUR, exp=-HOUR),
    "no_exp": lambda draft: draft.claiming(exp=None),
    "too_old": lambda draft: _timed(draft, iat=-24 * HOUR, exp=HOUR),
    "from_the_future": lambda draft: _timed(draft, iat=HOUR, nbf=HOUR, exp=2 * HOUR),
    "alg_none": lambda draft: replace(draft, algorithm="none"),
    "hs256_with_the_public_key": lambda draft: replace(draft, algorithm="HS256"),
    "unknown_kid": lambda draft: draft.headed(kid="nobody-knows-this-key"),
    "no_kid": lambda draft: draft.headed(kid=None),
    "wrong_key": lambda draft: replace(draft, key=keys.signing_key("an attacker")),
}
"""What can be wrong with any token, by name."""


def _without_none(given: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in given.items() if value is not None}


def _public_pem(key: SigningKey) -> bytes:
    return key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
