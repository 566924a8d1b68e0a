"""One measurement: load against one peer for a few seconds, and what that cost the proxy's core."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.bench.cases import UPLOAD, Case
from tests.bench.peers.peer import Peer
from tests.bench.person import Person
from tests.bench.stand import LOAD_CORE, PROXY_CORE, core_seconds, cpu_seconds, resident_bytes

SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Sample:
    """Seconds and bytes.

    :ivar busy: share of its core that the proxy used; well below 1 the load core was the limit.
    :ivar foreign: share of its core, or of the load core, that others used, the hypervisor's steal included.
    """

    rate: float
    p50: float
    p99: float
    cpu: float
    rss: float
    busy: float
    foreign: float


async def check(case: Case, peer: Peer, person: Person) -> None:
    """Ask once, as the person; exits unless the answer is right. Renewed cookies are kept for the load."""
    if case.mode == "echo":
        generate(case, peer, 0.05, cookie_of(person, peer), connections=1)
        return
    url = peer.origin + case.path_at(peer)
    sent = case.headers(peer, "")
    if not case.signed_in:
        stranger = Person.open()
        try:
            answer = await stranger.send("GET", url, sent, None)
        finally:
            await stranger.close()
    else:
        body = "x" * UPLOAD if case.mode == "upload" else None
        answer = await person.send(case.method, url, sent, body)
        person.seen.clear()
    right = case.body()
    if answer.status != case.status or right not in {None, answer.text}:
        sys.exit(f"bench: {peer.name}, {case.title}: answered {answer.status}\n{answer.text[:300]}")


def cookie_of(person: Person, peer: Peer) -> str:
    return person.cookie_header(peer.origin)


@dataclass(frozen=True)
class Meter:
    """What has been used so far, in seconds: by the proxy, by load generator and upstreams, by everybody."""

    at: float
    proxy: float
    beside: float
    proxy_core: float
    load_core: float

    @classmethod
    def read(cls, proxy: list[int], beside: list[int]) -> Self:
        generator = resource.getrusage(resource.RUSAGE_CHILDREN)
        return cls(
            time.monotonic(),
            cpu_seconds(proxy),
            cpu_seconds(beside) + generator.ru_utime + generator.ru_stime,
            core_seconds(PROXY_CORE),
            core_seconds(LOAD_CORE),
        )

    def foreign_since(self, earlier: Meter) -> float:
        """The larger of the shares of both cores that nobody here can account for."""
        proxy = self.proxy_core - earlier.proxy_core - (self.proxy - earlier.proxy)
        load = self.load_core - earlier.load_core - (self.beside - earlier.beside)
        return max(0.0, proxy, load) / (self.at - earlier.at)


def measure(case: Case, peer: Peer, beside: list[int], cookie: str, seconds: float) -> Sample:
    """Run the load; exits when anything but right answers came back."""
    pids = peer.pids()
    before = Meter.read(pids, beside)
    seen = generate(case, peer, seconds, cookie)
    after = Meter.read(pids, beside)
    spent = after.proxy - before.proxy
    wrong = seen["bad"] != (0 if case.signed_in else seen["requests"])
    if wrong or seen["errors"] or not seen["requests"]:
        sys.exit(f"bench: {peer.name}, {case.title}: failed under load: {seen}")
    return Sample(
        rate=seen["requests"] / seen["seconds"],
        p50=seen["p50"] / 1e6,
        p99=seen["p99"] / 1e6,
        cpu=spent / seen["requests"],
        rss=resident_bytes(pids),
        busy=spent / seen["seconds"],
        foreign=after.foreign_since(before),
    )


def generate(
    case: Case, peer: Peer, seconds: float, cookie: str, *, connections: int | None = None
) -> dict[str, float]:
    """What the load generator counted."""
    headers = case.headers(peer, cookie)
    if case.mode == "echo":
        command = echo_command(peer, connections or case.connections, seconds, headers)
    else:
        command = wrk_command(case, peer, seconds, headers)
    try:
        done = subprocess.run(
            ["taskset", "-c", str(LOAD_CORE), *command],
            capture_output=True, text=True, timeout=seconds + 20, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        sys.exit(f"bench: {peer.name}, {case.title}: the load generator did not end")
    if done.returncode:
        sys.exit(f"bench: {peer.name}, {case.title}: {done.stderr[-1000:]}{done.stdout[-1000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def wrk_command(case: Case, peer: Peer, seconds: float, headers: dict[str, str]) -> list[str]:
    lines = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    arguments = {"upload": [str(UPLOAD)], "unique": [f"{time.monotonic_ns():x}-"]}.get(case.mode, [])
    url = f"http://127.0.0.1:{peer.port}{case.path_at(peer)}"
    return [
        "wrk", "-t1", f"-c{case.connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s",
        *lines, "-s", str(SCRIPT), url, "--", case.mode, *arguments,
    ]  # fmt: skip


def echo_command(peer: Peer, connections: int, seconds: float, headers: dict[str, str]) -> list[str]:
    pairs = [f"{name}={value}" for name, value in headers.items()]
    return [
        sys.executable, "-m", "tests.bench.echo_load", str(peer.port), str(connections), str(seconds), *pairs
    ]  # fmt: skip
