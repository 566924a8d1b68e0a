"""Upstream URLs."""

from __future__ import annotations

import asyncio

import pytest

from gateway.core.errors import ConfigurationError
from gateway.proxy.address import Address, parse_address


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
        "http://x/path",
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


async def test_tls_upstreams_are_verified(monkeypatch):
    """An https address is connected with a context that checks names and certificates."""
    seen = {}

    async def create_connection(factory, host, port, *, ssl):
        seen.update(host=host, port=port, ssl=ssl)
        return None, "protocol"

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", create_connection)

    assert await parse_address("https://app.example.com").connect(asyncio.Protocol) == "protocol"
    assert (seen["host"], seen["port"], seen["ssl"].check_hostname) == ("app.example.com", 443, True)
