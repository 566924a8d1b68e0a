"""A proxy in front of the whole product: the shipped recipe, only addresses and paths replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.fakes.browser import Browser, Seen
from tests.fakes.front_proxies import Caddy, Envoy, Haproxy, Traefik
from tests.fakes.nginx import Nginx
from tests.fakes.patience import PATIENCE
from tests.fakes.pieces import put
from tests.fakes.ports import free_port
from tests.fakes.upstream import Call, FakeUpstream, reply, websocket_echo
from tests.flows.conftest import Stand, standing
from tests.flows.stores import COOKIE, Store

Proxy = Nginx | Caddy | Envoy | Haproxy | Traefik
Placed = tuple[type[Nginx] | type[Caddy] | type[Envoy] | type[Haproxy] | type[Traefik], dict[str, str]]

RECIPES = Path(__file__).parents[2] / "deploy" / "forward-auth"
RECIPE = RECIPES / "nginx.conf"
ONE_DEADLINE = {"key_files: [session-key]": "key_files: [session-key]\n  idle: 12h"}

ALICE = "alice@example.com"


@dataclass
class Front:
    """The proxy, the gateway that it asks, and the application that it serves."""

    stand: Stand
    proxy: Proxy
    application: FakeUpstream
    caller: str
    made: Callable[[Callable[[str], str]], Proxy]
    """The proxy anew, each file of its recipe changed so."""

    async def exchange(self, changed: Callable[[str], str]) -> None:
        """Put another proxy in its place, with the same gateway and application."""
        await self.proxy.close()
        self.proxy = self.made(changed)
        await self.proxy.start()

    @property
    def kind(self) -> str:
        """`forward_auth.caller` of its recipe."""
        return self.caller.removesuffix("-grpc")

    @property
    def nginx(self) -> Nginx:
        """The proxy, where it is one."""
        assert isinstance(self.proxy, Nginx)
        return self.proxy

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
        """The head of the proxy's answer to the bytes of one request."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.proxy.port)
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
        b"/cookie": (b"text/plain", b"Set-Cookie: own=1; Secure"),
        b"/fixation": (b"text/plain", b"Set-Cookie: __Host-session=evil; Path=/; Secure", b"Set-Cookie: own=1; Secure"),
    }.get(path, (b"text/html", b"Cache-Control: public, max-age=600"))  # fmt: skip
    await call.send(reply(body or b"the application", b"Content-Type: " + kind, *more))
    return None


AMPLE = f"{int(PATIENCE)}s"
"""For whatever a recipe waits for, but the application: the tests' process, in which the gateway is, may stop for seconds."""


def _nginx(directory: Path, at: Places) -> Placed:
    return Nginx, {
        "proxy_connect_timeout 2s": f"proxy_connect_timeout {AMPLE}",
        "proxy_read_timeout 5s": f"proxy_read_timeout {AMPLE}",
        "https://app.example.com": at.app,
        "proxy_set_header Host app.example.com": f"proxy_set_header Host {at.host}",
        "server_name app.example.com": "server_name app.localhost",
        "listen 80": f"listen 127.0.0.1:{at.port}",
        "127.0.0.1:8080": at.gateway,
        "127.0.0.1:3000": at.application,
        "/var/log/nginx/": f"{directory}/",
    }


def _caddy(_: Path, at: Places) -> Placed:
    return Caddy, {
        "\napp.example.com {": f"\nhttp://{at.host} {{",
        "Host app.example.com": f"Host {at.host}",
        "127.0.0.1:8080": at.gateway,
        "127.0.0.1:3000": at.application,
    }


def _envoy(_: Path, at: Places) -> Placed:
    return Envoy, {
        "timeout: 2s": f"timeout: {AMPLE}",
        "timeout: 5s": f"timeout: {AMPLE}",
        "route: {cluster: gateway}": f"route: {{cluster: gateway, timeout: {AMPLE}}}",
        "address: 0.0.0.0, port_value: 10000": f"address: 127.0.0.1, port_value: {at.port}",
        '["app.example.com", "app.example.com:443"]': f'["{at.host}"]',
        "port_value: 8080": f"port_value: {at.gateway.rpartition(':')[2]}",
        "port_value: 3000": f"port_value: {at.application.rpartition(':')[2]}",
    }


def _envoy_grpc(directory: Path, at: Places) -> Placed:
    kind, pieces = _envoy(directory, at)
    return kind, {**pieces, "port_value: 9092": f"port_value: {at.questions}"}


def _haproxy(directory: Path, at: Places) -> Placed:
    script = directory / "haproxy.lua"
    shipped = at.beside((RECIPES / script.name).read_text())
    script.write_text(put(shipped, {"WITHIN = 5000": f"WITHIN = {1000 * int(PATIENCE)}"}))
    return Haproxy, {
        "timeout http-request 20s": f"timeout http-request {AMPLE}",
        "/etc/haproxy/gateway.lua": str(script),
        "setenv GATEWAY 127.0.0.1:8080": f"setenv GATEWAY {at.gateway}",
        "setenv GATEWAY_HOST app.example.com": f"setenv GATEWAY_HOST {at.host}",
        "bind :80": f"bind 127.0.0.1:{at.port}",
        "-m str -i app.example.com": f"-m str -i {at.host}",
        "server gateway 127.0.0.1:8080": f"server gateway {at.gateway}",
        "server application 127.0.0.1:3000": f"server application {at.application}",
    }  # fmt: skip


def _traefik(directory: Path, at: Places) -> Placed:
    routes = directory / "traefik-routes.yaml"
    shipped = at.beside((RECIPES / routes.name).read_text())
    routes.write_text(
        put(
            shipped,
            {
                "`app.example.com`": f"`{at.host.partition(':')[0]}`",
                "http://127.0.0.1:8080": f"http://{at.gateway}",
                "http://127.0.0.1:3000": f"http://{at.application}",
            },
        )
    )
    return Traefik, {
        'address: ":80"': f"address: 127.0.0.1:{at.port}",
        "/etc/traefik/traefik-routes.yaml": str(routes),
    }


@dataclass(frozen=True)
class Places:
    """Where everything is.

    :ivar app: the origin that browsers come to. :ivar port: of the proxy. :ivar gateway: address, like `application`.
    :ivar beside: may change the text of the recipe's second file, HAProxy's script or Traefik's routes.
    :ivar questions: port of the gateway for questions over gRPC.
    """

    app: str
    port: int
    gateway: str
    application: str
    questions: int = 0
    beside: Callable[[str], str] = str

    @property
    def host(self) -> str:
        return self.app.removeprefix("http://")


_PROXIES: dict[str, tuple[str, Callable[[Path, Places], Placed]]] = {
    "nginx": ("nginx.conf", _nginx),
    "caddy": ("Caddyfile", _caddy),
    "envoy": ("envoy.yaml", _envoy),
    "envoy-grpc": ("envoy-grpc.yaml", _envoy_grpc),
    "haproxy": ("haproxy.cfg", _haproxy),
    "traefik": ("traefik.yaml", _traefik),
}
OVER_GRPC = "envoy-grpc"
CALLERS = tuple(name for name in _PROXIES if name != OVER_GRPC)
"""Those that ask over HTTP."""


def placed(caller: str, directory: Path, places: Places, recipe: Callable[[str], str] = str) -> Proxy:
    """The proxy of this caller with its recipe, not yet running; ``recipe`` may change the recipe's text."""
    name, place = _PROXIES[caller]
    kind, substitutions = place(directory, places)
    return kind(directory, recipe((RECIPES / name).read_text()), substitutions, places.port)


@asynccontextmanager
async def fronted(
    tmp_path: Path,
    recipe: Callable[[str], str] = str,
    store: Store = COOKIE,
    *,
    caller: str = "nginx",
    asked: str = "",
    beside: Callable[[str], str] = str,
) -> AsyncIterator[Front]:
    """Everything running; ``recipe`` may change the recipe's text, ``store`` says where sessions are.

    :param asked: more keys of ``forward_auth``, each with a comma in front. :param beside: as in `Places`.
    """
    port = free_port()
    async with AsyncExitStack() as opened:
        served = await FakeUpstream(application).start(port=free_port())
        opened.push_async_callback(served.close)
        grpc = ", grpc: {listen: 127.0.0.1:0}" if caller == OVER_GRPC else ""
        kind = caller.removesuffix("-grpc")
        extra = f"forward_auth: {{caller: {kind}{grpc}{asked}}}\ntrusted_proxies: [127.0.0.1/32]\n"
        renews = grpc or "renews_cookies" in asked
        deadlines = ONE_DEADLINE if store.redis is None and not renews else {}
        stand = await opened.enter_async_context(
            standing(tmp_path, extra=extra, front=port, store=store, replaced=deadlines)
        )
        directory = tmp_path / caller
        directory.mkdir()
        own, at = f"127.0.0.1:{stand.port}", f"127.0.0.1:{served.port}"
        places = Places(stand.app, port, own, at, stand.questions, beside)

        def made(changed: Callable[[str], str], more: Callable[[str], str] | None = None) -> Proxy:
            return placed(caller, directory, replace(places, beside=more or changed), changed)

        front = Front(stand, made(recipe, beside), served, caller, made)

        async def close() -> None:
            await front.proxy.close()

        opened.push_async_callback(close)
        await front.proxy.start()
        yield front


COOKIES = [
    "{own}",
    "{own}; a=1",
    "a=1; {own}",
    "a=1; {own}; b=2",
    "a=1;{own};b=2; __Host-login_0badcafe=x; c=3; __Host-logout=y",
    "__Host-logout=z; a=1; __Host-session_8=x; __Host-session_9=y; {own}; b=2; __Secure-session-hint=h",
    "a=__Host-session; {own}; x__Host-session=kept; __Host-sessions=kept",
    "\t{own} ; __Host-login_=; =v; novalue; a=1",
    "a=1; __Host-session--b2_1=x; {own}; b=2; __Host-login--b2_0badcafe=x; __Host-logout--b2=y; __Host-session-id=kept",
    "__Secure-session-hint--b2=h; a=1; __Host-session--b2=x; __Host-logout-at=kept; {own}",
]
"""Values of Cookie; ``{own}`` stands for what the browser has of ours."""


def foreign(cookies: str) -> list[str]:
    """What of such a value is not the gateway's."""
    marks = ("=", "_", "--")
    ours = tuple(f"__Host-{name}{mark}" for name in ("session", "login", "logout") for mark in marks)
    pairs = [pair.strip() for pair in cookies.split(";")]
    return [pair for pair in pairs if pair and not pair.startswith((*ours, "__Secure-session-hint"))]


def handshake(front: Front, browser: Browser, origin: str) -> str:
    return (
        f"GET /api/live HTTP/1.1\nHost: {front.host}\nCookie: {browser.cookie_header(front.app)}\n"
        f"Origin: {origin}\nUpgrade: websocket\nConnection: Upgrade\n"
        "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n"
    )


async def signed_in(front: Front, browser: Browser, path: str = "/reports/q3?year=2026", **who: str) -> Seen:
    return await front.stand.sign_in(browser, path, **who)
