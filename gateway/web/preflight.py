"""CORS (Fetch Standard §4.8), whole or not at all: for ``allowed_origins`` preflights, and whatever of ours refuses.

Preflights are answered here and never forwarded (rule R8): they carry no cookie, so the gate could only refuse them,
and an upstream that answers them would decide who may use our session. A script that may ask must be able to read why
it is refused: without these headers it sees a network error in place of a 401.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from multidict import CIMultiDict

from gateway.core.http.facts import RequestFacts
from gateway.web.messages import Response
from gateway.web.pages.errors import refuse
from gateway.web.pages.pages import Page
from gateway.web.pages.respond import send

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, \t-]{1,2048}")
_HEADERS = (
    "Accept, Authorization, Content-Type, If-Match, If-None-Match, Range, X-Auth-Passive, X-Requested-With"
)


def answer(facts: RequestFacts, origins: Collection[str], asked: str = "") -> Response:
    """204 for an allowed origin, else 403 ``cross_origin``.

    :param asked: the headers that it asks for (Access-Control-Request-Headers).
    """
    if facts.origin is None or facts.origin not in origins:
        return refuse(facts, "cross_origin", headers=(("Vary", "Origin"),))
    page = Page(
        204,
        b"",
        (
            *_allowing(facts.origin),
            ("Access-Control-Allow-Methods", _METHODS),
            ("Access-Control-Allow-Headers", asked if _NAMES.fullmatch(asked) else _HEADERS),
            ("Access-Control-Max-Age", "600"),
            ("Vary", "Origin, Access-Control-Request-Headers"),
            ("Cache-Control", "no-store"),
        ),
    )
    return send(page)


def readable(response: Response, origin: str) -> Response:
    """A refusal of ours as a script of an allowed ``origin`` can read it."""
    fields = CIMultiDict(response.headers)
    fields.extend([*_allowing(origin), ("Vary", "Origin")])
    return Response(response.status, fields, response.body, close=response.close)


def _allowing(origin: str) -> tuple[tuple[str, str], ...]:
    return ("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Credentials", "true")
