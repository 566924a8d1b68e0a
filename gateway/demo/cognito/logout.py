"""`/logout`: Cognito's own sign-out, which is not OpenID Connect's.

The browser's session ends before anything is checked, so an error page does not mean that somebody is still signed
in here; it does mean that the browser goes nowhere from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from gateway.demo import clock, dice
from gateway.demo.answers import Cookie, query_of, redirect
from gateway.demo.cognito.errors import PARTY, error_redirect, error_status
from gateway.demo.cognito.federation import HANDLE_BYTES
from gateway.demo.cognito.federation_saml import idp_metadata, logout_url
from gateway.demo.cognito.state import Cognito, LogoutTrip, Session
from gateway.demo.options import CLIENT_ID
from gateway.demo.pages import message
from gateway.demo.saml.xml import SamlError

TRIP_SECONDS = 300
OIDC_STYLE = frozenset({"id_token_hint", "post_logout_redirect_uri"})
KEPT_FOR_LOGIN = ("client_id", "redirect_uri", "response_type", "scope", "state", "nonce")


class Logout:
    """Both forms of `/logout`: leave to logout_uri, or sign in again with redirect_uri."""

    def __init__(self, cognito: Cognito) -> None:
        self._cognito = cognito
        self._switches = cognito.common.switches

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes; any other method than GET is 405."""
        return [web.get("/logout", self._handle, allow_head=False)]

    async def _handle(self, request: web.Request) -> web.Response:
        query = query_of(request)
        session = self._cognito.session_of(request)
        onward = self._onward(query)
        if onward is None:
            return self._error(query, session)
        return await self._through_okta(session, onward) or self._leave(session, onward)

    async def _through_okta(self, session: Session | None, onward: str) -> web.Response | None:
        """Begin a single logout, if this provider has one and the session came by SAML."""
        if (
            session is None
            or session.identity.provider_type != "SAML"
            or not self._switches.flag("idp_signout")
        ):
            return None
        try:
            slo_url = (await idp_metadata(self._cognito)).slo_url
        except SamlError:
            slo_url = None
        if slo_url is None:
            return None
        trip = LogoutTrip(f"_{dice.token(16)}", onward, session.id, clock.now())
        handle = dice.token(HANDLE_BYTES)
        horizon = clock.now() - TRIP_SECONDS
        self._cognito.trips = {key: t for key, t in self._cognito.trips.items() if t.begun > horizon}
        self._cognito.trips[handle] = trip
        cookies = []
        if self._switches.word("slo_session_ends") == "before":
            cookies.append(self._end(session, "/logout, before single logout"))
        return redirect(logout_url(self._cognito, slo_url, session.identity, trip, handle), *cookies)

    def _leave(self, session: Session | None, onward: str) -> web.Response:
        gone = self._end(session, f"/logout, returned to {onward.partition('?')[0]}")
        if self._switches.flag("logout_strands"):
            return message(
                PARTY, "Something went wrong", "This page does not go on.", status=400, cookies=[gone]
            )
        return redirect(onward, gone)

    def _onward(self, query: Mapping[str, str]) -> str | None:
        """Return where to go; an address that is not registered counts as absent, as at AWS."""
        if query.get("client_id") != CLIENT_ID:
            return None
        if self._allowed(query.get("logout_uri", "")):
            return query["logout_uri"]
        callbacks = self._cognito.common.options.registered_callbacks
        if query.get("redirect_uri") in callbacks and query.get("response_type") in {"code", "token"}:
            return f"/login?{urlencode({name: query[name] for name in KEPT_FOR_LOGIN if name in query})}"
        return None

    def _allowed(self, uri: str) -> bool:
        options = self._cognito.common.options
        registered = {*options.registered_sign_outs, *options.registered_callbacks}
        if self._switches.word("logout_uri_match") == "exact":
            return uri in registered
        return _normalised(uri) in {_normalised(known) for known in registered}

    def _error(self, query: Mapping[str, str], session: Session | None) -> web.Response:
        cookies: list[Cookie] = []
        if not self._switches.flag("logout_error_keeps_session"):
            cookies.append(self._end(session, "/logout, which ended on an error page"))
        client_id = query.get("client_id", "")
        if not client_id and OIDC_STYLE & set(query):
            if self._switches.word("logout_oidc_style") == "login":
                return redirect(f"/login?{urlencode(query)}", *cookies)
            return error_redirect("Missing required parameter client_id", "", *cookies)
        if self._switches.word("logout_error") == "text":
            text = "Required String parameter 'redirect_uri' is not present"
            return message(PARTY, "Bad request", text, status=error_status(self._cognito), cookies=cookies)
        return error_redirect("Required parameters missing", client_id, *cookies)

    def _end(self, session: Session | None, how: str) -> Cookie:
        if session:
            self._cognito.end(session.id, how)
        else:
            self._cognito.common.tell(f"Cognito: nobody was signed in at {how}")
        return self._cognito.session_cookie(None)


def _normalised(uri: str) -> str:
    parts = urlsplit(uri)
    return parts._replace(
        scheme=parts.scheme.lower(), netloc=parts.netloc.lower(), path=parts.path.rstrip("/")
    ).geturl()
