"""The gateway as operators run it: a process of its own, or several, between emulated providers and an application."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from resource import RLIMIT_NOFILE, setrlimit
from types import MappingProxyType
from typing import Any

import aiohttp
from aiohttp import web

from gateway.demo import configuration, idp
from gateway.demo.options import DemoOptions
from tests.fakes.browser import Browser, Loopback, Seen
from tests.fakes.configured import NOTHING, with_inbound
from tests.fakes.patience import PATIENCE
from tests.fakes.pieces import put
from tests.fakes.ports import free_ports, on_free_ports
from tests.fakes.still import stop_between

TOKEN = "operators-token"
ACCEPTS = 15.0
"""Seconds in which a replica that drains still takes who comes. They have to be waited out."""


class Application:
    """The upstream: answers at once, slowly, by events, by WebSocket, and takes uploads.

    :ivar slow: released when the slow answers shall come.
    """

    def __init__(self) -> None:
        self.slow = asyncio.Event()
        self.asked = asyncio.Event()
        self.runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/api/quick", self._quick)
        app.router.add_get("/api/who", self._who)
        app.router.add_get("/api/slow", self._slowly)
        app.router.add_post("/api/upload", self._upload)
        app.router.add_get("/api/events", self._events)
        app.router.add_get("/api/live", self._live)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.port = int(self.runner.addresses[0][1])

    async def close(self) -> None:
        """Let go of whoever waits, and stop."""
        self.slow.set()
        if self.runner is not None:
            await self.runner.cleanup()

    async def _quick(self, _: web.Request) -> web.Response:
        return web.Response(text="quick")

    async def _who(self, request: web.Request) -> web.Response:
        return web.Response(text=request.headers.get("X-Auth-Request-User", ""))

    async def _slowly(self, _: web.Request) -> web.Response:
        self.asked.set()
        await self.slow.wait()
        return web.Response(text="slow but whole")

    async def _upload(self, request: web.Request) -> web.Response:
        self.asked.set()
        size = 0
        async for piece in request.content.iter_any():
            size += len(piece)
        return web.Response(text=f"{size} bytes")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(b"data: tick\n\n")
                await asyncio.sleep(0.05)
        except (ConnectionError, asyncio.CancelledError):
            return response

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        sock = web.WebSocketResponse()
        await sock.prepare(request)
        async for message in sock:
            await sock.send_str(f"echo {message.data}")
        return sock


AMPLE: Mapping[str, str] = MappingProxyType({"STATE_WITHIN": str(PATIENCE)})
"""The state's file has as long as tests wait for anything, as `tests.fakes.ample` has it in the tests' own process."""


@dataclass
class Serving:
    """A gateway that runs. ``app``, ``probes``, ``admin``: its addresses."""

    process: asyncio.subprocess.Process
    config: Path
    app: str
    probes: str
    admin: str
    application: Application
    idp: idp.RunningIdp | None
    client: aiohttp.ClientSession
    log: Path
    browsers: list[Browser] = field(default_factory=list)

    def browser(self) -> Browser:
        browser = Browser.open()
        self.browsers.append(browser)
        return browser

    async def sign_in(self, browser: Browser, path: str = "/api/quick") -> Seen:
        """Navigate to ``path`` and sign in at Okta on the way."""
        page = await browser.sign_in(self.app + path)
        assert page.status == 200, (page.url, page.status, self.told())
        return page

    async def sign_out(self, browser: Browser) -> Seen:
        answer = await browser.navigate(f"{self.app}/logout", method="POST", body="", site="same-origin")
        return await browser.follow(answer, site="same-origin")

    async def status(self, cookie: str, path: str = "/api/quick") -> int:
        """Of a fetch with this Cookie header, on a connection of its own."""
        headers = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin", "Connection": "close"}
        async with self.client.get(self.app + path, headers=headers, allow_redirects=False) as response:
            await response.read()
            return response.status

    async def decided(self, cookie: str, path: str = "/api/quick") -> int:
        """The same once it is decided: who takes long to look into the log says 503 meanwhile."""
        async with asyncio.timeout(PATIENCE):
            while (status := await self.status(cookie, path)) == 503:
                await asyncio.sleep(0.05)
        return status

    async def probe(self, path: str) -> tuple[int, Any]:
        async with self.client.get(self.probes + path) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.text()

    async def operate(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Ask the admin API."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with self.client.request(
            method, self.admin + path, headers=headers, json=body if method == "POST" else None
        ) as answer:
            return answer.status, await answer.json()

    async def until(self, path: str, status: int, within: float = PATIENCE) -> Any:
        """What the probe says once it answers with ``status``."""
        async with asyncio.timeout(within):
            while True:
                try:
                    seen = await self.probe(path)
                except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
                    seen = (0, None)
                if seen[0] == status:
                    return seen[1]
                assert self.process.returncode is None, self.told()
                await asyncio.sleep(0.02)

    def children(self) -> dict[str, int]:
        """The processes by name, such as ``gw worker 1``; without one that ends while they are read."""
        pid = self.process.pid
        named: dict[str, int] = {}
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except FileNotFoundError:
            return named  # it has ended itself
        for child in children:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                named[Path(f"/proc/{child}/comm").read_text().strip()] = int(child)
        return named

    def workers(self) -> dict[str, int]:
        return {name: pid for name, pid in self.children().items() if "worker" in name}

    def told(self) -> str:
        """Everything it has logged."""
        return self.log.read_text()

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The whole lines of one event; what is being written is none yet."""
        whole = self.told().rpartition("\n")[0].splitlines()
        found = [json.loads(line) for line in whole if line.startswith("{")]
        return [line for line in found if line.get("event") == event]

    async def ends(self, within: float = PATIENCE) -> int:
        """Its exit status, once it has ended."""
        return await asyncio.wait_for(self.process.wait(), within)

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await self.ends()


class MachineClock:
    """The wall clock of the processes that get `environment`; the time that goes by stays what it is."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.set_by(0)
        self.environment = {"SET_CLOCK": str(file)}

    def set_by(self, seconds: int) -> None:
        whole = self.file.with_suffix(".new")
        whole.write_text(str(seconds))
        whole.rename(self.file)


class Alone:
    """Makes one worker answer everything new: the others are stopped, holding nothing that it needs, and the queue is shared."""

    def __init__(self, gateway: Serving, worker: int) -> None:
        self.others = [pid for pid in gateway.workers().values() if pid != worker]

    def __enter__(self) -> None:
        stop_between(self.others)

    def __exit__(self, *_: object) -> None:
        for pid in self.others:
            os.kill(pid, signal.SIGCONT)


def written(directory: Path, options: DemoOptions, application: Application, extra: str = "") -> Path:
    """A configuration on free ports, with a token for operators."""
    door, probes, admin = free_ports(3)
    operators = f"127.0.0.1:{admin}"
    path = configuration.write(
        directory,
        replace(options, app=f"http://app.localhost:{door}"),
        listen=f"127.0.0.1:{door}",
        api=f"127.0.0.1:{application.port}",
        probes=f"127.0.0.1:{probes}",
        admin=operators,
    )
    pieces = {
        "level: error": "level: info",
        f"listen: {operators}}}": f"listen: {operators}, token: {TOKEN}}}",
    }
    text = put(path.read_text(), pieces)
    if extra.startswith("inbound:"):
        text = with_inbound(text, "")  # instead of the demo's own ways in
    path.write_text(text + extra)
    return path


async def launched(
    path: Path,
    *arguments: str,
    workers: int,
    accept_for: float,
    open_files: int | None = None,
    env: Mapping[str, str] = NOTHING,
) -> asyncio.subprocess.Process:
    """A process that serves ``path``; what it says goes to ``log`` beside it.

    :param open_files: the most that it may have open, and it may not raise that. :param env: added to the environment.
    """
    command = arguments or ("-m", "tests.fakes.run_gateway", str(path), str(workers), str(accept_for))
    with (path.parent / "log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            stdout=log,
            stderr=log,
            preexec_fn=partial(setrlimit, RLIMIT_NOFILE, (open_files, open_files)) if open_files else None,
            cwd=Path(__file__).parents[2],
            env={key: value for key, value in os.environ.items() if not key.startswith("GATEWAY_")} | {**env},
        )


@asynccontextmanager
async def serving(
    directory: Path,
    *,
    workers: int = 1,
    accept_for: float = 0.3,
    provider: bool = True,
    open_files: int | None = None,
    env: Mapping[str, str] = NOTHING,
    extra: str = "",
    replaced: Mapping[str, str] = NOTHING,
) -> AsyncIterator[Serving]:
    """A gateway that is ready.

    :param provider: False leaves the identity provider down. :param open_files, env: see `launched`; with `AMPLE` in
        ``env`` no disk is too slow for it.
    :param replaced: pieces of the configuration, and what to put there instead.
    """
    async with AsyncExitStack() as opened:
        application = Application()
        await application.start()
        opened.push_async_callback(application.close)
        options = on_free_ports(DemoOptions(federation="oidc"))
        path = written(directory, options, application, extra)
        path.write_text(put(path.read_text(), replaced))
        text = path.read_text()
        app = text.split("public_url: ")[1].split("\n")[0]
        probes, admin = (
            text.split(f"{name}: {{listen: ")[1].split("}")[0].split(",")[0] for name in ("probes", "admin")
        )
        running = None
        if provider:
            running = await idp.start(replace(options, app=app), on_event=lambda _: None)
            opened.push_async_callback(running.close)
        connector = aiohttp.TCPConnector(resolver=Loopback(), use_dns_cache=False, force_close=True, limit=0)
        client = await opened.enter_async_context(
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        )
        gateway = Serving(
            await launched(path, workers=workers, accept_for=accept_for, open_files=open_files, env=env),
            path,
            app,
            f"http://{probes}",
            f"http://{admin}",
            application,
            running,
            client,
            directory / "log",
        )
        opened.push_async_callback(_ended, gateway)
        try:
            await gateway.until("/readyz", 200)
            yield gateway
        finally:
            for browser in gateway.browsers:
                await browser.close()


async def _ended(gateway: Serving) -> None:
    """Whatever runs last is stopped, however the test has left it."""
    process = gateway.process
    if process.returncode is not None:
        return
    for pid in (process.pid, *gateway.children().values()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()
