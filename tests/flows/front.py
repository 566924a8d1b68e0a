"""nginx in front of the whole product: the shipped recipe, only addresses and paths replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.browser import Browser, Seen
from tests.fakes.nginx import Nginx
from tests.fakes.patience import PATIENCE
from tests.fakes.ports import free_port
from tests.fakes.upstream import Call, FakeUpstream, reply, websocket_echo
from tests.flows.conftest import Stand, standing
from tests.flows.stores import COOKIE, Store

RECIPE = Path(__file__).parents[2] / "deploy" / "forward-auth" / "nginx.conf"
CONFIGURATION = "forward_auth: {caller: nginx}\ntrusted_proxies: [127.0.0.1/32]\n"
ONE_DEADLINE = {"key_files: [session-key]": "key_files: [session-key]\n  idle: 12h"}

ALICE = "alice@example.com"


@dataclass
class Front:
    """nginx, the gateway that it asks, and the application that it serves."""

    stand: Stand
    nginx: Nginx
    application: FakeUpstream

    @property
    def app(self) -> str:
        return self.stand.app

    @property
    def host(self) -> str:
        return self.app.removeprefix("http://")

    @property
    def last(self) -> Call:
        return self.application.calls[-1]

    def told(self, name: str) -> list[str]:
        """The values of one header of the last request that reached the application."""
        return [value.decode() for value in self.last.values(name.encode())]

    async def raw(self, request: str) -> bytes:
        """The head of nginx's answer to the bytes of one request."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.nginx.port)
        writer.write(request.replace("\n", "\r\n").encode("latin-1"))
        try:
            return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
        finally:
            writer.close()


async def application(call: Call) -> object:
    """Answers by path: a page, a script, a cookie, a socket."""
    path = call.request_line.split()[1]
    if path == b"/api/live":
        return await websocket_echo(call)
    body = await call.body()
    kind, *more = {
        b"/assets/app.js": (b"text/javascript", b"Cache-Control: public, max-age=600, immutable", b"CDN-Cache-Control: x"),
        b"/fixation": (b"text/plain", b"Set-Cookie: __Host-session=evil; Path=/; Secure", b"Set-Cookie: own=1; Secure"),
    }.get(path, (b"text/html", b"Cache-Control: public, max-age=600"))  # fmt: skip
    await call.send(reply(body or b"the application", b"Content-Type: " + kind, *more))
    return None


@asynccontextmanager
async def fronted(
    tmp_path: Path, recipe: Callable[[str], str] = str, store: Store = COOKIE
) -> AsyncIterator[Front]:
    """Everything running; ``recipe`` may change the recipe's text, ``store`` says where sessions are."""
    port = free_port()
    async with AsyncExitStack() as opened:
        served = await FakeUpstream(application).start()
        opened.push_async_callback(served.close)
        deadlines = ONE_DEADLINE if store.redis is None else {}
        stand = await opened.enter_async_context(
            standing(tmp_path, extra=CONFIGURATION, front=port, store=store, replaced=deadlines)
        )
        directory = tmp_path / "nginx"
        directory.mkdir()
        host = stand.app.removeprefix("http://")
        substitutions = {
            "https://app.example.com": stand.app,
            "proxy_set_header Host app.example.com": f"proxy_set_header Host {host}",
            "server_name app.example.com": "server_name app.localhost",
            "listen 80": f"listen 127.0.0.1:{port}",
            "127.0.0.1:8080": f"127.0.0.1:{stand.port}",
            "127.0.0.1:3000": f"127.0.0.1:{served.port}",
            "/var/log/nginx/": f"{directory}/",
        }
        nginx = Nginx(directory, recipe(RECIPE.read_text()), substitutions, port)
        opened.push_async_callback(nginx.close)
        await nginx.start()
        yield Front(stand, nginx, served)


def handshake(front: Front, browser: Browser, origin: str) -> str:
    return (
        f"GET /api/live HTTP/1.1\nHost: {front.host}\nCookie: {browser.cookie_header(front.app)}\n"
        f"Origin: {origin}\nUpgrade: websocket\nConnection: Upgrade\n"
        "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n"
    )


async def signed_in(front: Front, browser: Browser, path: str = "/reports/q3?year=2026", **who: str) -> Seen:
    return await front.stand.sign_in(browser, path, **who)
