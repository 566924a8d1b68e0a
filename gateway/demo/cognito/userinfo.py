"""`/oauth2/userInfo`, which is also Cognito's only online check of a token."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from gateway.demo import clock, jwts
from gateway.demo.answers import ANY_ORIGIN, json_answer
from gateway.demo.cognito.minting import user_attributes
from gateway.demo.cognito.state import Cognito, SignIn


class UserInfo:
    """Says who an access token is about, as long as it is not revoked."""

    def __init__(self, cognito: Cognito) -> None:
        self._cognito = cognito

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        return [web.get("/oauth2/userInfo", self._handle, allow_head=False)]

    async def _handle(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return _refused("invalid_request", "Bearer token is missing", 400)
        claims = jwts.read(token, self._cognito.published_keys()) or {}
        sign_in = self._sign_in(claims)
        if claims.get("token_use") != "access" or claims["exp"] <= clock.now() or sign_in is None:
            return _refused(
                "invalid_token",
                "Access token is expired, disabled, or deleted, or the user has signed out",
                401,
            )
        if "openid" not in sign_in.scopes:
            return _refused("invalid_token", "Access token does not contain openid scope", 401)
        attributes = user_attributes(sign_in, email_verified="true")
        payload = {"sub": sign_in.identity.sub, "username": sign_in.identity.username, **attributes}
        return json_answer(payload, headers=ANY_ORIGIN)

    def _sign_in(self, claims: dict[str, Any]) -> SignIn | None:
        sign_in = self._cognito.sign_ins.get(str(claims.get("event_id", "")))
        return sign_in if sign_in and not self._cognito.common.is_revoked(sign_in.key) else None


def _refused(code: str, description: str, status: int) -> web.Response:
    challenge = {"WWW-Authenticate": f'Bearer error="{code}", error_description="{description}"'}
    payload = {"error": code, "error_description": description}
    return json_answer(payload, status=status, headers=ANY_ORIGIN | challenge)
