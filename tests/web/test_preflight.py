"""CORS preflights are answered at the door (rule R8)."""

from __future__ import annotations

import pytest

from gateway.core.http.facts import DoorRules, build
from gateway.web.preflight import answer

ORIGINS = frozenset({"https://app.example.com", "https://partner.example.com"})
RULES = DoorRules("https", frozenset({"app.example.com"}))


def asked(origin: str):
    headers = [
        (b"Host", b"app.example.com"),
        (b"Origin", origin.encode()),
        (b"Access-Control-Request-Method", b"PUT"),
    ]
    return answer(build("OPTIONS", "/api", headers, "192.0.2.1", RULES), ORIGINS)


def test_r08_an_allowed_origin_may_ask_with_credentials() -> None:
    """204 for that origin by name, never for all, and caches keep answers apart."""
    response = asked("https://partner.example.com")
    assert response.status == 204
    assert response.headers["Access-Control-Allow-Origin"] == "https://partner.example.com"
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert "PUT" in response.headers["Access-Control-Allow-Methods"]
    assert response.headers["Vary"] == "Origin"


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
