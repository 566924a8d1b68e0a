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

from tests.bench.cases import PACE, UPLOAD, Case
from tests.bench.cores import Cores
from tests.bench.peers.peer import Peer
from tests.bench.person import Person
from tests.bench.usage import Memory, core_seconds, cpu_seconds, memory, tree

TIMES = frozenset({"seconds", "p50", "p99"})
SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Sample:
    """Seconds and bytes.

    :ivar busy: cores that the proxy used; well below its one the load generator or the upstream was the limit.
    :ivar foreign: share of a core that others used, on the proxy's or beside it, the hypervisor's steal included.
    :ivar parts: of `cpu`, what each of the peer's processes took, with its children.
    """

    rate: float
    p50: float
    p99: float
    cpu: float
    memory: Memory
    busy: float
    foreign: float
    parts: tuple[float, ...] = ()


async def check(case: Case, peer: Peer, person: Person, cores: Cores) -> None:
    """Ask once, as the person; exits unless the answer is right. Renewed cookies are kept for the load."""
    if case.mode == "echo":
        generate(case, peer, 0.05, cookie_of(person, peer), cores, connections=1)
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
    """What has been used so far, in seconds: by the proxy, by what is beside it, by everybody on the cores of each."""

    at: float
    proxy: float
    beside: float
    proxy_cores: float
    beside_cores: float

    @classmethod
    def read(cls, peer: Peer, pids: list[int], beside: list[int], cores: Cores) -> Self:
        generator = resource.getrusage(resource.RUSAGE_CHILDREN)
        return cls(
            time.monotonic(),
            cpu_seconds(pids),
            cpu_seconds(beside) + generator.ru_utime + generator.ru_stime,
            core_seconds(peer.cores),
            core_seconds(cores.beside),
        )

    def foreign_since(self, earlier: Meter) -> float:
        """The larger of the shares, of the proxy's cores and of those beside, that nobody here can account for."""
        proxy = self.proxy_cores - earlier.proxy_cores - (self.proxy - earlier.proxy)
        beside = self.beside_cores - earlier.beside_cores - (self.beside - earlier.beside)
        return max(0.0, proxy, beside) / (self.at - earlier.at)


def measure(case: Case, peer: Peer, beside: list[int], cookie: str, cores: Cores, seconds: float) -> Sample:
    """Run the load; exits when anything but right answers came back."""
    pids, groups = peer.pids(), [tree(process.pid) for process in peer.processes]
    before, parts_before = Meter.read(peer, pids, beside, cores), [cpu_seconds(group) for group in groups]
    seen = generate(case, peer, seconds, cookie, cores)
    after, parts_after = Meter.read(peer, pids, beside, cores), [cpu_seconds(group) for group in groups]
    spent = after.proxy - before.proxy
    if fault := fault_of(case, seen):
        sys.exit(f"bench: {peer.name}, {case.title}: {fault}: {seen}")
    return Sample(
        rate=seen["requests"] / seen["seconds"],
        p50=seen["p50"] / 1e6,
        p99=seen["p99"] / 1e6,
        cpu=spent / seen["requests"],
        memory=memory(pids),
        busy=spent / seen["seconds"],
        foreign=after.foreign_since(before),
        parts=tuple(
            (then - first) / seen["requests"] for first, then in zip(parts_before, parts_after, strict=True)
        ),
    )


def fault_of(case: Case, seen: dict[str, float]) -> str:
    """What was wrong with the answers under load, by status and size; empty when nothing was."""
    if not seen["requests"] or seen["errors"]:
        return "no answers" if not seen["requests"] else "connections failed"
    if seen["bad"] != (0 if case.signed_in else seen["requests"]):
        return "wrong statuses"
    body = case.body()
    if case.mode != "echo" and body is not None and seen["bytes"] < seen["requests"] * len(body):
        return "answers were too short"
    return ""


def generate(
    case: Case, peer: Peer, seconds: float, cookie: str, cores: Cores, *, connections: int | None = None
) -> dict[str, float]:
    """What the load generator counted; of a twin's as well, and together."""
    headers, each = case.headers(peer, cookie), (connections or case.connections) // len(peer.ports)
    if case.mode == "echo":
        commands = [echo_command(port, each, seconds, headers) for port in peer.ports]
    else:
        commands = [wrk_command(case, peer, port, each, seconds, headers) for port in peer.ports]
    running = [
        subprocess.Popen(
            ["taskset", "-c", str(cores.load), *command],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for command in commands
    ]  # fmt: skip
    counted = []
    for process in running:
        try:
            out, err = process.communicate(timeout=seconds + 20)
        except subprocess.TimeoutExpired:
            process.kill()
            sys.exit(f"bench: {peer.name}, {case.title}: the load generator did not end")
        if process.returncode:
            sys.exit(f"bench: {peer.name}, {case.title}: {err[-1000:]}{out[-1000:]}")
        counted.append(json.loads(out.strip().splitlines()[-1]))
    return together(counted)


def together(counted: list[dict[str, float]]) -> dict[str, float]:
    """Sums, but of times the longest."""
    names = counted[0]
    return {name: (max if name in TIMES else sum)(one[name] for one in counted) for name in names}


def wrk_command(
    case: Case, peer: Peer, port: int, connections: int, seconds: float, headers: dict[str, str]
) -> list[str]:
    lines = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    prefix = f"{time.monotonic_ns():x}-"
    arguments = {"upload": [str(UPLOAD)], "unique": [prefix], "unseen": [prefix], "paced": [str(PACE)]}
    url = f"http://127.0.0.1:{port}{case.path_at(peer)}"
    return [
        "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s",
        *lines, "-s", str(SCRIPT), url, "--", case.mode, *arguments.get(case.mode, []),
    ]  # fmt: skip


def echo_command(port: int, connections: int, seconds: float, headers: dict[str, str]) -> list[str]:
    pairs = [f"{name}={value}" for name, value in headers.items()]
    return [
        sys.executable, "-m", "tests.bench.echo_load", str(port), str(connections), str(seconds), *pairs
    ]  # fmt: skip
