"""A throw-away certificate authority, and one certificate of it for every name of the TLS world."""

from __future__ import annotations

import base64
import datetime
import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

APP, HOSTED_UI, ISSUER, OKTA = "app.shop.test", "auth.pool.test", "cognito-idp.pool.test", "org.okta.test"
NAMES = (APP, HOSTED_UI, ISSUER, OKTA)
"""Three registrable domains; the issuer is on another host than the hosted UI, as at AWS."""


@dataclass(frozen=True)
class Authority:
    """PEM files, and what the browsers need to trust: the authority's key (Chromium) and certificate (Firefox)."""

    ca_file: Path
    cert_file: Path
    key_file: Path
    key_hash: str
    certificate: str

    @classmethod
    def make(cls, directory: Path) -> Authority:
        """Make keys and certificates that are good for a day."""
        ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ca = _certificate("Throw-away authority", ca_key, ca_key, None, ())
        leaf = _certificate(APP, key, ca_key, ca, NAMES)
        files = [directory / name for name in ("ca.pem", "cert.pem", "key.pem")]
        files[0].write_bytes(ca.public_bytes(Encoding.PEM))
        files[1].write_bytes(leaf.public_bytes(Encoding.PEM) + ca.public_bytes(Encoding.PEM))
        files[2].touch(mode=0o600)
        files[2].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        spki = ca_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        key_hash = base64.b64encode(hashlib.sha256(spki).digest()).decode()
        ca_file, cert_file, key_file = files
        return cls(
            ca_file, cert_file, key_file, key_hash, base64.b64encode(ca.public_bytes(Encoding.DER)).decode()
        )


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    hosts: tuple[str, ...],
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(hours=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(_usage(ca=issuer is None), critical=True)
    )
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer, hashes.SHA256())


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
