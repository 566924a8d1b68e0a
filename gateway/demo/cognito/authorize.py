"""`/oauth2/authorize` and the sign-in page `/login`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from gateway.demo import clock, dice
from gateway.demo.answers import Cookie, query_of, redirect
from gateway.demo.cognito.errors import (
    PARTY,
    NotForTheClientError,
    RefusedError,
    error_redirect,
    refusal_redirect,
)
from gateway.demo.cognito.federation import begin, hand_out_code
from gateway.demo.cognito.native import form, knows_people, signed_in
from gateway.demo.cognito.requests import known_redirect, read_request
from gateway.demo.cognito.state import PROVIDER, AuthorizationRequest, Cognito, Session
from gateway.demo.pages import page

IDENTIFIER = "example.com"


class Authorize:
    """Gives a code at once while the browser's session lives, else sends the browser to sign in."""

    def __init__(self, cognito: Cognito) -> None:
        self._cognito = cognito
        self._switches = cognito.common.switches

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        return [
            web.get("/oauth2/authorize", self._authorize, allow_head=False),
            web.get("/login", self._login, allow_head=False),
            web.post("/login", self._submitted),
        ]

    async def _authorize(self, request: web.Request) -> web.Response:
        return await self._guarded(request, self._decide)

    async def _login(self, request: web.Request) -> web.Response:
        return await self._guarded(request, self._show_page)

    async def _submitted(self, request: web.Request) -> web.Response:
        return await self._guarded(request, self._sign_in)

    async def _guarded(
        self,
        request: web.Request,
        handle: Callable[[web.Request, AuthorizationRequest], Awaitable[web.Response]],
    ) -> web.Response:
        query = query_of(request)
        try:
            return await handle(request, read_request(self._cognito, request))
        except NotForTheClientError:
            return error_redirect("redirect_mismatch", query.get("client_id", ""))
        except RefusedError as refusal:
            uri = known_redirect(self._cognito, query)
            return refusal_redirect(self._cognito, uri, refusal, query.get("state"))

    async def _decide(self, request: web.Request, asked: AuthorizationRequest) -> web.Response:
        session = self._cognito.session_of(request)
        if session and self._good_enough(session, asked):
            return self._silent(session, asked)
        if "none" in asked.prompt:
            raise RefusedError("login_required")
        if asked.provider in {PROVIDER, IDENTIFIER} and not knows_people(self._cognito):
            return await begin(self._cognito, asked)
        if asked.provider not in {None, "COGNITO"}:
            raise RefusedError("invalid_request", "the identity provider is not known")
        return redirect(f"/login?{asked.raw}")

    def _good_enough(self, session: Session, asked: AuthorizationRequest) -> bool:
        too_old = asked.max_age is not None and clock.now() - session.created > asked.max_age
        return "login" not in asked.prompt and not (self._switches.flag("step_up") and too_old)

    def _silent(self, session: Session, asked: AuthorizationRequest) -> web.Response:
        self._cognito.common.tell(
            f"Cognito: {session.identity.email} let in by the session cookie, Okta not asked"
        )
        cookies = []
        if self._switches.flag("cognito_session_sliding"):
            session.renewed = clock.now()
            cookies.append(self._cognito.session_cookie(session))
        return hand_out_code(self._cognito, session, asked, cookies)

    async def _sign_in(self, request: web.Request, asked: AuthorizationRequest) -> web.Response:
        if not knows_people(self._cognito):
            raise web.HTTPMethodNotAllowed("POST", ["GET"])
        return await signed_in(self._cognito, request, asked)

    async def _show_page(self, request: web.Request, asked: AuthorizationRequest) -> web.Response:
        if knows_people(self._cognito):
            return form(request, asked.login_hint or "")
        chosen = ("identity_provider", "idp_identifier")
        query = [pair for pair in parse_qsl(asked.raw, keep_blank_values=True) if pair[0] not in chosen]
        link = f"/oauth2/authorize?{urlencode([*query, ('identity_provider', PROVIDER)])}"
        content = (
            f'<a class="button" id="provider-okta" href="{escape(link)}">Continue with {PROVIDER}</a>'
            '<p class="note">This page is where Amazon Cognito lets people choose how to sign in.</p>'
        )
        cookies = [Cookie("XSRF-TOKEN", dice.identifier(), same_site="Lax")]
        if asked.lang and asked.lang.isalnum():
            cookies.append(Cookie("lang", asked.lang, http_only=False))
        return page(PARTY, "Sign in", content, cookies=cookies)
