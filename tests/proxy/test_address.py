"""Upstream URLs."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from datetime import timedelta

import pytest

from gateway.core.errors import ConfigurationError
from gateway.proxy.address import Address, authority_of, parse_address
from tests.fakes.certificates import Authority
from tests.fakes.forward_proxy import forward_proxy


class Made(asyncio.Protocol):
    """A connection that keeps its transport."""

    def connection_made(self, transport):
        self.transport = transport


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:3000", Address("127.0.0.1", 3000)),
        ("http://app/", Address("app", 80)),
        ("https://app.example.com", Address("app.example.com", 443, tls=True)),
        ("http://[::1]:8000", Address("::1", 8000)),
        ("unix:/run/app.sock", Address(path="/run/app.sock")),
        ("unix:///run/app.sock", Address(path="/run/app.sock")),
    ],
)
def test_addresses(url, expected):
    """Host and port, or a socket's path."""
    assert parse_address(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x",
        "http://",
        "http://x?q",
        "http://u@x",
        "http://x:no",
        "unix:relative",
        "x:80",
    ],
)
def test_what_is_not_an_address_is_refused(url):
    """Nothing of a URL is silently ignored."""
    with pytest.raises(ConfigurationError, match="upstream_url"):
        parse_address(url)


async def test_the_environments_proxy_is_not_for_upstreams(monkeypatch):
    """It is the provider's way out of a network, and applications are within."""
    heard = asyncio.Event()

    async def hear(reader, writer):
        assert await reader.read() == b"hello"
        heard.set()
        writer.close()

    async with forward_proxy(0) as proxy, await asyncio.start_server(hear, "127.0.0.1", 0) as server:
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.origin)
        address = parse_address(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        transport = (await address.connect(Made)).transport
        transport.write(b"hello")
        transport.close()
        await heard.wait()
        assert proxy.asked == []


@contextlib.asynccontextmanager
async def serving(context: ssl.SSLContext):
    """Where a TLS server listens, and the names it is asked for."""
    asked: list[str | None] = []
    context.sni_callback = lambda _sock, name, _context: asked.append(name)
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()


async def test_tls_upstreams_are_asked_for_by_name_and_verified(tmp_path):
    """The right name under a trusted authority, with SNI; the connection is one."""
    authority = Authority.make(tmp_path)
    async with serving(authority.server("localhost")) as (port, asked):
        address = parse_address(f"https://localhost:{port}", str(authority.file))

        protocol = Made()
        assert await address.connect(lambda: protocol) is protocol
        protocol.transport.abort()

    assert asked == ["localhost"]


@pytest.mark.parametrize(
    ("host", "served", "trusted", "hours", "why"),
    [
        ("127.0.0.1", "localhost", True, 24, "IP address mismatch"),
        ("localhost", "other.localhost", True, 24, "Hostname mismatch"),
        ("localhost", "localhost", True, -1, "certificate has expired"),
        ("localhost", "localhost", False, 24, "unable to get local issuer certificate"),
    ],
)
async def test_a_certificate_that_is_not_the_right_one_is_refused(
    tmp_path, host, served, trusted, hours, why
):
    """Another name, out of date, or an authority that nobody trusts: no connection."""
    authority = Authority.make(tmp_path)
    ca_file = str(authority.file) if trusted else ""
    async with serving(authority.server(served, good_for=timedelta(hours=hours))) as (port, _):
        with pytest.raises(ssl.SSLCertVerificationError, match=why):
            await parse_address(f"https://{host}:{port}", ca_file).connect(asyncio.Protocol)


async def test_another_authority_s_file_replaces_the_system_s(tmp_path):
    """``ca_file`` is all that is trusted, not one more."""
    authority, other = Authority.make(tmp_path), Authority.make(tmp_path, "other")
    async with serving(authority.server("localhost")) as (port, _):
        with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
            await parse_address(f"https://localhost:{port}", str(other.file)).connect(asyncio.Protocol)


@pytest.mark.parametrize("content", [None, "", "no PEM"])
def test_a_bad_ca_file_is_found_at_the_start(tmp_path, content):
    """Missing, empty, no certificate: the operator hears of it before a user does."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)

    with pytest.raises(ConfigurationError, match="ca_file"):
        parse_address("https://app", str(path))


def test_an_address_is_said_as_one_would_write_it():
    """For the log."""
    for url in ("http://127.0.0.1:3000", "https://app:443", "http://[::1]:8000", "unix:/run/app.sock"):
        assert str(parse_address(url)) == url


def test_what_an_upstream_calls_itself():
    """For Host: the default port is not said."""
    named = {
        "http://a:80/x": "a",
        "https://a:443": "a",
        "https://a:80": "a:80",
        "http://[::1]:8000": "[::1]:8000",
        "unix:/s": "localhost",
    }
    assert {url: authority_of(url) for url in named} == named
