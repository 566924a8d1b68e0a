from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.core.errors import ConfigurationError, ProviderError
from gateway.idp.transport import Transport
from gateway.oidc.wire import get
from tests.fakes.op import Provider, running
from tests.fakes.patience import PATIENCE


@pytest.fixture
async def op() -> AsyncIterator[Provider]:
    """A provider that listens."""
    async with running() as provider:
        yield provider


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    """A transport with patience: a test of its end takes that away."""
    transport = Transport(timeout=PATIENCE, resolve={"op.example": "127.0.0.1", "six.example": "::1"})
    yield transport
    await transport.close()


def metadata_url(op: Provider, host: str = "op.localhost") -> str:
    """The metadata of ``op`` under another host name."""
    return f"http://{host}:{op.port}/pool/.well-known/openid-configuration"


@pytest.mark.parametrize("host", ["op.localhost", "a.b.localhost", "localhost", "op.example", "OP.Example"])
async def test_names_lead_to_configured_addresses(op: Provider, transport: Transport, host: str) -> None:
    """``*.localhost`` is this machine always, other names by the map, case aside."""
    answer = await transport.send(get(metadata_url(op, host)))
    assert (answer.status, answer.headers["content-type"][:16]) == (200, "application/json")


async def test_other_names_go_to_the_systems_resolver(transport: Transport) -> None:
    """A name that cannot exist (RFC 6761) is unreachable, and worth a retry."""
    transport._timeout = 0.5
    with pytest.raises(ProviderError) as caught:
        await transport.send(get("http://nobody.invalid/"))
    assert (caught.value.code, caught.value.retryable) == ("provider_unreachable", True)


async def test_localhost_cannot_be_sent_elsewhere(op: Provider) -> None:
    """A map entry does not take ``*.localhost`` off this machine."""
    transport = Transport(resolve={"op.localhost": "192.0.2.1"}, timeout=PATIENCE)
    assert (await transport.send(get(metadata_url(op)))).status == 200
    await transport.close()


async def test_no_cookie_is_kept(op: Provider, transport: Transport) -> None:
    """The provider sets one with every answer and never sees it again: users must not share a jar."""
    for _ in range(2):
        answer = await transport.send(get(metadata_url(op)))
    assert "set-cookie" in answer.headers
    assert op.cookies_seen == []


async def test_a_redirect_is_an_answer_and_not_followed(op: Provider, transport: Transport) -> None:
    """The gateway asks only the addresses of its configuration and of the metadata."""
    op.trouble["metadata"] = "redirect"
    assert (await transport.send(get(metadata_url(op)))).status == 302
    assert op.calls.total() == 1


@pytest.mark.parametrize("trouble", ["slow", "trickle", "reset"])
async def test_silence_is_unreachable_within_the_time(
    op: Provider, transport: Transport, trouble: str
) -> None:
    """The whole exchange has one deadline, so bytes that trickle in for ever do not stretch it."""
    op.trouble["metadata"] = trouble
    transport._timeout = 0.5
    with pytest.raises(ProviderError) as caught:
        await transport.send(get(metadata_url(op)))
    assert (caught.value.code, caught.value.retryable) == ("provider_unreachable", True)


async def test_nobody_listening_is_unreachable(op: Provider, transport: Transport) -> None:
    """The error names host and port, for whoever has to find out why."""
    with pytest.raises(ProviderError, match=r"op\.localhost:1 "):
        await transport.send(get("http://op.localhost:1/x"))


async def test_an_answer_is_read_to_a_bound(op: Provider, transport: Transport) -> None:
    """CVE-2026-26998: an authentication server's body without end."""
    op.trouble["metadata"] = "huge"
    with pytest.raises(ProviderError, match="larger"):
        await transport.send(get(metadata_url(op)))


async def test_a_compressed_answer_is_refused(op: Provider, transport: Transport) -> None:
    """We ask for none, so none can be a bomb."""
    op.trouble["metadata"] = "gzip"
    with pytest.raises(ProviderError, match="compressed"):
        await transport.send(get(metadata_url(op)))


async def test_bytes_that_are_not_http_are_unreachable(transport: Transport) -> None:
    """Another protocol on the port."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ProviderError) as caught:
            await transport.send(get(f"http://op.localhost:{port}/"))
    assert caught.value.code == "provider_unreachable"


async def test_https_never_becomes_plain_text(op: Provider, transport: Transport) -> None:
    """https to a server without TLS fails as unreachable."""
    with pytest.raises(ProviderError) as caught:
        await transport.send(get(metadata_url(op).replace("http:", "https:")))
    assert caught.value.code == "provider_unreachable"


def throwaway_authority(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for ``op.localhost`` signed by itself: its file, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "op.localhost")])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("op.localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    ca_file, key_file = directory / "ca.pem", directory / "key.pem"
    ca_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(ca_file, key_file)
    return ca_file, context


async def test_a_ca_file_is_what_is_trusted(tmp_path: Path) -> None:
    """Its authority is accepted for its name, refused for another name, and unknown without the file."""
    ca_file, tls = throwaway_authority(tmp_path)
    trusting, other = Transport(ca_file=ca_file, timeout=PATIENCE), Transport(timeout=PATIENCE)
    async with running(tls=tls) as op:
        url = metadata_url(op).replace("http:", "https:")
        assert (await trusting.send(get(url))).status == 200
        for transport, name in ((trusting, "other.localhost"), (other, "op.localhost")):
            with pytest.raises(ProviderError, match=r"certificate|hostname"):
                await transport.send(get(url.replace("op.localhost", name)))
        await trusting.close()
        await other.close()


@pytest.mark.parametrize("content", [None, b"", b"no PEM"])
def test_a_bad_ca_file_is_the_operators_to_fix(tmp_path: Path, content: bytes | None) -> None:
    """Missing, empty or no certificate: refused at start, not at the first sign-in."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="ca_file"):
        Transport(ca_file=path)


@pytest.mark.parametrize("address", ["", "elsewhere.example", "127.0.0.1:80", "127.1"])
def test_a_name_is_given_an_address(address: str) -> None:
    """Not another name, which would have to be resolved in turn."""
    with pytest.raises(ConfigurationError, match=r"op\.example"):
        Transport(resolve={"op.example": address})


async def test_closing_an_unused_transport_is_quiet() -> None:
    """Nothing was opened."""
    await Transport().close()
