"""``python -m tests.bench.pure``: what the gateway itself spends on a request, in µs.

The gateway, everything on, between transports that only collect bytes: no system call, no event loop, one request
after another on one connection. What is printed is the fastest of many rounds, which other work on the machine hardly
moves. Every answer is checked once before it is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from gateway.app.server import set_up_output
from gateway.app.wiring import Gateway
from gateway.config import load
from gateway.core import clock, dice
from gateway.core.http import own_cookies
from gateway.core.session.key_file import format_key
from gateway.core.session.session import Principal, Session
from gateway.proxy.connection import UpstreamConnection
from gateway.settings.model import Settings
from gateway.web.door.connection import Connection
from tests.bench.pure_grpc import Caller

ORIGIN, HOST = "http://localhost:8080", "localhost:8080"
CONFIG = """
public_url: {origin}
listen: 127.0.0.1:0
upstreams: [{{path: /, url: 'http://127.0.0.1:9'}}]
provider: {{kind: oidc, issuer: 'http://localhost:9', client_id: pure, client_secret: '{secret}'}}
session: {{key_files: [key], idle: 12h, absolute: 12h}}
headers: {{groups: groups}}
policies: builtin:groups
state: sqlite://{home}/state.db
logout: {{chain: []}}
probes: {{listen: '127.0.0.1:0'}}
admin: {{listen: '127.0.0.1:0'}}
trusted_proxies: [127.0.0.1/32, 127.0.0.2/32]
forward_auth:
  grpc: {{listen: '127.0.0.1:0'}}
  callers: [{{caller: nginx, from: [127.0.0.1/32]}}, {{caller: envoy, from: [127.0.0.2/32]}}]
log: {{level: info, access: {access}}}
"""
ALICE = Principal(
    issuer="http://localhost:9", subject="alice", user="alice", email="alice@example.com", groups=("staff",)
)
FETCH = "Accept: application/json, */*\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nSec-Fetch-Site: same-origin"
PAGE = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: none"
BODY = b"0123456789abcdef" * 64
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.26\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/plain\r\n"
    b"Content-Length: %d\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nConnection: keep-alive\r\n"
    b'ETag: "1"\r\nAccept-Ranges: bytes\r\n\r\n%b' % (len(BODY), BODY)
)


@dataclass(frozen=True)
class Case:
    """One kind of request.

    :ivar path: asked for; ``{}`` is another number each time. :ivar asked: what forward-auth is asked about.
    :ivar status: of the right answer. :ivar beside: what comes behind our cookie. :ivar grpc: asked over gRPC.
    """

    title: str
    status: int
    path: str = "/1k"
    headers: str = FETCH
    signed_in: bool = True
    asked: str = ""
    beside: str = ""
    grpc: bool = False

    def requests(self, cookie: str, count: int) -> list[bytes]:
        lines = [f"GET {self.path} HTTP/1.1", f"Host: {HOST}", self.headers]
        if self.asked:
            lines += [
                "X-Original-Method: GET",
                f"X-Original-URL: {ORIGIN}{self.asked}",
                "X-Forwarded-For: 192.0.2.7",
            ]
        if self.signed_in:
            lines.append(f"Cookie: {cookie}{self.beside}")
        text = "\r\n".join((*lines, "", ""))
        return [text.replace("{}", f"{dice.token(4)}{n}").encode() for n in range(count)]


CASES = {
    "gated": Case("1 KB GET", 200),
    "unique": Case("1 KB GET, a new path with every request", 200, path="/u/{}"),
    "proxied": Case("1 KB GET behind a trusted proxy", 200, headers=f"{FETCH}\r\nX-Forwarded-For: 192.0.2.7"),
    "referer": Case("1 KB GET, another Referer with every request", 200, headers=f"{FETCH}\r\nReferer: {ORIGIN}/u/{{}}"),
    "cookie": Case("1 KB GET, another cookie beside ours with every request", 200, beside="; _seen={}"),
    "401": Case("401 of a fetch that is not signed in", 401, signed_in=False),
    "302": Case("302 of a navigation that is not signed in", 302, headers=PAGE, signed_in=False),
    "403": Case("403 by policy", 403, path="/admin/x"),
    "404": Case("404 of a path that is ours", 404, path="/oauth2/nothing"),
    "session": Case("/oauth2/session", 200, path="/oauth2/session"),
    "auth": Case("forward-auth, pass", 200, path="/oauth2/auth", asked="/1k"),
    "auth-unique": Case("forward-auth, pass, a new path with every question", 200, path="/oauth2/auth", asked="/u/{}"),
    "auth-401": Case("forward-auth, 401", 401, path="/oauth2/auth", signed_in=False, asked="/1k"),
    "grpc": Case("forward-auth over gRPC, pass", 200, grpc=True),
    "grpc-unique": Case("forward-auth over gRPC, pass, a new path with every question", 200, path="/u/{}", grpc=True),
}  # fmt: skip


class Collector(asyncio.Transport):
    """A connected transport whose bytes go nowhere.

    :ivar last: what was written last.
    """

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.last = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.last = bytes(data)

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        """There is nothing to end."""

    close = abort


class Upstream:
    """Stands in for an address: connects at once, to a collector. ``connection``: the one that was made."""

    def __init__(self) -> None:
        self.connection: UpstreamConnection | None = None

    async def connect(self, factory: Callable[[], UpstreamConnection]) -> UpstreamConnection:
        self.connection = factory()
        self.connection.connection_made(Collector())
        return self.connection


class Bench:
    """A gateway, one client of it and one upstream behind it."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.upstream = Upstream()
        upstream: Any = self.upstream
        for pool in gateway.forwarder._pools.values():
            pool.address = upstream
        self.client = Connection(gateway.door.listener())
        self.wire = Collector()
        self.client.connection_made(self.wire)

    def cookie(self) -> str:
        """The Cookie header of a live session."""
        now, log = clock.now(), self.gateway.log
        until = now + 12 * 3_600
        session = Session(
            sid=dice.token(16), log_id=log.log_id, principal=ALICE, aliases=("sub:http://localhost:9|alice",),
            login_at=now, seen=log.index.position, idle_until=until, absolute_until=until,
        )  # fmt: skip
        sealed = self.gateway.sessions.seal(session, own_cookies.NO_COOKIES, now)
        return "; ".join(line.partition(";")[0] for line in sealed)

    async def check(self, case: Case, request: bytes) -> None:
        """The right answer comes; afterwards there is a free connection to the upstream."""
        self.wire.last = b""
        self.client.data_received(request)
        for _ in range(20):
            await asyncio.sleep(0)
            self._answer()
        line, _, _ = self.wire.last.partition(b"\r\n")
        if not line.startswith(b"HTTP/1.1 %d " % case.status):
            sys.exit(f"pure: {case.title}: answered {line.decode('latin-1') or 'nothing'}")

    def _answer(self) -> None:
        connection = self.upstream.connection
        if connection is not None and connection._receiver is not None:
            connection.data_received(RESPONSE)

    async def run(self, requests: list[bytes]) -> float:
        """Seconds for all of them."""
        upstream = self.upstream.connection
        ask = self.client.data_received
        began = time.perf_counter()
        if upstream is not None:
            give = upstream.data_received
            for request in requests:
                ask(request)
                give(RESPONSE)
        else:
            for request in requests:
                ask(request)
                while self.client._asked is not None:
                    await asyncio.sleep(0)
        return time.perf_counter() - began


@contextmanager
def settings_for(*, access: bool) -> Iterator[Path]:
    """A configuration file, with a key beside it."""
    with tempfile.TemporaryDirectory(prefix="gateway-pure-") as home:
        key = Path(home, "key")
        key.touch(mode=0o600)
        key.write_text(format_key(dice.key()) + "\n")
        path = Path(home, "gateway.yaml")
        path.write_text(
            CONFIG.format(origin=ORIGIN, home=home, secret=dice.token(24), access=str(access).lower())
        )
        yield path


async def measure(case: Case, settings: Settings, rounds: int, count: int) -> float:
    """The fastest round, in seconds a request."""
    gateway = Gateway(settings)
    await gateway.open()
    bench, caller = Bench(gateway), Caller(gateway)
    try:
        cookie = bench.cookie()
        times = []
        for _ in range(rounds):
            if case.grpc:
                first, *requests = caller.requests(cookie, HOST, case.path, case.headers, count + 1)
                await caller.check(case.title, first)
                times.append(caller.run(requests))
            else:
                requests = case.requests(cookie, count)
                await bench.check(case, requests[0])
                times.append(await bench.run(requests))
            gateway.metrics.settle()
            gc.collect()
        return min(times) / count
    finally:
        caller.close()
        await gateway.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; default: all")
    parser.add_argument("--rounds", type=int, default=60, help="default: %(default)s")
    parser.add_argument("--requests", type=int, default=1_000, help="in a round; default: %(default)s")
    parser.add_argument("--access", action="store_true", help="with the access log, to /dev/null")
    given = parser.parse_args()
    if unknown := set(given.cases) - CASES.keys():
        parser.error(f"no such case: {', '.join(unknown)}")
    said = sys.stdout
    with settings_for(access=given.access) as path, Path(os.devnull).open("w") as nowhere:
        settings = load(path, {})
        for key in given.cases or CASES:
            with redirect_stdout(nowhere), redirect_stderr(nowhere):
                set_up_output(settings)
                took = uvloop.run(measure(CASES[key], settings, given.rounds, given.requests))
            print(f"{key:12} {took * 1e6:7.1f} µs  {CASES[key].title}", file=said, flush=True)


if __name__ == "__main__":
    main()
