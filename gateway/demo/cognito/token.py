"""`/oauth2/token`."""

from __future__ import annotations

import hmac

from aiohttp import web

from gateway.demo import clock, dice, jwts
from gateway.demo.answers import ANY_ORIGIN, form_of, json_answer, oauth_error
from gateway.demo.cognito.minting import mint, new_refresh_token
from gateway.demo.cognito.state import Cognito, RefreshToken
from gateway.demo.credentials import credentials
from gateway.demo.faults import fault
from gateway.demo.options import CLIENT_ID


def is_client(cognito: Cognito, request: web.Request, form: dict[str, str]) -> bool:
    """Say whether the demo client's id and secret came with *request*, by Basic or in the form."""
    name, secret = credentials(request, form)
    return name == CLIENT_ID and hmac.compare_digest(
        secret.encode(), cognito.common.options.client_secret.encode()
    )


class TokenEndpoint:
    """Redeems codes and refresh tokens."""

    def __init__(self, cognito: Cognito) -> None:
        self._cognito = cognito
        self._switches = cognito.common.switches

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        return [web.post("/oauth2/token", self._handle)]

    async def _handle(self, request: web.Request) -> web.Response:
        failure = await fault(self._switches, "token")
        if failure:
            return failure
        form = await form_of(request)
        if "grant_type" not in form:
            return oauth_error("invalid_request")
        if not is_client(self._cognito, request, form):
            return oauth_error("invalid_client")
        match form["grant_type"]:
            case "authorization_code":
                return self._redeem(form)
            case "refresh_token":
                return self._refresh(form)
            case "client_credentials":
                return oauth_error("unauthorized_client")
        return oauth_error("unsupported_grant_type")

    def _redeem(self, form: dict[str, str]) -> web.Response:
        if not form.get("code") or not form.get("redirect_uri"):
            return oauth_error("invalid_request")
        code = self._cognito.codes.pop(form["code"], None)
        if code is None or clock.now() >= code.issued + self._switches.number("code_seconds"):
            return oauth_error("invalid_grant")
        if form["redirect_uri"] != code.redirect_uri:
            return oauth_error("unauthorized_client", "invalid_redirect")
        if code.challenge and jwts.s256(form.get("code_verifier", "")) != code.challenge:
            return oauth_error("invalid_grant")
        answer = mint(self._cognito, code.sign_in, nonce=code.sign_in.nonce)
        expires = clock.now() + self._switches.number("refresh_token_seconds")
        answer["refresh_token"] = new_refresh_token(self._cognito, code.sign_in, expires)
        self._cognito.common.tell(f"Cognito: tokens given out for {code.sign_in.identity.email}")
        return self._answer(answer)

    def _refresh(self, form: dict[str, str]) -> web.Response:
        token = self._cognito.refresh_tokens.get(form.get("refresh_token", ""))
        if "refresh_token" not in form:
            return oauth_error("invalid_request")
        if token is None or not self._usable(token):
            return oauth_error("invalid_grant", "Refresh Token has been revoked")
        answer = mint(self._cognito, token.sign_in, nonce=None)
        if self._switches.flag("refresh_rotation"):
            token.rotated = token.rotated or clock.now()
            answer["refresh_token"] = new_refresh_token(self._cognito, token.sign_in, token.expires)
        self._cognito.common.tell(f"Cognito: tokens of {token.sign_in.identity.email} refreshed")
        return self._answer(answer)

    def _usable(self, token: RefreshToken) -> bool:
        if clock.now() >= token.expires or self._cognito.common.is_revoked(token.sign_in.key):
            return False
        grace = self._switches.number("refresh_grace_seconds")
        return token.rotated is None or clock.now() < token.rotated + grace

    def _answer(self, payload: dict[str, str | int]) -> web.Response:
        return json_answer(payload, headers=ANY_ORIGIN | {"x-amz-cognito-request-id": dice.identifier()})
