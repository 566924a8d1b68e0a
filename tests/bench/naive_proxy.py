"""The proxy one writes in an afternoon: aiohttp's client session behind an aiohttp application, the session in an
``EncryptedCookieStorage``. ``python -m … PORT FILES LIVE ISSUER CLIENT SECRET``. It signs in for real, but checks
little: it is here to be measured.
"""

from __future__ import annotations

import asyncio
import sys
from urllib.parse import urlencode

import aiohttp_session
import uvloop
from aiohttp import BasicAuth, ClientSession, ClientWebSocketResponse, WSMsgType, web
from aiohttp_session.cookie_storage import EncryptedCookieStorage

from gateway.core import dice

WebSocket = web.WebSocketResponse | ClientWebSocketResponse

HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
}


class Naive:
    """One handler for everything."""

    def __init__(self, port: int, files: str, live: str, issuer: str, client: str, secret: str) -> None:
        self.origin = f"http://localhost:{port}"
        self.files, self.live = f"http://127.0.0.1:{files}", f"http://127.0.0.1:{live}"
        self.issuer, self.auth = issuer, BasicAuth(client, secret)

    async def open(self, _app: web.Application) -> None:
        self.client = ClientSession(auto_decompress=False)

    async def close(self, _app: web.Application) -> None:
        await self.client.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        session = await aiohttp_session.get_session(request)
        if request.path == "/callback":
            return await self.callback(request, session)
        if "user" not in session:
            return self.refuse(request, session)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self.tunnel(request)
        return await self.forward(request, session)

    def refuse(self, request: web.Request, session: aiohttp_session.Session) -> web.Response:
        if request.headers.get("Sec-Fetch-Mode") != "navigate":
            return web.json_response({"error": "login_required"}, status=401)
        session["state"], session["target"] = dice.token(), request.path_qs
        query = {
            "client_id": self.auth.login, "response_type": "code", "scope": "openid email profile",
            "redirect_uri": f"{self.origin}/callback", "state": session["state"],
        }  # fmt: skip
        location = f"{self.issuer}/auth?{urlencode(query)}"
        return web.Response(status=302, headers={"Location": location})

    async def callback(self, request: web.Request, session: aiohttp_session.Session) -> web.Response:
        if request.query.get("state") != session.get("state"):
            raise web.HTTPBadRequest
        form = {
            "grant_type": "authorization_code", "code": request.query["code"],
            "redirect_uri": f"{self.origin}/callback",
        }  # fmt: skip
        async with self.client.post(f"{self.issuer}/token", data=form, auth=self.auth) as answer:
            tokens = await answer.json()
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        async with self.client.get(f"{self.issuer}/me", headers=bearer) as answer:
            claims = await answer.json()
        target = session["target"]
        session.clear()
        session.update(user=claims["sub"], email=claims["email"], groups=claims["groups"])
        return web.Response(status=302, headers={"Location": target})

    async def forward(self, request: web.Request, session: aiohttp_session.Session) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        headers |= {
            "X-Auth-Request-User": session["user"],
            "X-Auth-Request-Email": session["email"],
            "X-Auth-Request-Groups": ",".join(session["groups"]),
        }
        headers.pop("Cookie", None)
        base = self.live if request.path.startswith("/live/") else self.files
        data = await request.read() if request.can_read_body else None
        async with self.client.request(
            request.method, base + request.path_qs, headers=headers, data=data, allow_redirects=False
        ) as answer:
            body = await answer.read()
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        return web.Response(status=answer.status, body=body, headers=kept)

    async def tunnel(self, request: web.Request) -> web.WebSocketResponse:
        server = web.WebSocketResponse(compress=False)
        await server.prepare(request)
        async with self.client.ws_connect(self.live + request.path_qs) as client:

            async def pump(source: WebSocket, target: WebSocket) -> None:
                async for message in source:
                    if message.type is WSMsgType.TEXT:
                        await target.send_str(message.data)
                    elif message.type is WSMsgType.BINARY:
                        await target.send_bytes(message.data)
                await target.close()

            await asyncio.gather(pump(server, client), pump(client, server))
        return server


def main() -> None:
    port, *rest = sys.argv[1:]
    naive = Naive(int(port), *rest)
    app = web.Application(client_max_size=8 << 20)
    aiohttp_session.setup(app, EncryptedCookieStorage(dice.key(), samesite="Lax"))
    app.on_startup.append(naive.open)
    app.on_cleanup.append(naive.close)
    app.router.add_route("*", "/{path:.*}", naive.handle)
    web.run_app(
        app, host="127.0.0.1", port=int(port), access_log=None, loop=uvloop.new_event_loop(), print=None
    )


if __name__ == "__main__":
    main()
