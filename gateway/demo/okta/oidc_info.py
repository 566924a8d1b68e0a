"""Discovery, keys and user info of an Okta authorization server."""

from __future__ import annotations

from aiohttp import web

from gateway.demo import clock, jwts
from gateway.demo.answers import json_answer
from gateway.demo.okta.state import AuthorizationServer, Grant, Okta

SCOPES = ("openid", "email", "profile", "groups", "offline_access")


def profile(grant: Grant) -> dict[str, object]:
    """Return the claims about a person that the granted scopes open."""
    person = grant.person
    by_scope: dict[str, dict[str, object]] = {
        "profile": {
            "name": person.name,
            "given_name": person.given_name,
            "family_name": person.family_name,
            "preferred_username": person.email,
        },
        "email": {"email": person.email, "email_verified": True},
        "groups": {"groups": list(person.groups)},
    }
    return {name: value for scope in grant.scopes for name, value in by_scope.get(scope, {}).items()}


def access_grant(okta: Okta, server: AuthorizationServer, token: str) -> Grant | None:
    """Return the grant behind an access token of *server*, whether or not it has expired or was revoked."""
    claims = jwts.read(token, [server.key]) or {}
    kind, _, rest = str(claims.get("jti", "")).partition(".")
    return okta.grants.get(rest.partition(".")[0]) if kind == "AT" else None


class Info:
    """What can be read about the issuer and, with an access token, about a person."""

    def __init__(self, okta: Okta, server: AuthorizationServer) -> None:
        self._okta = okta
        self._server = server

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        well_known = self._server.issuer.removeprefix(self._okta.url)
        return [
            web.get(f"{well_known}/.well-known/openid-configuration", self._discovery, allow_head=False),
            web.get(f"{self._server.base}/keys", self._keys, allow_head=False),
            web.get(f"{self._server.base}/userinfo", self._userinfo, allow_head=False),
        ]

    async def _discovery(self, request: web.Request) -> web.Response:
        base = f"{self._okta.url}{self._server.base}"
        document = {
            "issuer": self._server.issuer,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "userinfo_endpoint": f"{base}/userinfo",
            "jwks_uri": f"{base}/keys",
            "revocation_endpoint": f"{base}/revoke",
            "end_session_endpoint": f"{base}/logout",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": list(SCOPES),
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
        }
        return json_answer(document)

    async def _keys(self, request: web.Request) -> web.Response:
        return json_answer({"keys": [self._server.key.jwk()]})

    async def _userinfo(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        grant = access_grant(self._okta, self._server, token)
        expires = (jwts.read(token, [self._server.key]) or {}).get("exp", 0)
        if grant is None or expires <= clock.now() or self._okta.common.is_revoked(grant.key):
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            return json_answer({"error": "invalid_token"}, status=401, headers=challenge)
        return json_answer({"sub": grant.person.user_id, **profile(grant)})
