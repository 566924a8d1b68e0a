"""``make bench-logout``: how long a session outlives its sign-out, among thousands of live connections.

Sessions with four WebSockets and an event stream each, spread over the replicas, are signed out one after another. The
clock starts when the sign-out is asked for. It stops when the last of the session's connections is told (4401, or the
last event): at the replica that was asked, and at the others; and when every replica has refused a copy of the cookie.

Then somebody signs out in one of several tabs of a real Chromium, and the clock stops when the last of the others is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import uvloop

from tests import programs
from tests.bench.latency import PART, Busy, Sample, Scene, document
from tests.bench.sessions import Mint
from tests.browser.authority import Authority
from tests.browser.chromium import Chromium
from tests.browser.driver import Mode
from tests.cluster.live import Live, asking
from tests.cluster.rig import QUICK, Cluster, Replica, clustered
from tests.cluster.windows import SIGN_OUT, gone, signed_in
from tests.fakes.ports import free_port
from tests.fakes.redis import RedisServer
from tests.marked import with_part

KINDS = ("websocket", "websocket", "websocket", "websocket", "events")
"""What a session has open. An event stream has no second connection behind the gateway."""
WIDE = 300
"""Connections of the one session that has many."""
AT_ONCE = 24
"""Connections that are opened at the same time."""
GAP = 0.002
"""Seconds between two questions whether the copied cookie still works."""
LIMIT = 80.0
"""Seconds for the sign-outs of a scene, of which there are two."""
WINDOWS = 40.0
"""Seconds for those in real tabs."""
PAGE = Path("docs/benchmarks.md")


@dataclass
class Guest:
    """Who is signed in: the Cookie header, the replica that will be asked to sign out, and the live connections there
    and elsewhere.
    """

    cookie: str
    home: int
    own: list[Live] = field(default_factory=list)
    others: list[Live] = field(default_factory=list)


class Asker:
    """A connection that is kept, to ask one replica on."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, cookie: str) -> int:
        """The status of the answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._replica.port)
        reader, writer = self._streams
        writer.write(asking(self._replica.host, path, cookie, "Content-Length: 0", method=method))
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
        except (OSError, EOFError):
            sys.exit(f"bench: no answer; {await self._replica.how_it_is()}")
        await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0] or 0))
        if b"connection: close" in head:
            writer.close()
            self._streams = None
        return int(head[9:12])


class Crowd:
    """All who are signed in."""

    def __init__(self, cluster: Cluster, cookies: Iterator[str]) -> None:
        self._replicas = cluster.replicas
        self._cookies = cookies
        self._askers = [(Asker(replica), Asker(replica)) for replica in cluster.replicas]

    async def enter(self, number: int, kinds: tuple[str, ...] = KINDS) -> list[Guest]:
        """So many guests, once all of their connections are open."""
        replicas = len(self._replicas)
        guests = [Guest(cookie, at % replicas) for at, cookie in enumerate(islice(self._cookies, number))]
        wanted = iter([(guest, at, kind) for guest in guests for at, kind in enumerate(kinds)])

        async def connect() -> None:
            for guest, at, kind in wanted:
                replica = self._replicas[(guest.home + at) % replicas]
                live = await replica.live(guest.cookie, kind)
                if live.status not in {101, 200}:
                    sys.exit(f"bench: {kind} answered with {live.status}\n{replica.told()[-2000:]}")
                (guest.others if at % replicas else guest.own).append(live)

        await asyncio.gather(*(connect() for _ in range(AT_ONCE)))
        return guests

    async def sign_out(self, guest: Guest) -> Sample:
        """Do it, and wait until nothing of the session is left anywhere."""
        began = time.perf_counter()
        answering = asyncio.create_task(self._leave(guest))
        refusing = [asyncio.create_task(self._refused(at, guest.cookie)) for at in range(len(self._askers))]
        own, others = [max([began, *await _ends(lives)]) for lives in (guest.own, guest.others)]
        refused = max(await asyncio.gather(*refusing))
        answered = await answering
        if not all(live.told for live in guest.own + guest.others):
            sys.exit("bench: a connection was cut off instead of being told")
        for live in guest.own + guest.others:
            live.close()
        return Sample(answered - began, own - began, others - began, refused - began)

    async def _leave(self, guest: Guest) -> float:
        status = await self._askers[guest.home][0].ask("POST", "/logout", guest.cookie)
        if status != 303:
            sys.exit(f"bench: the sign-out was answered with {status}")
        return time.perf_counter()

    async def _refused(self, at: int, cookie: str) -> float:
        while (status := await self._askers[at][1].ask("GET", QUICK, cookie)) == 200:
            await asyncio.sleep(GAP)
        if status != 401:
            sys.exit(f"bench: the copied cookie was answered with {status}")
        return time.perf_counter()


async def ended(process: asyncio.subprocess.Process) -> None:
    """End it, unless somebody else has."""
    if process.returncode is None:
        process.kill()
        await process.wait()


async def _ends(lives: list[Live]) -> list[float]:
    return list(await asyncio.wait_for(asyncio.gather(*(live.ended for live in lives)), 20))


async def in_tabs(given: argparse.Namespace, cluster: Cluster, directory: Path) -> list[float]:
    """Seconds from the press of the button to the departure of the last other tab, of one window after another."""
    taken: list[float] = []
    if not given.windows:
        return taken
    chromium = await Chromium.start(Authority.make(directory))
    until = time.monotonic() + WINDOWS
    try:
        while len(taken) < given.windows and time.monotonic() < until:
            window = await chromium.profile(Mode.PRIVATE)
            first, *others = await signed_in(cluster, window, 1 + given.tabs)
            leaving = [asyncio.create_task(gone(cluster, tab)) for tab in others]
            began = time.perf_counter()
            await first.click(SIGN_OUT)
            taken.append(max(await asyncio.gather(*leaving)) - began)
            await window.close()
    finally:
        await chromium.close()
    return taken


async def measured(given: argparse.Namespace, replicas: int, directory: Path) -> Scene:
    """One scene: one process with its log in a file, or several on one Redis."""
    until = time.monotonic() + LIMIT
    async with AsyncExitStack() as stack:
        state, pids = f"sqlite://{directory / 'state.db'}", [os.getpid()]
        if replicas > 1:
            redis = stack.enter_context(RedisServer(directory / "redis", "appendonly yes"))
            state = f"redis://127.0.0.1:{redis.port}/0"
            assert redis.process is not None
            pids.append(redis.process.pid)
        port = free_port()
        upstream = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.upstream", str(port)
        )
        stack.push_async_callback(ended, upstream)
        cluster = await stack.enter_async_context(
            clustered(directory, state=state, number=replicas, upstream=port)
        )
        pids += [upstream.pid, *(each.process.pid for each in cluster.replicas if each.process is not None)]
        signed_in = cluster.cookie(await cluster.signed_in())
        mint = Mint.of(cluster.replicas[0].directory / "gateway.yaml", signed_in)
        crowd = Crowd(cluster, mint.cookies())
        leaving = await crowd.enter(given.logouts)
        staying = await crowd.enter(-(-given.connections // len(KINDS)))
        busy, samples = Busy.begin(pids), []
        for guest in leaving:
            samples.append(await crowd.sign_out(guest))
            if time.monotonic() > until:
                break
        share = busy.others()
        (many,) = await crowd.enter(1, ("websocket",) * WIDE)
        wide = await crowd.sign_out(many)
        tabs = await in_tabs(given, cluster, directory)
        lives = [live for guest in staying for live in guest.own + guest.others]
        if any(live.ended.done() for live in lives):
            sys.exit("bench: a connection of somebody else was ended")
        for live in lives:
            live.close()
        return Scene(
            replicas, len(lives), len(staying), samples, wide, WIDE, share, tabs=tabs, others=given.tabs
        )


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=2_000, help="that stay open (default: 2000)")
    parser.add_argument("--logouts", type=int, default=100, help="one after another (default: 100)")
    parser.add_argument(
        "--replicas", type=int, action="append", help="only so many (default: 1, and 3 on Redis)"
    )
    parser.add_argument("--windows", type=int, default=10, help="sign-outs in real tabs (default: 10)")
    parser.add_argument("--tabs", type=int, default=5, help="other tabs of such a window (default: 5)")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", nargs="?", const=PAGE,
        help=f"also put the section into this page, of which it keeps the rest (default: {PAGE})",
    )  # fmt: skip
    return parser.parse_args()


def room_for(connections: int) -> None:
    """Open files for this process and for all that it starts; a gateway has two for each WebSocket."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * connections + 1_000
    if hard < needed:
        sys.exit(f"bench: needs {needed} open files, and `ulimit -Hn` allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    programs.only("tests")
    given = options()
    room_for(given.connections * 4 // 5 + given.connections // 10)
    scenes = []
    for replicas in given.replicas or [1, 3]:
        with tempfile.TemporaryDirectory(prefix="gateway-logout-") as directory:
            scenes.append(uvloop.run(measured(given, replicas, Path(directory))))
    text = document(scenes)
    print(text)
    if given.write:
        old = given.write.read_text() if given.write.exists() else ""
        given.write.write_text(with_part(old, PART, text))


if __name__ == "__main__":
    main()
