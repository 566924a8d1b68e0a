"""A real OpenID provider over sockets that can be told to lie, to fail and to rotate its keys.

It signs users in without asking (``as=<user>`` on the authorization URL says who), checks what a strict provider
checks (client, redirect_uri, PKCE, single use of codes) and does to order what a hostile or sick one does.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import itertools
import re
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus, urlencode, urlsplit

from aiohttp import web

from gateway.core import clock
from tests.fakes.forge import LIES, Forge, SigningKey, rsa_key
from tests.fakes.patience import PATIENCE
from tests.fakes.ports import free_port

CLIENT = "test-client"
SECRET = "test secret/ü"
REDIRECT = "http://app.localhost:8080/oauth2/callback"
HUGE = 2 << 20  # bytes; twice what the gateway reads

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Grant:
    """A code that waits to be redeemed."""

    user: str
    nonce: str | None
    challenge: str
    redirect_uri: str


async def _huge(_: web.Request) -> web.StreamResponse:
    return web.Response(body=b'{"x":"' + b"x" * HUGE + b'"}', content_type="application/json")


async def _slow(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(2 * PATIENCE)
    return web.json_response({})


async def _trickle(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "application/json"})
    await response.prepare(request)
    while True:  # until whoever waits for the end of it has gone
        await response.write(b" ")
        await asyncio.sleep(0.1)


async def _reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _redirect(_: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"location": "/elsewhere"})


async def _gzip(_: web.Request) -> web.StreamResponse:
    return web.Response(body=gzip.compress(b"{}"), headers={"content-encoding": "gzip"})


def _says(status: int, body: Any) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        if isinstance(body, str):
            return web.Response(status=status, text=body, content_type="text/html")
        return web.json_response(body, status=status)

    return handler


TROUBLES: dict[str, Handler] = {
    "429": _says(429, {"error": "invalid_grant", "error_description": "slow down"}),
    "500": _says(500, {"error": "invalid_grant"}),
    "503 html": _says(503, "<html>maintenance</html>"),
    "html": _says(200, "<html>captive portal</html>"),
    "empty object": _says(200, {}),
    "list": _says(200, []),
    "huge": _huge,
    "slow": _slow,
    "trickle": _trickle,
    "reset": _reset,
    "redirect": _redirect,
    "gzip": _gzip,
    "invalid_grant": _says(
        400, {"error": "invalid_grant", "error_description": "Refresh Token has been revoked"}
    ),
    "invalid_client": _says(401, {"error": "invalid_client"}),
}


class Provider:
    """The provider's state, its switches and what it has seen.

    :ivar lie: name of a lie of `LIES` to tell in the next ID tokens. :ivar moment: at which they are made, if not now.
    :ivar trouble: endpoint (``metadata``, ``jwks``, ``token``, ``revoke``) to name of a trouble of `TROUBLES`.
    :ivar metadata_changes: members put over the honest metadata.
    :ivar jwks_changes: key set served instead of the honest one.
    :ivar rotate_refresh: a refresh answers with a new refresh token and kills the old one.
    :ivar secrets: of the client. :ivar proofs: the ways to send one that are taken.
    :ivar calls: how often each endpoint was called.
    """

    def __init__(self) -> None:
        self.port = 0
        self.lie: str | None = None
        self.moment: int | None = None
        self.trouble: dict[str, str] = {}
        self.metadata_changes: dict[str, Any] = {}
        self.jwks_changes: dict[str, Any] | None = None
        self.rotate_refresh = False
        self.id_key: SigningKey = rsa_key("id")
        self.access_key: SigningKey = rsa_key("access")
        self.secrets = {SECRET}
        self.proofs = {"client_secret_basic", "client_secret_post"}
        self.calls: Counter[str] = Counter()
        self.cookies_seen: list[str] = []
        self.grants: dict[str, Grant] = {}
        self.refresh_tokens: dict[str, str] = {}
        self._numbers = itertools.count(1)

    @property
    def origin(self) -> str:
        """Where the browser endpoints are: another name than the issuer's, as at AWS."""
        return f"http://login.op.localhost:{self.port}"

    @property
    def issuer(self) -> str:
        """The issuer: found only by who resolves ``*.localhost`` to this machine."""
        return f"http://issuer.op.localhost:{self.port}/pool"

    def rotate(self, kid: str) -> None:
        """Sign ID tokens with a new key from now on, and publish it instead of the old one."""
        self.id_key = rsa_key(kid)

    def routes(self) -> list[web.RouteDef]:
        """All endpoints."""
        return [
            web.get("/pool/.well-known/openid-configuration", self._guarded("metadata", self._metadata)),
            web.get("/pool/.well-known/jwks.json", self._guarded("jwks", self._jwks)),
            web.get("/oauth2/authorize", self._guarded("authorize", self._authorize)),
            web.post("/oauth2/token", self._guarded("token", self._token)),
            web.post("/oauth2/revoke", self._guarded("revoke", self._revoke)),
        ]

    def _guarded(self, endpoint: str, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            self.calls[endpoint] += 1
            self.cookies_seen += request.headers.getall("cookie", [])
            if endpoint in self.trouble:
                return await TROUBLES[self.trouble[endpoint]](request)
            response = await handler(request)
            response.headers["set-cookie"] = "op=tracker; Path=/"
            return response

        return guarded

    async def _metadata(self, _: web.Request) -> web.StreamResponse:
        honest = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.origin}/oauth2/authorize",
            "token_endpoint": f"{self.origin}/oauth2/token",
            "revocation_endpoint": f"{self.origin}/oauth2/revoke",
            "end_session_endpoint": f"{self.origin}/logout",
            "jwks_uri": f"{self.issuer}/.well-known/jwks.json",
        }
        return web.json_response({**honest, **self.metadata_changes})

    async def _jwks(self, _: web.Request) -> web.StreamResponse:
        honest = {"keys": [self.id_key.jwk(), self.access_key.jwk()]}
        return web.json_response(honest if self.jwks_changes is None else self.jwks_changes)

    async def _authorize(self, request: web.Request) -> web.StreamResponse:
        asked = request.query
        if asked.get("client_id") != CLIENT or asked.get("redirect_uri") != REDIRECT:
            return web.Response(status=400, text="unknown client or redirect_uri")
        back = {"state": asked["state"]}
        if asked.get("response_type") != "code" or asked.get("code_challenge_method") != "S256":
            back["error"] = "invalid_request"
        else:
            code = back["code"] = f"code-{next(self._numbers)}"
            self.grants[code] = Grant(
                asked.get("as", "alice"), asked.get("nonce"), asked["code_challenge"], asked["redirect_uri"]
            )
        return web.Response(status=302, headers={"location": f"{REDIRECT}?{urlencode(back)}"})

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if not self._knows_client(request, {name: str(value) for name, value in form.items()}):
            return web.json_response({"error": "invalid_client"}, status=401)
        if form.get("grant_type") == "refresh_token":
            return self._refreshed(str(form.get("refresh_token")))
        grant = self.grants.pop(str(form.get("code")), None)
        verifier = str(form.get("code_verifier", ""))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if grant is None or form.get("redirect_uri") != grant.redirect_uri or challenge != grant.challenge:
            return web.json_response({"error": "invalid_grant"}, status=400)
        refresh_token = f"refresh-{next(self._numbers)}"
        self.refresh_tokens[refresh_token] = grant.user
        return web.json_response({**self._tokens(grant.user, grant.nonce), "refresh_token": refresh_token})

    def _knows_client(self, request: web.Request, form: dict[str, str]) -> bool:
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            client, _, secret = base64.b64decode(encoded).decode().partition(":")
            how, client, secret = "client_secret_basic", unquote_plus(client), unquote_plus(secret)
        else:
            how, client, secret = (
                "client_secret_post",
                form.get("client_id", ""),
                form.get("client_secret", ""),
            )
        return client == CLIENT and secret in self.secrets and how in self.proofs

    def _refreshed(self, refresh_token: str) -> web.StreamResponse:
        user = self.refresh_tokens.get(refresh_token)
        if user is None:
            return web.json_response({"error": "invalid_grant"}, status=400)
        tokens = self._tokens(user, None)
        if self.rotate_refresh:
            del self.refresh_tokens[refresh_token]
            tokens["refresh_token"] = f"refresh-{next(self._numbers)}"
            self.refresh_tokens[tokens["refresh_token"]] = user
        return web.json_response(tokens)

    def _tokens(self, user: str, nonce: str | None) -> dict[str, Any]:
        access_token = f"access-{user}-{next(self._numbers)}"
        forge = Forge(
            issuer=self.issuer,
            client_id=CLIENT,
            now=clock.now() if self.moment is None else self.moment,
            nonce=nonce,
            subject=f"{user}-sub",
            access_token=access_token,
            more={"email": f"{user}@example.com", "email_verified": "true", "cognito:groups": [f"of-{user}"]},
            id_key=self.id_key,
            access_key=self.access_key,
        )
        id_token = forge.honest() if self.lie is None else LIES[self.lie].tell(forge)
        return {
            "access_token": access_token,
            "id_token": id_token,
            "token_type": "Bearer",
            "expires_in": 3600,
        }

    async def _revoke(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if not self._knows_client(request, {name: str(value) for name, value in form.items()}):
            return web.json_response({"error": "invalid_client"}, status=401)
        if str(form.get("token", "")).startswith("access-"):
            return web.json_response({"error": "unsupported_token_type"}, status=400)
        self.refresh_tokens.pop(str(form.get("token")), None)
        return web.Response()


async def browse(url: str, user: str) -> str:
    """Sign in as ``user`` at an authorization URL, as a browser would; the query that comes back to the callback."""
    split = urlsplit(f"{url}&as={user}")
    reader, writer = await asyncio.open_connection("127.0.0.1", split.port)
    try:
        head = f"GET {split.path}?{split.query} HTTP/1.1\r\nHost: {split.netloc}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode("ascii"))
        answer = (await reader.read()).decode("latin-1")
    finally:
        writer.close()
    found = re.search(r"^location: (\S+)", answer, re.IGNORECASE | re.MULTILINE)
    assert found is not None, answer
    return urlsplit(found[1]).query


@asynccontextmanager
async def running(
    provider: Provider | None = None, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Provider]:
    """``provider`` listening on a loopback port: the one it had before, if any."""
    provider = provider or Provider()
    provider.port = provider.port or free_port()  # nobody else has it while it is down
    app = web.Application()
    app.add_routes(provider.routes())
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", provider.port, reuse_address=True, ssl_context=tls)
        await site.start()
        yield provider
    finally:
        await runner.cleanup()
