"""A worker that has seen as much as it can remember takes no more for seeing as much again.

A process of its own, in front of a provider and an application, over sockets: users sign in, each another one, and ask
with headers that never came before, each twice; its resident memory is read when all that is full, and when as much has
come again. ``make memory`` signs in as many users as are remembered, which takes minutes (``MEMORY_SIGN_INS``).
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest

from gateway.core import dice
from gateway.core.session.key_file import format_key
from tests.bounds.listed import resident
from tests.fakes import op
from tests.fakes.patience import PATIENCE
from tests.fakes.ports import free_ports
from tests.fakes.serving import launched

SIGN_INS = int(os.environ.get("MEMORY_SIGN_INS", "40"))
"""In each half. Sessions are remembered 4,096 at a time."""
ASKED = 4_200
"""Different requests in each half, more than any memory of them has entries."""
MARGIN = 6 * 1024 * 1024
"""Bytes that the second half may take: pieces of freed memory that do not fit, and 8 KB for each session that still
finds room.
"""
HOST = "app.localhost:8080"
FETCH = "Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n"
NAVIGATE = (
    "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: none\r\n"
)
_CONFIG = """\
public_url: http://app.localhost:8080
listen: 127.0.0.1:{door}
upstreams: [{{path: /, url: 'http://127.0.0.1:{application}'}}]
provider:
  kind: oidc
  issuer: {issuer}
  client_id: {client}
  client_secret: '{secret}'
  resolve: {{issuer.op.localhost: 127.0.0.1, login.op.localhost: 127.0.0.1}}
session: {{key_files: [key], idle: 12h, absolute: 12h}}
policies: builtin:spa
headers: {{groups: 'cognito:groups'}}
trusted_proxies: [127.0.0.1/32]
forward_auth: {{caller: nginx}}
state: sqlite://{home}/state.db
logout: {{chain: []}}
probes: {{listen: '127.0.0.1:{probes}'}}
admin: {{listen: '127.0.0.1:{admin}'}}
log: {{level: error, access: false}}
"""


@dataclass
class Answer:
    """What came back. ``cookies``: names and values that were set."""

    status: int
    cookies: dict[str, str]
    body: str

    @property
    def onward(self) -> str:
        """Where the page of a sign-in leads."""
        found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', self.body)
        assert found is not None, (self.status, self.body[:500])
        return unescape(found[1])


class Client:
    """One kept connection, on which one request follows another."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, target: str, lines: str, cookies: dict[str, str] | None = None) -> Answer:
        """The answer to a GET."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        sent = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
        cookie = f"Cookie: {sent}\r\n" if sent else ""
        writer.write(f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n{lines}{cookie}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"^content-length: (\d+)", head, re.IGNORECASE | re.MULTILINE)
        body = await reader.readexactly(int(length[1]) if length else 0)
        if "connection: close" in head.lower():
            self.close()
        set_ = re.findall(r"^set-cookie: ([^=;]+)=([^;\r]*)", head, re.IGNORECASE | re.MULTILINE)
        return Answer(int(head.split()[1]), dict(set_), body.decode())

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _application(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each path with headers of its own."""
    try:
        while True:
            path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
            head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/%b\r\nCache-Control: max-age=1, e=%b\r\nX%b: y\r\n"
            named = path.strip(b"/").replace(b"/", b"")[:200]
            writer.write(head % (named, named, named) + b"X-Long: " + b"l" * 1_500 + named + b"\r\n\r\nok")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


@dataclass
class World:
    """A worker and who talks to it."""

    client: Client
    provider: op.Provider
    worker: int

    async def sign_in(self, user: str) -> dict[str, str]:
        """The cookies of its session."""
        start = await self.client.ask("/oauth2/start?rd=/", NAVIGATE)
        query = await op.browse(start.onward, user)
        back = await self.client.ask(f"/oauth2/callback?{query}", NAVIGATE, start.cookies)
        session = {name: value for name, value in back.cookies.items() if "session" in name and value}
        assert session, back
        return session

    async def half(self, name: str) -> int:
        """Everybody signs in, everything is asked; the resident memory then."""
        sessions = [await self.sign_in(f"{name}{at}") for at in range(SIGN_INS)]
        for session in sessions:  # what a cookie says is remembered once it comes back
            assert (await self.client.ask("/", FETCH, session)).status == 200
        for at in range(ASKED):
            session = sessions[at % SIGN_INS]
            await self._twice(f"{name}{at}", at, session)
        return resident(self.worker)

    async def _twice(self, unique: str, at: int, session: dict[str, str]) -> None:
        way, turn = at % 4, at // 4
        long = f"{unique}{'v' * 3_000}" if turn % 2 else unique
        target, cookies = f"/{unique}", session
        if way == 0:
            lines = f"Referer: http://{HOST}/{long}\r\nX{unique}: {unique}\r\n"
        elif way == 1:
            lines, cookies = (
                f"X-Forwarded-For: 2001:db8:{turn:x}::{unique[0]}\r\n",
                {**session, "_seen": long},
            )
        elif way == 2:
            target, lines, cookies = (
                f"/oauth2/{unique}",
                f"Connection: keep-alive, {unique}\r\nAccept: {long}\r\n",
                {},
            )
        else:
            target = "/oauth2/auth"
            lines = f"X-Original-Method: GET\r\nX-Original-URL: http://{HOST}/{unique}\r\nOrigin: {long}\r\n"
        for _ in range(2):
            await self.client.ask(target, FETCH + lines, cookies)


@asynccontextmanager
async def world(home: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(op.running())
        application = await asyncio.start_server(_application, "127.0.0.1", 0)
        stack.callback(application.close)
        door, probes, admin = free_ports(3)
        key = home / "key"
        key.touch(mode=0o600)
        key.write_text(format_key(dice.key()) + "\n")
        path = home / "gateway.yaml"
        path.write_text(
            _CONFIG.format(
                door=door, probes=probes, admin=admin, home=home, issuer=provider.issuer, client=op.CLIENT,
                secret=op.SECRET, application=application.sockets[0].getsockname()[1],
            )
        )  # fmt: skip
        process = await launched(path, workers=1, accept_for=0.0)
        stack.push_async_callback(_ended, process)
        client = Client(door)
        stack.callback(client.close)
        worker = await _ready(process, client, home / "log")
        yield World(client, provider, worker)


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    await process.wait()


async def _ready(process: asyncio.subprocess.Process, client: Client, log: Path) -> int:
    """The worker, once it signs in."""
    async with asyncio.timeout(PATIENCE):
        while True:
            assert process.returncode is None, log.read_text()
            try:
                if (await client.ask("/oauth2/start?rd=/", NAVIGATE)).status == 401:
                    break
            except (OSError, asyncio.IncompleteReadError):
                client.close()
            await asyncio.sleep(0.05)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    named = {Path(f"/proc/{pid}/comm").read_text().strip(): int(pid) for pid in children}
    return next((pid for name, pid in named.items() if "worker" in name), process.pid)


@pytest.mark.timeout(900)
async def test_a_worker_takes_no_more_the_second_time(tmp_path: Path) -> None:
    """Once all is full, as many users and as many requests again, none of which came before."""
    async with world(tmp_path) as here:
        begun = resident(here.worker)
        first = await here.half("a")
        second = await here.half("b")
        assert first > begun
        assert second - first <= MARGIN, f"from {begun} to {first} and then to {second} bytes"
