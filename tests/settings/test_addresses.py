"""Listeners, origins, upstreams and the log's address."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings.addresses import (
    Origin,
    parse_address,
    parse_origin,
    parse_path,
    parse_upstream,
)
from gateway.settings.bad_value import BadValueError

BASE = Path("/etc/gateway")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("0.0.0.0:8080", "0.0.0.0", 8080), ("[::1]:9090", "::1", 9090), ("localhost:0", "localhost", 0)],
)
def test_listeners(text, host, port):
    """An address to listen on is host and port, and prints as it was written."""
    address = parse_address(text)

    assert (address.host, address.port) == (host, port)
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["8080", ":8080", "0.0.0.0", "0.0.0.0:99999", "::1:80", "app.example.com:80", "1.2.3.4:x"]
)
def test_other_listeners_are_refused(text):
    """Names that are not ours to bind, missing and impossible ports are told what to write."""
    with pytest.raises(BadValueError, match="write"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://app.example.com", "https://app.example.com"),
        ("HTTPS://App.Example.com:443/", "https://app.example.com"),
        ("https://app.example.com:8443", "https://app.example.com:8443"),
        ("http://app.localhost:8080", "http://app.localhost:8080"),
        ("http://localhost:80", "http://localhost"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]"),
    ],
)
def test_origins_are_written_as_browsers_write_them(text, origin):
    """Lower case, no default port, no slash: equal to an Origin header by plain comparison."""
    assert parse_origin(text) == origin


def test_the_parts_of_an_origin():
    """Scheme, host, port and the Host header that browsers send."""
    origin = Origin("https://app.example.com:8443")

    assert (origin.scheme, origin.host, origin.port) == ("https", "app.example.com", 8443)
    assert origin.authority == "app.example.com:8443"
    assert Origin("http://app.localhost").port == 80
    assert Origin("http://app.localhost").is_local
    assert not Origin("https://localhost.example.com").is_local


@pytest.mark.parametrize(
    "text",
    [
        "http://app.example.com",
        "http://127.0.0.1:8080",
        "https://app.example.com/base",
        "https://app.example.com?x",
        "https://app.example.com#x",
        "https://user:pass@app.example.com",
        "https://app.example.com:0",
        "https://app.example.com:99999",
        "https://app example.com",
        "https://-app.example.com",
        "https:///x",
        "app.example.com",
        "ftp://app.example.com",
        "https://äpp.example.com",
        "https://app.example.com\\@evil.example",
        "",
    ],
)
def test_what_is_not_a_public_url_is_refused(text):
    """Only an https origin, or http on localhost."""
    with pytest.raises(BadValueError):
        parse_origin(text)


def test_a_password_in_a_url_is_not_repeated():
    """The message for user name and password shows neither."""
    with pytest.raises(BadValueError) as caught:
        parse_origin("https://me:hunter2@app.example.com")

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://app/", "http://app:80"),
        ("https://[::1]", "https://[::1]:443"),
        ("unix:/run/app.sock", "unix:/run/app.sock"),
        ("unix:app.sock", "unix:/etc/gateway/app.sock"),
        ("http://app/base/", "http://app:80/base"),
        ("file:///srv/spa", "file:///srv/spa"),
        ("file:dist", "file:///etc/gateway/dist"),
    ],
)
def test_upstreams(text, shown):
    """Four kinds; relative paths count from the configuration file."""
    assert str(parse_upstream(text, BASE)) == shown


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:3000",
        "http://app/a/../b",
        "http://app/a%2fb",
        "http://app//b",
        "http://app/a?b",
        "unix:",
        "file:",
        "ftp://x",
        "file://host/x",
        "http://u:p@h",
    ],
)
def test_other_upstreams_are_refused(text):
    """A path on an http upstream can be read in one way."""
    with pytest.raises(BadValueError):
        parse_upstream(text, BASE)


def test_relative_paths_count_from_the_configuration():
    """An absolute path stays as it is."""
    assert parse_path("key", BASE) == BASE / "key"
    assert parse_path("/run/key", BASE) == Path("/run/key")
