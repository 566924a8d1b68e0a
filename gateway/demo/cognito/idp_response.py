"""`/oauth2/idpresponse`: Okta's answer to an OpenID Connect sign-in."""

from __future__ import annotations

from aiohttp import web

from gateway.demo.answers import query_of
from gateway.demo.cognito import federation_oidc
from gateway.demo.cognito.errors import RefusedError, lost
from gateway.demo.cognito.federation import claim, fail, succeed
from gateway.demo.cognito.state import PROVIDER, Cognito


class IdpResponse:
    """The redirect URI Cognito has at Okta."""

    def __init__(self, cognito: Cognito) -> None:
        self._cognito = cognito

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        return [web.get("/oauth2/idpresponse", self._handle, allow_head=False)]

    async def _handle(self, request: web.Request) -> web.Response:
        query = query_of(request)
        attempt = claim(self._cognito, request, query.get("state", ""))
        if attempt is None:
            return lost(self._cognito)
        if "code" not in query:
            return fail(
                self._cognito,
                attempt.request,
                RefusedError("invalid_request", f"{PROVIDER}: {query.get('error', '')}"),
            )
        try:
            identity = await federation_oidc.identity_from(self._cognito, attempt, query["code"])
        except federation_oidc.BadAnswerError as error:
            return fail(self._cognito, attempt.request, RefusedError("server_error", f"{PROVIDER}: {error}"))
        return succeed(self._cognito, request, attempt.request, identity)
