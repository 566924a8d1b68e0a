"""Token and revocation endpoints of an Okta authorization server."""

from __future__ import annotations

import hmac

from aiohttp import web

from gateway.demo import clock, dice, jwts
from gateway.demo.answers import form_of, json_answer
from gateway.demo.credentials import credentials
from gateway.demo.emulator import Issued
from gateway.demo.okta.oidc_info import access_grant, profile
from gateway.demo.okta.state import AuthorizationServer, Client, Grant, Okta


class Tokens:
    """Redeems codes and refresh tokens, revokes access and refresh tokens."""

    def __init__(self, okta: Okta, server: AuthorizationServer) -> None:
        self._okta = okta
        self._server = server

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        base = self._server.base
        return [web.post(f"{base}/token", self._token), web.post(f"{base}/revoke", self._revoke)]

    async def _token(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        client = self._client(request, form)
        if client is None:
            return json_answer({"error": "invalid_client"}, status=401)
        if form.get("grant_type") == "authorization_code":
            return self._redeem(client, form)
        if form.get("grant_type") == "refresh_token":
            return self._refresh(client, form)
        return json_answer({"error": "unsupported_grant_type"}, status=400)

    def _redeem(self, client: Client, form: dict[str, str]) -> web.Response:
        grant = self._okta.codes.pop(form.get("code", ""), None)
        if grant is None or not self._redeemable(grant, client, form):
            return json_answer({"error": "invalid_grant"}, status=400)
        self._okta.grants[grant.key] = grant
        answer = self._mint(grant)
        if "offline_access" in grant.scopes:
            token = dice.token(32)
            self._okta.refresh_tokens[token] = grant
            answer["refresh_token"] = token
            self._record("refresh", grant)
        return json_answer(answer)

    def _redeemable(self, grant: Grant, client: Client, form: dict[str, str]) -> bool:
        known = (grant.client, grant.server) == (client, self._server)
        current = clock.now() < grant.expires and form.get("redirect_uri") == grant.redirect_uri
        proven = not grant.challenge or jwts.s256(form.get("code_verifier", "")) == grant.challenge
        return known and current and proven

    def _refresh(self, client: Client, form: dict[str, str]) -> web.Response:
        token = form.get("refresh_token", "")
        grant = self._okta.refresh_tokens.get(token)
        if grant is None or (grant.client, grant.server) != (client, self._server):
            return json_answer({"error": "invalid_grant"}, status=400)
        if self._okta.common.is_revoked(grant.key) or grant.person.email in self._okta.suspended:
            return json_answer({"error": "invalid_grant"}, status=400)
        return json_answer(self._mint(grant) | {"refresh_token": token})

    def _mint(self, grant: Grant) -> dict[str, str | int]:
        switches = self._okta.common.switches
        now, life = clock.now(), switches.number("okta_token_seconds")
        front_channel = switches.flag("front_channel_logout")
        server = self._server
        shared = {"iss": server.issuer, "sub": grant.person.user_id, "iat": now, "exp": now + life, "ver": 1}
        jti = f"AT.{grant.key}.{dice.token(8)}"
        access = {"jti": jti, "aud": server.issuer, "cid": grant.client.id, "scp": list(grant.scopes)}
        access_token = jwts.sign(server.key, shared | access)
        claims = {
            "jti": f"ID.{dice.token(12)}",
            "aud": grant.client.id,
            "amr": ["pwd"],
            "auth_time": grant.auth_time,
            "at_hash": jwts.half_hash(access_token),
            **({"sid": grant.session_id} if front_channel else {}),
            **({"nonce": grant.nonce} if grant.nonce else {}),
            **profile(grant),
        }
        self._record("id", grant)
        self._record("access", grant)
        return {
            "token_type": "Bearer",
            "expires_in": life,
            "access_token": access_token,
            "scope": " ".join(grant.scopes),
            "id_token": jwts.sign(server.key, shared | claims),
        }

    async def _revoke(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        client = self._client(request, form)
        if client is None:
            return json_answer({"error": "invalid_client"}, status=401)
        token = form.get("token", "")
        grant = self._okta.refresh_tokens.get(token) or access_grant(self._okta, self._server, token)
        if grant and grant.client == client:
            self._okta.common.revoke(grant.key)
            self._okta.common.tell(f"Okta: tokens of {grant.person.email} revoked")
        return web.Response(status=200)

    def _client(self, request: web.Request, form: dict[str, str]) -> Client | None:
        name, secret = credentials(request, form)
        client = self._okta.clients.get(name)
        return client if client and hmac.compare_digest(secret.encode(), client.secret.encode()) else None

    def _record(self, kind: str, grant: Grant) -> None:
        self._okta.common.issued.append(Issued(kind, grant.person.email, grant.key))
