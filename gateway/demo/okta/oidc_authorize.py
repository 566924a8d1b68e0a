"""`/v1/authorize` of an Okta authorization server."""

from __future__ import annotations

import re

from aiohttp import web

from gateway.demo import clock, dice
from gateway.demo.answers import query_of, redirect, with_query
from gateway.demo.okta.login import PARTY, proceed
from gateway.demo.okta.state import CODE_SECONDS, AuthorizationServer, Client, Grant, Okta, Session
from gateway.demo.pages import message

STATE = re.compile(r"[A-Za-z0-9,._-]*")
OPENID = "openid"


class RefusedError(Exception):
    """An error that goes back to the client (RFC 6749 §4.1.2.1)."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(code, description)
        self.code = code
        self.description = description


class Authorize:
    """Asks who the browser's person is and hands the client a code."""

    def __init__(self, okta: Okta, server: AuthorizationServer) -> None:
        self._okta = okta
        self._server = server

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        return [web.get(f"{self._server.base}/authorize", self._handle, allow_head=False)]

    async def _handle(self, request: web.Request) -> web.Response:
        query = query_of(request)
        client = self._okta.clients.get(query.get("client_id", ""))
        if client is None or query.get("redirect_uri", "") not in client.redirect_uris:
            text = "The client or its redirect_uri is not known here."
            return message(PARTY, "Bad request", text, status=400)
        try:
            return self._sign_in(request, query, client)
        except RefusedError as refusal:
            return self._refused(query, refusal)

    def _sign_in(self, request: web.Request, query: dict[str, str], client: Client) -> web.Response:
        self._check(query)
        prompt = query.get("prompt", "").split()
        if "none" in prompt and self._okta.session_of(request) is None:
            raise RefusedError(
                "login_required", "The client specified not to prompt, but the user is not logged in."
            )
        force = "login" in prompt or self._too_old(request, query.get("max_age", ""))

        def finish(session: Session) -> web.Response:
            return self._hand_out(query, client, session)

        return proceed(self._okta, request, finish, force=force, hint=query.get("login_hint", ""))

    def _check(self, query: dict[str, str]) -> None:
        if query.get("response_type") != "code":
            raise RefusedError("unsupported_response_type", "The response type is not supported.")
        if OPENID not in query.get("scope", "").split():
            raise RefusedError("invalid_scope", "The openid scope is required.")
        if not STATE.fullmatch(query.get("state", "")):
            raise RefusedError("invalid_request", "The state parameter contains illegal characters.")
        if ("code_challenge" in query) != (query.get("code_challenge_method") == "S256"):
            raise RefusedError("invalid_request", "PKCE needs a code challenge and the method S256.")

    def _too_old(self, request: web.Request, max_age: str) -> bool:
        session = self._okta.session_of(request)
        return bool(session and max_age.isdigit() and clock.now() - session.created > int(max_age))

    def _hand_out(self, query: dict[str, str], client: Client, session: Session) -> web.Response:
        code = dice.token()
        self._okta.codes[code] = Grant(
            server=self._server,
            client=client,
            person=session.person,
            session_id=session.index,
            redirect_uri=query["redirect_uri"],
            scopes=tuple(query["scope"].split()),
            nonce=query.get("nonce"),
            challenge=query.get("code_challenge"),
            auth_time=session.created,
            expires=clock.now() + CODE_SECONDS,
            key=dice.token(12),
        )
        return redirect(with_query(query["redirect_uri"], {"code": code, "state": query.get("state")}))

    def _refused(self, query: dict[str, str], refusal: RefusedError) -> web.Response:
        state = query.get("state", "")
        parameters = {
            "error": refusal.code,
            "error_description": refusal.description,
            "state": state if state and STATE.fullmatch(state) else None,
        }
        return redirect(with_query(query["redirect_uri"], parameters))
