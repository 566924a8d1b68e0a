"""The issuer's host: discovery, key set and the two API calls a client may make without AWS credentials."""

from __future__ import annotations

import json

from aiohttp import web

from gateway.demo import jwts
from gateway.demo.answers import json_answer
from gateway.demo.cognito.revoke import revoke
from gateway.demo.cognito.state import CLIENT_SCOPES, Cognito, SignIn
from gateway.demo.faults import fault
from gateway.demo.options import CLIENT_ID

TARGET = "AWSCognitoIdentityProviderService."
AMZ_JSON = "application/x-amz-json-1.1"


class Issuer:
    """What AWS serves at cognito-idp.<region>.amazonaws.com for one pool."""

    def __init__(self, cognito: Cognito) -> None:
        self._cognito = cognito
        self._switches = cognito.common.switches

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        pool = f"/{self._cognito.common.options.pool}/.well-known"
        return [
            web.get(f"{pool}/openid-configuration", self._discovery, allow_head=False),
            web.get(f"{pool}/jwks.json", self._keys, allow_head=False),
            web.post("/", self._api),
        ]

    async def _discovery(self, request: web.Request) -> web.Response:
        failure = await fault(self._switches, "discovery")
        if failure:
            return failure
        issuer, domain = self._cognito.common.options.issuer, self._cognito.url
        document = {
            "authorization_endpoint": f"{domain}/oauth2/authorize",
            "id_token_signing_alg_values_supported": ["RS256"],
            "issuer": issuer,
            "jwks_uri": f"{issuer}/.well-known/jwks.json",
            "response_types_supported": ["code", "token"],
            "scopes_supported": ["openid", "email", "phone", "profile"],
            "subject_types_supported": ["public"],
            "token_endpoint": f"{domain}/oauth2/token",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "userinfo_endpoint": f"{domain}/oauth2/userInfo",
        }
        if self._switches.flag("discovery_end_session"):
            document["end_session_endpoint"] = f"{domain}/logout"
        if self._switches.flag("discovery_revocation"):
            document["revocation_endpoint"] = f"{domain}/oauth2/revoke"
        return json_answer(document)

    async def _keys(self, request: web.Request) -> web.Response:
        failure = await fault(self._switches, "keys")
        return failure or json_answer({"keys": [key.jwk() for key in self._cognito.published_keys()]})

    async def _api(self, request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.read())
        except ValueError:
            body = None
        if request.content_type != AMZ_JSON or not isinstance(body, dict):
            return _failure("SerializationException")
        match request.headers.get("X-Amz-Target", "").removeprefix(TARGET):
            case "RevokeToken":
                return self._revoke_token(body)
            case "GlobalSignOut":
                return self._global_sign_out(str(body.get("AccessToken", "")))
        return _failure("UnknownOperationException")

    def _revoke_token(self, body: dict[str, object]) -> web.Response:
        if (body.get("ClientId"), body.get("ClientSecret")) != (
            CLIENT_ID,
            self._cognito.common.options.client_secret,
        ):
            return _failure("UnauthorizedException")
        if not self._switches.flag("token_revocation"):
            return _failure("UnsupportedOperationException")
        token = str(body.get("Token", ""))
        if jwts.read(token, self._cognito.published_keys()):
            return _failure("UnsupportedTokenTypeException")
        held = self._cognito.refresh_tokens.get(token)
        revoke(self._cognito, token)
        linked = body.get("RevokeAssociatedSessions") == "LINKED" and self._switches.flag("session_tracking")
        if held and linked:
            self._cognito.end(held.sign_in.session_id, "RevokeToken with LINKED")
        return _done()

    def _global_sign_out(self, token: str) -> web.Response:
        claims = jwts.read(token, self._cognito.published_keys()) or {}
        signed_in = self._cognito.sign_ins.get(str(claims.get("event_id", "")))
        if (
            signed_in is None
            or claims.get("token_use") != "access"
            or CLIENT_SCOPES[-1] not in signed_in.scopes
        ):
            return _failure("NotAuthorizedException")
        for other in self._of_same_person(signed_in):
            self._cognito.common.revoke(other.key)
        self._cognito.common.tell(f"Cognito: all tokens of {signed_in.identity.email} revoked")
        return _done()

    def _of_same_person(self, one: SignIn) -> list[SignIn]:
        return [other for other in self._cognito.sign_ins.values() if other.identity.sub == one.identity.sub]


def _done() -> web.Response:
    return web.Response(body=b"{}", content_type=AMZ_JSON)


def _failure(kind: str) -> web.Response:
    return web.Response(status=400, body=json.dumps({"__type": kind}).encode(), content_type=AMZ_JSON)
