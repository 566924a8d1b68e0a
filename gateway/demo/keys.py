"""RSA keys and certificates of the emulators, made when first needed and kept for the life of the process."""

from __future__ import annotations

import base64
import functools
import hashlib
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from gateway.demo import clock

TEN_YEARS = 3650 * 24 * 3600


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the key id under which its public half is published."""

    kid: str
    private: rsa.RSAPrivateKey = field(repr=False)

    def jwk(self) -> dict[str, str]:
        """Return the public half as a JSON Web Key (RFC 7517)."""
        public = self.private.public_key().public_numbers()
        return {
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": self.kid,
            "e": _base64url(public.e),
            "n": _base64url(public.n),
        }


def signing_key(purpose: str, generation: int = 1) -> SigningKey:
    """Return the key for *purpose*; another *generation* is another key (key rotation)."""
    return _made(purpose, generation)


@functools.cache
def _made(purpose: str, generation: int) -> SigningKey:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    modulus = _base64url(private.public_key().public_numbers().n)
    digest = hashlib.sha256(f"{purpose} {generation} {modulus}".encode()).digest()
    return SigningKey(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), private)


@functools.cache
def certificate(purpose: str) -> str:
    """Return a self-signed certificate (PEM) over the key for *purpose*, as SAML metadata carries it."""
    key = signing_key(purpose).private
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{purpose} (emulated)")])
    start = clock.now() - 3600
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock.moment(start))
        .not_valid_after(clock.moment(start + TEN_YEARS))
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM).decode()


def _base64url(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
