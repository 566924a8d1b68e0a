"""Private keys of our own, with which we sign for others to verify: ES256 (RFC 7518 §3.4), in PEM.

Whoever verifies uses the tools they have: every JOSE library, WebCrypto and HSM knows P-256. The nonce of a signature,
on which ECDSA stands or falls, is drawn by OpenSSL from its generator and the key together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt import PyJWS
from jwt.algorithms import ECAlgorithm
from jwt.utils import base64url_encode

from gateway.oidc.jose.jwks import VerificationKey

_ALGORITHM, CURVE = "ES256", ("EC", "P-256")
_JWS = PyJWS(algorithms=[_ALGORITHM])


class SigningKey:
    """A private key that signs; its repr does not show it.

    :ivar public: what it is verified with.
    """

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        self.public = public_half(private.public_key())

    @classmethod
    def parse(cls, pem: str) -> Self:
        """The key in a PEM file.

        :raises ValueError: it is none for P-256; the message reads on after "the key", and never shows it.
        """
        try:
            private = load_pem_private_key(pem.encode(), password=None)
        except TypeError:
            raise ValueError("has a passphrase, which nobody can enter") from None
        except (ValueError, UnsupportedAlgorithm):
            raise ValueError("is not a private key in PEM") from None
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
            raise ValueError("is not one for the curve P-256")
        return cls(private)

    @classmethod
    def new(cls) -> Self:
        """A new key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @property
    def pem(self) -> str:
        """The content of a key file."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def jwk(self) -> dict[str, object]:
        """The public half (RFC 7517)."""
        members = ECAlgorithm.to_jwk(self._private.public_key(), as_dict=True)
        return {**members, "kid": self.public.kid, "use": "sig", "alg": _ALGORITHM}

    def signed(self, claims: Mapping[str, object], kind: str) -> str:
        """A compact JWS (RFC 7515) of ``claims``; ``kind`` is its ``typ``."""
        payload = json.dumps(claims, separators=(",", ":")).encode()
        return _JWS.encode(
            payload, self._private, algorithm=_ALGORITHM, headers={"kid": self.public.kid, "typ": kind}
        )


def jwks_of(keys: Iterable[SigningKey]) -> dict[str, object]:
    """The public halves as a key set (RFC 7517)."""
    return {"keys": [key.jwk for key in keys]}


def public_half(public: ec.EllipticCurvePublicKey) -> VerificationKey:
    """What verifies, by the id of the key itself (RFC 7638): the hash of its members, in lexical order."""
    members = json.dumps(ECAlgorithm.to_jwk(public, as_dict=True), sort_keys=True, separators=(",", ":"))
    kid = base64url_encode(hashlib.sha256(members.encode()).digest()).decode()
    return VerificationKey(kid, CURVE, _ALGORITHM, public)
