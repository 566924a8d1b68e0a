"""CORS preflights (Fetch Standard §4.8), answered here and never forwarded (rule R8): they carry no cookie, so the gate
could only refuse them, and an upstream that answers them would decide who may use our session."""

from __future__ import annotations

from collections.abc import Collection

from gateway.core.http.facts import RequestFacts
from gateway.web.messages import Response
from gateway.web.pages.errors import refuse
from gateway.web.pages.pages import Page
from gateway.web.pages.respond import send

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_HEADERS = (
    "Accept, Authorization, Content-Type, If-Match, If-None-Match, Range, X-Auth-Passive, X-Requested-With"
)


def answer(facts: RequestFacts, origins: Collection[str]) -> Response:
    """204 for an allowed origin, else 403 ``cross_origin``."""
    if facts.origin is None or facts.origin not in origins:
        return refuse(facts, "cross_origin", headers=(("Vary", "Origin"),))
    page = Page(
        204,
        b"",
        (
            ("Access-Control-Allow-Origin", facts.origin),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Allow-Methods", _METHODS),
            ("Access-Control-Allow-Headers", _HEADERS),
            ("Access-Control-Max-Age", "600"),
            ("Vary", "Origin"),
            ("Cache-Control", "no-store"),
        ),
    )
    return send(page)
