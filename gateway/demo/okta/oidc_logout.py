"""`/v1/logout` of an Okta authorization server (OpenID Connect RP-initiated logout, with Okta's own rules)."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from gateway.demo import jwts
from gateway.demo.answers import form_of, query_of, redirect, with_query
from gateway.demo.okta.cookies import expired_cookies
from gateway.demo.okta.front_channel import addresses
from gateway.demo.okta.login import PARTY
from gateway.demo.okta.state import AuthorizationServer, Okta, Session
from gateway.demo.pages import message, moving_link

LOGIN = "/login/login.htm"


class Logout:
    """Ends the session the ID token hint is about; an expired hint is as good as a fresh one."""

    def __init__(self, okta: Okta, server: AuthorizationServer) -> None:
        self._okta = okta
        self._server = server
        self._switches = okta.common.switches

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        path = f"{self._server.base}/logout"
        return [web.get(path, self._get, allow_head=False), web.post(path, self._post)]

    async def _get(self, request: web.Request) -> web.Response:
        return self._handle(request, query_of(request))

    async def _post(self, request: web.Request) -> web.Response:
        return self._handle(request, await form_of(request))

    def _handle(self, request: web.Request, given: dict[str, str]) -> web.Response:
        if not given.get("id_token_hint"):
            return self._without_hint()
        claims = self._hint(given["id_token_hint"])
        if claims is None:
            return _refused("The id_token_hint is not one of this authorization server.")
        target = given.get("post_logout_redirect_uri", "")
        if target and target not in self._okta.clients[claims["aud"]].sign_outs:
            return _refused("The post_logout_redirect_uri is not registered.")
        return self._end(self._okta.session_of(request), claims, target, given.get("state"))

    def _without_hint(self) -> web.Response:
        if self._switches.word("okta_logout_missing_hint") == "login_page":
            return redirect(LOGIN)
        return _refused("The id_token_hint is missing.")

    def _hint(self, token: str) -> dict[str, Any] | None:
        claims = jwts.read(token, [self._server.key])
        if claims is None or claims.get("iss") != self._server.issuer:
            return None
        return claims if claims.get("aud") in self._okta.clients else None

    def _end(
        self, session: Session | None, claims: dict[str, Any], target: str, state: str | None
    ) -> web.Response:
        onward = with_query(target, {"state": state}) if target else LOGIN
        if session and session.person.user_id != claims["sub"]:
            choice = self._switches.word("okta_logout_mismatch")
            if choice == "error_page":
                return _refused("The id_token_hint is about somebody else.")
            if choice == "keep_session":
                return redirect(onward)
        frames = addresses(self._okta, session, apart=claims["aud"])
        if session:
            self._okta.end(session, f"{self._server.base}/logout, returned to {target or LOGIN}")
        gone = expired_cookies(self._okta)
        if frames or self._switches.flag("okta_logout_interstitial"):
            return moving_link(PARTY, onward, cookies=gone, frames=frames)
        return redirect(onward, *gone)


def _refused(text: str) -> web.Response:
    return message(PARTY, "Bad request", text, status=400)
