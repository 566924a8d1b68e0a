from __future__ import annotations

import pytest

from gateway.oidc.urls import fault_of, form, is_loopback, with_query


def test_every_parameter_is_encoded_alone() -> None:
    """Separators, spaces and line breaks inside a value cannot begin another parameter or header."""
    url = with_query("https://op.example/a", [("x", "1&y=2#z"), ("sp ace", "a b+c\r\nd"), ("ü", "é~-._")])
    assert url == "https://op.example/a?x=1%26y%3D2%23z&sp%20ace=a%20b%2Bc%0D%0Ad&%C3%BC=%C3%A9~-._"


def test_the_query_of_an_endpoint_is_kept() -> None:
    """RFC 6749 §3.1: an endpoint may have a query, and it stays."""
    assert with_query("https://op.example/a?p=B2C", [("x", "1")]) == "https://op.example/a?p=B2C&x=1"


def test_no_parameter_leaves_the_url_as_it_is() -> None:
    """No lonely question mark appears."""
    assert with_query("https://op.example/a", []) == "https://op.example/a"


def test_a_form_is_encoded_like_a_query() -> None:
    """The same exact encoding in bodies."""
    assert form([("code", "a b"), ("x", "&")]) == b"code=a%20b&x=%26"


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "cognito.localhost", "127.0.0.1", "127.9.9.9", "::1"]
)
def test_loopback_names_are_known(host: str) -> None:
    """Plain http is tolerable only where nobody can listen."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["localhost.example", "xlocalhost", "10.0.0.1", "0.0.0.0", "example.com", ""]
)
def test_other_names_are_not_loopback(host: str) -> None:
    """A name that merely contains localhost is somebody else's."""
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "url",
    [
        "http://op.example/a",
        "ftp://op.example/a",
        "javascript:alert(1)",
        "//op.example/a",
        "/a",
        "",
        "https:///a",
        "https://user@op.example/a",
        "https://user:pw@op.example/a",
        "https://op.example/a#b",
        "https://op.example:port/a",
        "https://op.example/a b",
        "https://op.example/a\n",
        "https://op.example\\@evil.example/",
        "https://[::1/a",
        "https://öp.example/",
        "https://op.example;script-src/",
        "https://op%2eexample/",
        "https://op.example'/",
    ],
)
def test_what_cannot_be_an_endpoint_is_named(url: str) -> None:
    """Only absolute https URLs without user, fragment and odd characters are endpoints."""
    assert fault_of(url)


def test_http_is_for_loopback_and_only_when_asked_for() -> None:
    """The metadata of an https issuer cannot lead down to this machine."""
    assert fault_of("http://op.localhost:8081/a") is None
    assert fault_of("http://op.localhost:8081/a", http_on_loopback=False) == "is not https"
