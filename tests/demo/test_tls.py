"""The emulators under TLS with other names: three on one port, told apart by Host."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from gateway.demo import clock, keys
from gateway.demo.idp import start
from gateway.demo.options import DemoOptions
from tests.demo.browser import Browser
from tests.demo.lab import Lab
from tests.fakes.ports import on_free_ports

NAMES = ("auth.cognito.test", "idp.cognito.test", "org.okta.test")


def write_certificate(folder: Path) -> tuple[str, str]:
    """Write a self-signed certificate for the names and its key."""
    key = keys.signing_key("tls").private
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(clock.moment(clock.now() - 60))
        .not_valid_after(clock.moment(clock.now() + 3600))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in NAMES]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(private)
    return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.mark.parametrize("federation", ["saml", "oidc"])
async def test_main_path_under_tls_with_other_names_on_one_port(tmp_path: Path, federation: str) -> None:
    """Calls between the emulators trust ca_file and need no DNS."""
    cert, key = write_certificate(tmp_path)
    port = urlsplit(on_free_ports(DemoOptions()).cognito).port
    options = replace(
        DemoOptions(),
        app="https://app.example.test",
        cognito=f"https://auth.cognito.test:{port}",
        issuer=f"https://idp.cognito.test:{port}/pool_1",
        okta=f"https://org.okta.test:{port}",
        federation=federation,
        cert_file=cert,
        key_file=key,
        ca_file=cert,
    )
    idp = await start(options, on_event=print)
    browser = Browser.open(ssl.create_default_context(cafile=cert))
    lab = Lab(idp, browser)

    tokens = await lab.tokens(await lab.sign_in())

    assert lab.claims(tokens, "id_token")["iss"] == options.issuer
    await browser.close()
    await idp.close()
