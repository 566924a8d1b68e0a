"""A provider that people stay signed in at, in the manners of Okta, Keycloak, Entra, Auth0, Google or a plain one.

It has a login form, a session of its own in a cookie, silent sign-in while that lives, and an ``end_session_endpoint``
as strict as the real ones: return addresses are compared byte for byte, hints are verified, and what it does not like
ends on a page of its own with the session alive (facts B.3, C.1, E.3).
"""

from __future__ import annotations

import html
import itertools
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

import jwt
from aiohttp import web

from gateway.core.clock import now
from tests.fakes.forge import ABSENT, Forge, SigningKey, rsa_key
from tests.fakes.ports import free_port

CLIENT, SECRET = "sso-client", "sso-secret"
_CREDENTIALS = (
    'Sign in <input id="username" name="username"> <input id="password" name="password" type="password">'
)


@dataclass(frozen=True)
class Manners:
    """What is different about a kind of provider.

    :ivar issuer: path of the issuer. :ivar end_session: path of that endpoint, None: there is none.
    :ivar sign_out_host: where that is. :ivar listed: it stands in the metadata. :ivar revokes: there is a revocation endpoint.
    :ivar claims: more claims of ID tokens; ``SID`` stands for the id of the provider's own session.
    :ivar hint: the parameter that names the session. :ivar without_hint: ``refuse`` or ``confirm``.
    :ivar same_site: of the session's cookie. :ivar by_form: its end of session takes POST too.
    :ivar refused_prompts: values of ``prompt`` that are errors.
    """

    issuer: str = ""
    end_session: str | None = "/session/end"
    listed: bool = True
    revokes: bool = True
    claims: Mapping[str, str] = field(default_factory=dict)
    hint: str = "id_token_hint"
    without_hint: str = "confirm"
    echoes_state: bool = True
    sign_out_host: str = "sso.localhost"
    refused_prompts: frozenset[str] = frozenset()
    same_site: str = "None"
    by_form: bool = True


MANNERS: Mapping[str, Manners] = {
    "oidc": Manners(claims={"sid": "SID"}, same_site="Lax", by_form=False),
    "okta": Manners(issuer="/oauth2/default", end_session="/oauth2/default/v1/logout", without_hint="refuse"),
    "keycloak": Manners(
        issuer="/realms/demo",
        end_session="/realms/demo/protocol/openid-connect/logout",
        claims={"typ": "ID", "sid": "SID"},
    ),
    "entra": Manners(
        issuer="/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        end_session="/9122040d-6c67-4c5b-b112-36a304b66dad/oauth2/v2.0/logout",
        revokes=False,
        claims={"login_hint": "O.SID", "tid": "9122040d-6c67-4c5b-b112-36a304b66dad"},
        hint="logout_hint",
        echoes_state=False,
        by_form=False,
    ),
    "auth0": Manners(
        issuer="/",
        end_session="/oidc/logout",
        listed=False,
        claims={"sid": "SID"},
        hint="logout_hint",
        by_form=False,
    ),
    "google": Manners(end_session=None, refused_prompts=frozenset({"login"})),
}


@dataclass
class Grant:
    """A code that waits to be redeemed."""

    user: str
    sid: str
    nonce: str | None


class Sso:
    """The provider's state, its switches, and what it was asked.

    :ivar strands: the session ends, and the browser stays on a page of the provider.
    :ivar sessions: of the provider itself, cookie value to user. :ivar sign_outs: how it was asked, in order.
    :ivar unlisted: its metadata are answered 503, and with ``keyless`` its keys. :ivar padding: bytes that ID tokens have besides.
    :ivar key: signs, and knows its own hints; ``published`` are further ones in the key set. :ivar refreshes: how many.
    :ivar okta_signouts: how often ``/login/signout`` was asked, which needs no hint.
    """

    def __init__(self, kind: str, manners: Manners | None = None) -> None:
        self.kind = kind
        self.manners = manners or MANNERS[kind]
        self.port = 0
        self.strands = False
        self.unlisted = self.keyless = False
        self.key: SigningKey = rsa_key("sso")
        self.published: list[SigningKey] = []
        self.refreshes = 0
        self.callback = ""
        self.returns: list[str] = []
        self.sessions: dict[str, str] = {}
        self.sign_outs: list[tuple[str, dict[str, str]]] = []
        self.prompts: list[str | None] = []
        self.revoked: list[str] = []
        self.padding = 0
        self.okta_signouts = 0
        self._codes: dict[str, Grant] = {}
        self._refreshing: dict[str, Grant] = {}
        self._numbers = itertools.count(1)

    @property
    def origin(self) -> str:
        return f"http://sso.localhost:{self.port}"

    @property
    def issuer(self) -> str:
        return self.origin + self.manners.issuer

    def application(self) -> web.Application:
        app = web.Application()
        base = self.manners.issuer.rstrip("/")
        app.add_routes(
            [
                web.get(f"{base}/.well-known/openid-configuration", self._metadata),
                web.get("/keys", self._keys),
                web.get("/authorize", self._authorize),
                web.post("/login", self._login),
                web.post("/token", self._token),
                web.post("/revoke", self._revoke),
                web.post("/confirmed", self._confirmed),
                web.get("/login/signout", self._okta_signout),
            ]
        )
        if self.manners.end_session is not None:
            app.router.add_get(self.manners.end_session, self._by_query, allow_head=False)
            if self.manners.by_form:
                app.router.add_post(self.manners.end_session, self._by_form)
        return app

    async def _metadata(self, _: web.Request) -> web.Response:
        if self.unlisted:
            return web.Response(status=503)
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{self.origin}/token",
            "jwks_uri": f"{self.origin}/keys",
        }
        if self.manners.end_session is not None and self.manners.listed:
            where = f"http://{self.manners.sign_out_host}:{self.port}"
            found["end_session_endpoint"] = where + self.manners.end_session
        if self.manners.revokes:
            found["revocation_endpoint"] = f"{self.origin}/revoke"
        return web.json_response(found)

    async def _keys(self, _: web.Request) -> web.Response:
        if self.keyless:
            return web.Response(status=503)
        return web.json_response({"keys": [key.jwk() for key in (self.key, *self.published)]})

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        if asked.get("client_id") != CLIENT or asked.get("redirect_uri") != self.callback:
            return web.Response(status=400, text="unknown client or redirect_uri")
        prompt = asked.get("prompt")
        self.prompts.append(prompt)
        if prompt in self.manners.refused_prompts:
            return _redirect(self.callback, {"error": "invalid_request", "state": asked["state"]})
        sid = request.cookies.get("sso", "")
        if sid in self.sessions and prompt is None:
            return self._code(sid, asked)
        return _form("/login", {"state": asked["state"], "nonce": asked.get("nonce", "")}, _CREDENTIALS)

    async def _login(self, request: web.Request) -> web.Response:
        given = {name: str(value) for name, value in (await request.post()).items()}
        if given.get("password") != "demo":
            return web.Response(status=401, text="wrong password")
        sid = f"sso-{next(self._numbers)}"
        self.sessions[sid] = given["username"]
        answer = self._code(sid, given)
        answer.headers["Set-Cookie"] = (
            f"sso={sid}; Path=/; HttpOnly; SameSite={self.manners.same_site}; Secure"
        )
        return answer

    def _code(self, sid: str, asked: Mapping[str, str]) -> web.Response:
        code = f"code-{next(self._numbers)}"
        self._codes[code] = Grant(self.sessions[sid], sid, asked.get("nonce") or None)
        return _redirect(self.callback, {"code": code, "state": asked["state"]})

    async def _token(self, request: web.Request) -> web.Response:
        given = await request.post()
        grant = self._codes.pop(str(given.get("code")), None)
        if given.get("grant_type") == "refresh_token":
            grant = self._refreshing.get(str(given.get("refresh_token")))
            self.refreshes += 1
        if grant is None:
            return web.json_response({"error": "invalid_grant"}, status=400)
        access, refresh = f"access-{next(self._numbers)}", f"refresh-{next(self._numbers)}"
        self._refreshing[refresh] = Grant(grant.user, grant.sid, None)
        return web.json_response(
            {
                "access_token": access,
                "id_token": self.id_token(grant.user, grant.sid, nonce=grant.nonce, access_token=access),
                "refresh_token": refresh,
                "token_type": "Bearer",
                "expires_in": 3600,
            }
        )

    def id_token(self, user: str, sid: str, *, nonce: str | None, access_token: str) -> str:
        more = {name: value.replace("SID", sid) for name, value in self.manners.claims.items()}
        padding = {"padding": secrets.token_hex(self.padding // 2)} if self.padding else {}
        forge = Forge(
            issuer=self.issuer,
            client_id=CLIENT,
            now=now(),
            nonce=nonce,
            subject=f"{user}-sub",
            access_token=access_token,
            more={"email": f"{user}@example.com", "email_verified": True, **padding, **more},
            id_key=self.key,
        )
        return forge.honest(token_use=ABSENT, origin_jti=ABSENT)

    async def _revoke(self, request: web.Request) -> web.Response:
        self.revoked.append(str((await request.post()).get("token")))
        return web.Response()

    async def _by_query(self, request: web.Request) -> web.Response:
        return self._sign_out(request, dict(request.query))

    async def _by_form(self, request: web.Request) -> web.Response:
        return self._sign_out(request, {name: str(value) for name, value in (await request.post()).items()})

    def _sign_out(self, request: web.Request, asked: dict[str, str]) -> web.Response:
        self.sign_outs.append((request.method, asked))
        if asked.get("post_logout_redirect_uri") not in self.returns:
            return web.Response(status=400, text="The address to return to is not registered.")
        hint, sid = asked.get(self.manners.hint), request.cookies.get("sso", "")
        if hint is None:
            if self.manners.without_hint == "refuse":
                return web.Response(status=400, text="The hint is missing.")
            if self.manners.without_hint == "confirm":
                return _form("/confirmed", asked, "Do you want to sign out?")
        elif self.manners.hint == "id_token_hint":
            named = self._named_by(hint)
            if named is None:
                return web.Response(status=400, text="The hint is not one of this issuer.")
            if named != f"{self.sessions.get(sid)}-sub":
                return self._back(asked)
        return self._end(sid, asked)

    def _named_by(self, hint: str) -> str | None:
        """The subject of an ID token of ours, expired or not."""
        try:
            key = self.key.private.public_key()
            claims = jwt.decode(
                hint, key, algorithms=["RS256"], audience=CLIENT, options={"verify_exp": False}
            )
        except jwt.PyJWTError:
            return None
        return str(claims["sub"]) if claims["iss"] == self.issuer else None

    async def _confirmed(self, request: web.Request) -> web.Response:
        asked = {name: str(value) for name, value in (await request.post()).items()}
        return self._end(request.cookies.get("sso", ""), asked)

    async def _okta_signout(self, request: web.Request) -> web.Response:
        self.okta_signouts += 1
        self.sessions.pop(request.cookies.get("sso", ""), None)
        return _redirect(request.query["fromURI"], {})

    def _end(self, sid: str, asked: Mapping[str, str]) -> web.Response:
        self.sessions.pop(sid, None)
        return web.Response(text="You have signed out.") if self.strands else self._back(asked)

    def _back(self, asked: Mapping[str, str]) -> web.Response:
        state = {"state": asked["state"]} if self.manners.echoes_state and "state" in asked else {}
        return _redirect(asked["post_logout_redirect_uri"], state)


def _redirect(to: str, parameters: Mapping[str, str]) -> web.Response:
    return web.Response(
        status=302, headers={"Location": f"{to}?{urlencode(parameters)}" if parameters else to}
    )


def _form(action: str, fields: Mapping[str, str], question: str) -> web.Response:
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in fields.items()
    )
    button = '<button type="submit">Yes</button>'
    text = f'<form method="post" action="{action}">{hidden}<p>{question}</p>{button}</form>'
    return web.Response(text=text, content_type="text/html")


@asynccontextmanager
async def running(sso: Sso) -> AsyncIterator[Sso]:
    """``sso`` listening on a loopback port: the one it had before, if any."""
    sso.port = sso.port or free_port()  # nobody else has it while it is down
    runner = web.AppRunner(sso.application(), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", sso.port, reuse_address=True).start()
        yield sso
    finally:
        await runner.cleanup()
