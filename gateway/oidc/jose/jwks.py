"""The provider's key set (RFC 7517): which keys we can use, and which of them may have signed a token."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate
from jwt import PyJWK, PyJWTError

from gateway.core.errors import ProviderError
from gateway.oidc.wire import ProviderResponse, document

REFETCH_INTERVAL = 30  # seconds between two refetches for what the known keys did not sign
MAX_KEYS = 64  # of one set; the rest is ignored
MAX_KID = 512  # characters
MAX_MEMBER = 1400  # base64url characters; a modulus of 8,192 bits has 1,366
RSA_BITS = range(2048, 8193)  # RFC 7518 §3.3 below; above, verifying is a way to keep us busy

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
# The members of a public key, by key type (RFC 7518 §6, RFC 8037 §2). Private members are never looked at.
_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
# The key type, and the curve where it has one, that each accepted algorithm needs. No "none" and no HMAC: a
# public key must never be good for a shared secret (RFC 8725 §3.1).
ALGORITHMS: Mapping[str, tuple[str, str | None]] = {
    **{f"{family}{size}": ("RSA", None) for family in ("RS", "PS") for size in (256, 384, 512)},
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One usable verification key.

    :ivar algorithm: the only algorithm the provider uses it with, if it says so.
    """

    kid: str | None
    kind: tuple[str, str | None]
    algorithm: str | None
    public: PublicKey = field(repr=False)

    def fits(self, algorithm: str) -> bool:
        """Whether a signature of ``algorithm`` may be of this key."""
        return ALGORITHMS.get(algorithm) == self.kind and self.algorithm in {None, algorithm}


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of one provider.

    :ivar named: the keys have ids; those of a certificate have none, whatever id a token names.
    """

    keys: tuple[VerificationKey, ...]
    named: bool = True

    def fitting(self, algorithm: str) -> tuple[VerificationKey, ...]:
        """All keys that signatures of ``algorithm`` are made with."""
        return tuple(key for key in self.keys if key.fits(algorithm))

    def candidates(self, kid: str | None, algorithm: str) -> tuple[VerificationKey, ...]:
        """The keys that may have made a signature.

        With a ``kid``, those that carry it: usually one, several when the provider repeats an id. Without
        one, the only key that fits; when several fit, none, for then the token has to say (OpenID Connect
        Core §10.1). An only key without an id is that of every token.
        """
        fitting = self.fitting(algorithm)
        if kid is None or not self.named or [key.kid for key in fitting] == [None]:
            return fitting if len(fitting) == 1 else ()
        return tuple(key for key in fitting if key.kid == kid)


def parse_key_set(answer: ProviderResponse) -> KeySet:
    """The usable keys in ``answer``. Keys we cannot use (other types, encryption, too short) are passed over.

    :raises ProviderError: ``bad_response`` when no key is usable; ``provider_error`` when it was not served.
    """
    keys = document(answer, "key set").get("keys")
    if not isinstance(keys, list):
        raise ProviderError("bad_response", "the key set has no list of keys")
    usable = tuple(key for key in map(_usable, keys[:MAX_KEYS]) if key is not None)
    if not usable:
        raise ProviderError("bad_response", "the key set has no key for signatures that we accept")
    return KeySet(usable)


def certificate_keys(pem: bytes) -> KeySet:
    """The key of the certificate in ``pem``, as SAML metadata has it; good for whatever key id a token names.

    Only the key counts: nothing vouches for the certificate but that the operator wrote it down, so that neither its
    dates nor its issuer are looked at.

    :raises ProviderError: ``bad_certificate``.
    """
    try:
        public = load_pem_x509_certificate(pem).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ProviderError("bad_certificate", "not a certificate in PEM that can be read") from error
    if isinstance(public, RSAPublicKey):
        kind: tuple[str, str | None] = ("RSA", None)
    elif isinstance(public, EllipticCurvePublicKey):
        kind = (
            "EC",
            {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}.get(public.curve.name),
        )
    else:
        kind = ("OKP", "Ed25519")
    if not isinstance(public, PublicKey) or not _strong(public) or kind not in ALGORITHMS.values():
        raise ProviderError("bad_certificate", "its key is of a kind or length that we do not accept")
    return KeySet((VerificationKey(kid=None, kind=kind, algorithm=None, public=public),), named=False)


def refetch_allowed(last: float | None, *, now: float) -> bool:
    """Whether an unknown key id may cause a fetch now.

    :param last: when one last did, seconds on the same clock as ``now``; None for never.
    """
    return last is None or now - last >= REFETCH_INTERVAL


def _usable(jwk: object) -> VerificationKey | None:
    if not isinstance(jwk, dict) or not _is_for_signatures(jwk):
        return None
    kid, algorithm = jwk.get("kid"), jwk.get("alg")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= MAX_KID):
        return None
    if algorithm is not None and not (isinstance(algorithm, str) and algorithm in ALGORITHMS):
        return None
    public = _public_key(jwk)
    if public is None:
        return None
    crv = jwk["crv"] if "crv" in _MEMBERS[jwk["kty"]] else None
    return VerificationKey(kid=kid, kind=(jwk["kty"], crv), algorithm=algorithm, public=public)


def _is_for_signatures(jwk: Mapping[str, object]) -> bool:
    """RFC 7517 §4.2 and §4.3; both members are optional."""
    operations = jwk.get("key_ops", ["verify"])
    return jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations


def _public_key(jwk: Mapping[str, object]) -> PublicKey | None:
    kty = jwk.get("kty")
    members = _MEMBERS.get(kty) if isinstance(kty, str) else None
    if members is None or not isinstance(kty, str):
        return None
    values = {name: jwk.get(name) for name in members}
    if not all(_well_formed(name, value) for name, value in values.items()):
        return None
    algorithm = next((name for name, kind in ALGORITHMS.items() if kind == (kty, values.get("crv"))), None)
    if algorithm is None:
        return None
    try:
        key = PyJWK({"kty": kty, **values}, algorithm).key
    except (PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, OverflowError):
        return None
    return key if _strong(key) else None


def _well_formed(name: str, value: object) -> bool:
    if not isinstance(value, str):
        return False
    if name == "crv":
        return True
    return _BASE64URL.fullmatch(value) is not None and len(value) % 4 != 1 and len(value) <= MAX_MEMBER


def _strong(key: object) -> bool:
    if isinstance(key, RSAPublicKey):
        return key.key_size in RSA_BITS
    return isinstance(key, EllipticCurvePublicKey | Ed25519PublicKey)
