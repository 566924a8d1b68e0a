"""Throw-away certificate authorities for upstreams, and the certificates they sign."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass
class Authority:
    """One authority. ``file``: its certificate in PEM."""

    file: Path
    _key: ec.EllipticCurvePrivateKey
    _certificate: x509.Certificate

    @classmethod
    def make(cls, directory: Path, name: str = "authority") -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        made = issuing(_builder(name, name, key, timedelta(days=1)), key.public_key())
        certificate = made.sign(key, hashes.SHA256())
        file = directory / f"{name}.pem"
        file.write_bytes(certificate.public_bytes(Encoding.PEM))
        return cls(file, key, certificate)

    def server(self, host: str, *, good_for: timedelta = timedelta(days=1)) -> ssl.SSLContext:
        """A server's context for ``host``.

        :param good_for: from now; a negative one has expired.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        made = _builder(host, _name_of(self._certificate), key, good_for).add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False
        )
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = made.add_extension(signer, critical=False)
        certificate = made.sign(self._key, hashes.SHA256())
        pem = self.file.with_suffix(f".{host}.pem")
        pem.write_bytes(
            certificate.public_bytes(Encoding.PEM)
            + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pem)
        return context


def issuing(
    made: x509.CertificateBuilder, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey
) -> x509.CertificateBuilder:
    """With all that Python from 3.13 up asks of an authority's certificate (RFC 5280); it may be a server's too."""
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def self_signed(name: str, key: rsa.RSAPrivateKey) -> bytes:
    """A certificate in PEM that nobody but its own key vouches for, as SAML metadata has them."""
    return _builder(name, name, key, timedelta(days=1)).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _builder(
    name: str, issuer: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, good_for: timedelta
) -> x509.CertificateBuilder:
    until = datetime.now(UTC) + good_for
    return x509.CertificateBuilder(
        _named(issuer),
        _named(name),
        key.public_key(),
        x509.random_serial_number(),
        until - timedelta(days=2),
        until,
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _name_of(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
