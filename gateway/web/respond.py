"""From a page of ours to a response on the wire."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web
from multidict import CIMultiDict

from gateway.web.pages import Page

_REDIRECT_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)


def send(page: Page, cookies: Iterable[str] = (), headers: Iterable[tuple[str, str]] = ()) -> web.Response:
    """``page`` with Set-Cookie values and further headers."""
    fields = CIMultiDict([*page.headers, *headers])
    for cookie in cookies:
        fields.add("Set-Cookie", cookie)
    return _unsigned(web.Response(status=page.status, body=page.body, headers=fields))


def redirect(location: str, *, status: int = 302, cookies: Iterable[str] = ()) -> web.Response:
    """A redirect to ``location`` byte for byte; aiohttp's own ``HTTPFound`` would re-quote it (protocol facts C.9)."""
    fields = CIMultiDict([*_REDIRECT_HEADERS, ("Location", location)])
    for cookie in cookies:
        fields.add("Set-Cookie", cookie)
    return _unsigned(web.Response(status=status, headers=fields))


def _unsigned(response: web.Response) -> web.Response:
    # aiohttp names itself and its version unless a Server header is there.
    response.headers["Server"] = "gateway"
    return response
