"""Several gateways as operators run them: a process and a directory each, one session key, one revocation log."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from gateway.demo import configuration, idp
from gateway.demo.options import DemoOptions
from tests.cluster.balancer import Balancer
from tests.cluster.live import Live, fetch
from tests.fakes.browser import Browser, Loopback, Seen
from tests.fakes.patience import PATIENCE
from tests.fakes.pieces import put
from tests.fakes.ports import free_ports, on_free_ports
from tests.fakes.serving import TOKEN, Application, launched
from tests.fakes.still import stop

A_LOOK = 0.5
"""Seconds: one that has ended is noticed, one that runs is not waited for."""
STATE = "state: sqlite://"
QUICK = "/api/quick"
TABS = "/tabs/"
"""Whatever is below is a page that has the tab script and a button to sign out."""
PAGE = """<!doctype html><title>An open tab</title><script src="/oauth2/tab.js" async></script>
<h1>An open tab</h1><form method="post" action="/logout"><button>Sign out</button></form>"""
START = ("-m", "gateway", "serve", "-c")


class Steered(Loopback):
    """The application's name leads to one of its replicas, as a balancer would have it."""

    def __init__(self, app: str, port: int) -> None:
        self.app = app
        self.port = port

    async def resolve(self, host, port=0, family=0):
        here = self.port if f"{host}:{port}" == self.app else port
        return await super().resolve(host, here, family)


@dataclass
class Replica:
    """One gateway.

    :ivar host: the Host header that every replica is asked with. :ivar port: where this one listens.
    """

    directory: Path
    host: str
    port: int
    probes: int
    admin: int
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, with whatever state its directory has, and wait until it is ready."""
        path = self.directory / "gateway.yaml"
        self.process = await launched(path, *START, str(path), workers=1, accept_for=0)
        await self.until_ready()

    async def until_ready(self, within: float = PATIENCE) -> None:
        async with asyncio.timeout(within):
            while True:
                assert self.process is not None and self.process.returncode is None, self.told()
                with contextlib.suppress(OSError, EOFError):
                    if (await fetch(self.probes, "/readyz", f"127.0.0.1:{self.probes}"))[0] == 200:
                        return
                await asyncio.sleep(0.02)

    async def status(self, cookie: str, path: str = QUICK) -> int:
        """Of a fetch with this Cookie header, on a connection of its own."""
        return (await fetch(self.port, path, self.host, cookie))[0]

    async def decided(self, cookie: str) -> int:
        """The same once it is decided: who takes long to look into the log says 503 meanwhile, and an answer that is under
        way when its session ends is cut off.
        """
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(ConnectionResetError):
                    if (said := await self.status(cookie)) != 503:
                        return said
                await asyncio.sleep(0.01)

    async def refuses(self, cookie: str, within: float = PATIENCE) -> None:
        """Wait until it does; it must do so from then on."""
        async with asyncio.timeout(within):
            while (said := await self.decided(cookie)) == 200:
                await asyncio.sleep(0.01)
        assert said == 401
        assert await self.decided(cookie) == 401

    async def serves(self, cookie: str, within: float = PATIENCE) -> None:
        """Wait until it does: it may have to hear of the log first that the session was made under."""
        async with asyncio.timeout(within):
            while await self.status(cookie) != 200:
                await asyncio.sleep(0.01)

    async def live(self, cookie: str, kind: str = "websocket") -> Live:
        """An open connection of the session, once it is decided; see :class:`Live`."""
        async with asyncio.timeout(PATIENCE):
            while (live := await Live.open(self.port, self.host, cookie, kind)).status == 503:
                live.close()
                await asyncio.sleep(0.05)
        return live

    async def in_step(self, within: float = PATIENCE) -> None:
        """Wait until its log is well: read, and nothing waits to be sent."""
        said = b""
        async with asyncio.timeout(within):
            while b'"state": "ok' not in said:
                await asyncio.sleep(0.02)
                _, said = await fetch(self.probes, "/readyz", f"127.0.0.1:{self.probes}")

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def pause(self) -> None:
        """It keeps its connections, and neither reads nor answers."""
        assert self.process is not None
        stop(self.process.pid)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    async def kill(self) -> None:
        """``kill -9``."""
        self.signal(signal.SIGKILL)
        assert self.process is not None
        await self.process.wait()

    async def stop(self) -> None:
        """End it, however the test has left it; a proper end, which waits for its clients, is tested elsewhere."""
        if self.process is not None and self.process.returncode is None:
            await self.kill()

    async def how_it_is(self) -> str:
        """Whether it runs or with what status it ended, and the end of what it has logged."""
        assert self.process is not None
        waiting = asyncio.create_task(self.process.wait())
        await asyncio.wait({waiting}, timeout=A_LOOK)
        waiting.cancel()
        return f"exit status {self.process.returncode}\n{self.told()[-2000:]}"

    def told(self) -> str:
        """Everything it has logged."""
        return (self.directory / "log").read_text()


@dataclass
class Cluster:
    """Replicas behind one name.

    :ivar app: the public URL, where real browsers come to the balancer; the others are led to a replica by name.
    """

    app: str
    replicas: list[Replica]
    balancer: Balancer
    application: Application
    idp: idp.RunningIdp
    browsers: list[Browser] = field(default_factory=list)

    def browser(self, at: int = 0) -> Browser:
        """A browser that has never been here, and that the balancer leads to one replica."""
        resolver = Steered(urlsplit(self.app).netloc, self.replicas[at].port)
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, force_close=True)
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        self.browsers.append(Browser(session))
        return self.browsers[-1]

    async def signed_in(self, at: int = 0, user: str = "alice@example.com") -> Browser:
        """Somebody who has signed in over this replica."""
        browser = self.browser(at)
        page = await browser.sign_in(self.app + QUICK, user=user, proofs=2)  # twice after a revocation (R1)
        assert (page.status, page.path) == (200, QUICK), (page.url, page.status, page.text[:500])
        return browser

    def cookie(self, browser: Browser) -> str:
        """A copy of what the browser sends."""
        return browser.cookie_header(self.app)

    async def sign_out(self, browser: Browser) -> Seen:
        """The answer of the gateway; the chain is not walked."""
        return await browser.navigate(f"{self.app}/logout", method="POST", body="", site="same-origin")

    async def opened(self, cookie: str) -> list[Live]:
        """A WebSocket and an event stream of the session at every replica."""
        each = [replica.live(cookie, kind) for replica in self.replicas for kind in ("websocket", "events")]
        lives = await asyncio.gather(*each)
        assert [live.status for live in lives] == [101, 200] * len(self.replicas)
        return list(lives)

    async def receipt(self, browser: Browser) -> str:
        return (await browser.fetch(f"{self.app}/logged-out", Accept="application/json")).text

    async def stored(self, browser: Browser) -> None:
        """Wait until the receipt says that the log has its sign-out: who signs out waits for a quarter of a second."""
        async with asyncio.timeout(PATIENCE):
            while '"durable": true' not in await self.receipt(browser):
                await self.sign_out(browser)

    async def operate(self, at: int, **asked: object) -> dict[str, Any]:
        """Revoke, over the admin API of one replica."""
        address = f"http://127.0.0.1:{self.replicas[at].admin}/api/revocations"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with (
            aiohttp.ClientSession() as client,
            client.post(address, json=asked, headers=headers) as answer,
        ):
            told: dict[str, Any] = await answer.json()
            assert answer.status == 200, told
            return told

    async def refused_everywhere(self, cookie: str, within: float = PATIENCE) -> None:
        await asyncio.gather(*(replica.refuses(cookie, within) for replica in self.replicas))

    async def in_step(self) -> None:
        await asyncio.gather(*(replica.in_step() for replica in self.replicas))

    async def statuses(self, cookie: str) -> list[int]:
        """What each replica says to the cookie."""
        return list(await asyncio.gather(*(replica.decided(cookie) for replica in self.replicas)))


def written(
    directory: Path,
    options: DemoOptions,
    ports: Sequence[int],
    upstream: int,
    state: str,
    key: Path,
    store: str,
) -> None:
    """The configuration of one replica: ``ports`` of the door, the probes and the operators' API."""
    door, probes, admin = (f"127.0.0.1:{port}" for port in ports)
    directory.mkdir()
    (directory / "spool").mkdir()
    path = configuration.write(
        directory, options, listen=door, api=f"127.0.0.1:{upstream}", probes=probes, admin=admin
    )
    pieces = {
        f"{STATE}{directory / 'state.db'}": f"state: {state}\nredis: {{spool: {directory / 'spool'}}}",
        f"listen: {admin}}}": f"listen: {admin}, token: {TOKEN}}}",
        "upstreams:\n": f'upstreams:\n  - {{path: {TABS}, url: "file://{key.parent / "pages"}"}}\n',
        "key_files: [session-key]": f"key_files: [{key}]\n  store: {store}",
    }
    path.write_text(put(path.read_text(), pieces))


@asynccontextmanager
async def clustered(
    directory: Path, *, state: str, number: int = 3, upstream: int | None = None, store: str = "cookie"
) -> AsyncIterator[Cluster]:
    """Replicas that are ready.

    :param state: URL of the log. :param upstream: port of the application; None starts one.
    :param store: where sessions are kept.
    """
    async with AsyncExitStack() as opened:
        application = Application()
        await application.start()
        opened.push_async_callback(application.close)
        *ports, front = free_ports(3 * number + 1)
        app = f"http://app.localhost:{front}"
        options = on_free_ports(DemoOptions(app=app, federation="oidc"))
        running = await idp.start(options, on_event=lambda _: None)
        opened.push_async_callback(running.close)
        replicas = []
        for index in range(number):
            place, mine = directory / f"replica-{index}", ports[index::number]
            port, probes, admin = mine
            key = directory / "replica-0" / "session-key"
            written(place, options, mine, upstream or application.port, state, key, store)
            replicas.append(Replica(place, urlsplit(app).netloc, port, probes, admin))
        pages = replicas[0].directory / "pages" / TABS.strip("/")
        pages.mkdir(parents=True)
        (pages / "index.html").write_text(PAGE)
        for replica in replicas:
            opened.push_async_callback(replica.stop)
        balancer = Balancer([replica.port for replica in replicas])
        await balancer.start(front)
        opened.push_async_callback(balancer.close)
        await asyncio.gather(*(replica.start() for replica in replicas))
        cluster = Cluster(app, replicas, balancer, application, running)
        try:
            yield cluster
        finally:
            for browser in cluster.browsers:
                await browser.close()
