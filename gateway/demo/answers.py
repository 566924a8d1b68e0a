"""Requests read and responses made the way the real services do it, byte for byte where that matters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from aiohttp import web
from multidict import CIMultiDict

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}


@dataclass(frozen=True, slots=True)
class Cookie:
    """One Set-Cookie line; *max_age* None is a session cookie, 0 expires it; *same_site* None leaves it out."""

    name: str
    value: str
    max_age: int | None = None
    same_site: str | None = "Lax"
    secure: bool = True
    http_only: bool = True

    def line(self) -> str:
        """Return the header value."""
        parts = [f"{self.name}={self.value}", "Path=/"]
        if self.max_age is not None:
            parts.append(f"Max-Age={self.max_age}")
        parts += ["Secure"] * self.secure + ["HttpOnly"] * self.http_only
        if self.same_site:
            parts.append(f"SameSite={self.same_site}")
        return "; ".join(parts)


def headers_with(cookies: Sequence[Cookie], more: Mapping[str, str] = NO_STORE) -> CIMultiDict[str]:
    """Return response headers with one Set-Cookie line per cookie."""
    headers = CIMultiDict(more)
    for cookie in cookies:
        headers.add("Set-Cookie", cookie.line())
    return headers


def redirect(location: str, *cookies: Cookie, status: int = 302) -> web.Response:
    """Redirect to *location* as it stands: aiohttp's own HTTPFound would quote it anew."""
    headers = headers_with(cookies)
    headers["Location"] = location
    headers["Referrer-Policy"] = "no-referrer"
    return web.Response(status=status, headers=headers)


def json_answer(
    payload: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return *payload* as JSON, never stored."""
    body = json.dumps(payload).encode()
    return web.Response(
        body=body, status=status, headers={**NO_STORE, **(headers or {})}, content_type="application/json"
    )


def oauth_error(code: str, description: str = "", *, status: int = 400) -> web.Response:
    """Return an OAuth error object (RFC 6749 §5.2) readable from any origin, as Cognito's endpoints send it."""
    payload = {"error": code} | ({"error_description": description} if description else {})
    return json_answer(payload, status=status, headers=ANY_ORIGIN)


def with_query(url: str, parameters: Mapping[str, str | None]) -> str:
    """Return *url* with those *parameters* appended that are not None."""
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


def query_of(request: web.Request) -> dict[str, str]:
    """Return the query parameters; of a repeated one the first, so that nothing appended can override it."""
    return first_of(parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True))


async def form_of(request: web.Request) -> dict[str, str]:
    """Return the fields of a form-encoded body, {} for any other content type; 400 when it is not UTF-8."""
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    try:
        text = (await request.read()).decode()
    except UnicodeDecodeError as error:
        raise web.HTTPBadRequest from error
    return first_of(parse_qsl(text, keep_blank_values=True))


def first_of(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return *pairs* as a mapping that keeps the first value of each name."""
    kept: dict[str, str] = {}
    for name, value in pairs:
        kept.setdefault(name, value)
    return kept
