"""`/oauth2/revoke`."""

from __future__ import annotations

from aiohttp import web

from gateway.demo import jwts
from gateway.demo.answers import ANY_ORIGIN, form_of, oauth_error
from gateway.demo.cognito.state import Cognito
from gateway.demo.cognito.token import is_client
from gateway.demo.faults import fault


class RevokeEndpoint:
    """Ends a refresh token and all that was made from it; the browser's session stays, unless it is switched to end."""

    def __init__(self, cognito: Cognito) -> None:
        self._cognito = cognito

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        return [web.post("/oauth2/revoke", self._handle)]

    async def _handle(self, request: web.Request) -> web.Response:
        switches = self._cognito.common.switches
        failure = await fault(switches, "revoke")
        if failure:
            return failure
        form = await form_of(request)
        if not is_client(self._cognito, request, form):
            return oauth_error("invalid_client", status=401)
        token = form.get("token", "")
        if not token or not switches.flag("token_revocation"):
            return oauth_error("invalid_request")
        if jwts.read(token, self._cognito.published_keys()):
            return oauth_error("unsupported_token_type")
        revoke(self._cognito, token)
        held = self._cognito.refresh_tokens.get(token)
        if held and switches.flag("revocation_ends_session"):
            self._cognito.end(held.sign_in.session_id, "the revocation of its refresh token")
        return web.Response(status=200, headers=ANY_ORIGIN)


def revoke(cognito: Cognito, token: str) -> None:
    """Revoke the refresh token *token* and its kin; anything else is left alone."""
    held = cognito.refresh_tokens.get(token)
    if held:
        cognito.common.revoke(held.sign_in.key)
        cognito.common.tell(f"Cognito: tokens of {held.sign_in.identity.email} revoked")
