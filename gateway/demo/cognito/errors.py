"""Cognito's own error page, and the two ways an authorization request is refused."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from gateway.demo.answers import Cookie, query_of, redirect, with_query
from gateway.demo.cognito.state import Cognito
from gateway.demo.pages import message

PARTY = "Cognito hosted UI (emulated)"


class NotForTheClientError(Exception):
    """The client or its redirect_uri is not known: the browser stays on Cognito's error page."""


class RefusedError(Exception):
    """An error that goes back to the client (RFC 6749 §4.1.2.1); *keep_state* unless the state was the fault."""

    def __init__(self, code: str, description: str = "", *, keep_state: bool = True) -> None:
        super().__init__(code, description)
        self.code = code
        self.description = description
        self.keep_state = keep_state


def error_redirect(error: str, client_id: str, *cookies: Cookie) -> web.Response:
    """Send the browser to `/error`."""
    return redirect(f"/error?{urlencode({'error': error, 'client_id': client_id})}", *cookies)


def refusal_redirect(
    cognito: Cognito, redirect_uri: str, refusal: RefusedError, state: str | None
) -> web.Response:
    """Return *refusal* to the client."""
    cognito.common.tell(f"Cognito: sign-in refused, {refusal.code} {refusal.description}".rstrip())
    parameters = {
        "error": refusal.code,
        "error_description": refusal.description or None,
        "state": state if refusal.keep_state else None,
    }
    return redirect(with_query(redirect_uri, parameters))


def lost(cognito: Cognito) -> web.Response:
    """Return the page for a sign-in that took too long or was not begun in this browser."""
    text = "Something went wrong. The sign-in was not finished in time, or it was begun in another browser."
    return message(PARTY, "Something went wrong", text, status=error_status(cognito))


def error_status(cognito: Cognito) -> int:
    """Return the status of Cognito's error pages."""
    return int(cognito.common.switches.word("error_page_status"))


class ErrorPage:
    """`/error`."""

    def __init__(self, cognito: Cognito) -> None:
        self._cognito = cognito

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        return [web.get("/error", self._show, allow_head=False)]

    async def _show(self, request: web.Request) -> web.Response:
        text = query_of(request).get("error", "") or "An error was encountered with the requested page."
        title = "An error was encountered with the requested page."
        return message(PARTY, title, text, status=error_status(self._cognito))
