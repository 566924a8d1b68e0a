"""CORS preflights are answered at the door (rule R8)."""

from __future__ import annotations

import pytest

from gateway.core.http.facts import DoorRules, build
from gateway.web.preflight import answer

ORIGINS = frozenset({"https://app.example.com", "https://partner.example.com"})
RULES = DoorRules("https", frozenset({"app.example.com"}))


def asked(origin: str, headers_asked_for: str = ""):
    headers = [
        (b"Host", b"app.example.com"),
        (b"Origin", origin.encode()),
        (b"Access-Control-Request-Method", b"PUT"),
    ]
    return answer(build("OPTIONS", "/api", headers, "192.0.2.1", RULES), ORIGINS, headers_asked_for)


def test_r08_an_allowed_origin_may_ask_with_credentials() -> None:
    """204 for that origin by name, never for all, and caches keep answers apart."""
    response = asked("https://partner.example.com")
    assert response.status == 204
    assert response.headers["Access-Control-Allow-Origin"] == "https://partner.example.com"
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert "PUT" in response.headers["Access-Control-Allow-Methods"]
    assert response.headers["Vary"] == "Origin, Access-Control-Request-Headers"


def test_the_headers_that_are_asked_for_are_admitted() -> None:
    """Whatever their names: an upstream that reads them is the application's own. What is no list of names is not repeated."""
    wanted = "x-tenant,traceparent, X_Own.Header"
    allowed = "Access-Control-Allow-Headers"
    assert asked("https://partner.example.com", wanted).headers[allowed] == wanted
    for odd in ("", "a\r\nb: c", "a" * 3_000, "h\u00e4"):
        assert asked("https://partner.example.com", odd).headers[allowed].startswith("Accept, ")
    assert allowed not in asked("https://evil.example", wanted).headers


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "https://partner.example.com.evil.example", "https://PARTNER.example.com",
     "http://partner.example.com", "https://partner.example.com:8443", "", "*"],
)  # fmt: skip
def test_r08_any_other_origin_is_refused(origin: str) -> None:
    """403 without a word of CORS, compared byte for byte."""
    response = asked(origin)
    assert response.status == 403
    assert not [name for name in response.headers if name.lower().startswith("access-control-")]
    assert response.headers["Vary"] == "Origin"
