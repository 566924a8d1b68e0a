"""``make bench``: this gateway beside its peers, all signed in, each alone on one pinned core, interleaved.

Every round measures every peer in every case once, and what counts is the ratio to plain nginx within a round: machines
are noisy, absolute figures mean little.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.bench import install, latency, report
from tests.bench.cases import CASES, Case
from tests.bench.cores import Cores
from tests.bench.measure import Sample, check, cookie_of, measure
from tests.bench.peers import line_up
from tests.bench.peers.peer import Peer, Role
from tests.bench.person import Person, sign_in
from tests.bench.sockets import memory_per_websocket
from tests.bench.stand import Stand, file_body
from tests.marked import with_parts_of
from tests.programs import only

LIMIT = 13.5 * 60
"""Seconds after which no further round begins: the whole run stays under 15 minutes."""


@dataclass
class Bench:
    """The peers, who is signed in to each, and what was measured.

    :ivar seconds: of a measurement; those of long cases take twice as long.
    :ivar socket_bytes: memory of an idle WebSocket; None when it was not measured.
    """

    peers: list[Peer]
    cases: list[Case]
    seconds: int
    cores: Cores
    beside: list[int]
    people: dict[str, Person] = field(default_factory=dict)
    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)
    socket_bytes: float | None = None

    @property
    def started(self) -> float | None:
        """Seconds from start to readiness of a gateway with one worker; the median of those that were started."""
        taken = [peer.ready for peer in self.peers if peer.ready and peer.name != line_up.TWO]
        return median(taken) if taken else None

    async def sign_in(self) -> None:
        """Somebody signs in to each; the page in the end must be the file that was asked for."""
        for peer in self.peers:
            person = self.people[peer.name] = Person.open()
            page = await sign_in(person, peer.origin + "/1k")
            if page.status != 200 or page.text != file_body("1k").decode():
                steps = "\n".join(f"  {seen.status} {seen.url}" for seen in person.seen)
                said = "\n".join(process.said() for process in peer.processes)
                sys.exit(f"bench: cannot sign in to {peer.name}\n{steps}\n{page.text[:500]}\n{said}")

    async def close(self) -> None:
        for person in self.people.values():
            await person.close()

    def pairs(self) -> list[tuple[Case, Peer]]:
        return [(case, peer) for case in self.cases for peer in self.peers if peer.role in case.roles]

    def weigh_websockets(self) -> None:
        """On the gateway that has done nothing else."""
        for peer in self.peers:
            if peer.role is Role.RESTING:
                self.socket_bytes = memory_per_websocket(peer, self.people[peer.name], self.cores)

    async def warm_up(self) -> None:
        """Every pair is checked and run for a second that does not count."""
        for case, peer in self.pairs():
            person = self.people[peer.name]
            await check(case, peer, person, self.cores)
            measure(case, peer, self.beside, cookie_of(person, peer), self.cores, 1)

    async def round(self) -> None:
        """Every pair once: checked before, measured, and checked after."""
        for case, peer in self.pairs():
            person, seconds = self.people[peer.name], self.seconds * (2 if case.long else 1)
            await check(case, peer, person, self.cores)
            sample = measure(case, peer, self.beside, cookie_of(person, peer), self.cores, seconds)
            await check(case, peer, person, self.cores)
            self.samples.setdefault((case.key, peer.name), []).append(sample)


async def carry_out(bench: Bench, rounds: int, began: float) -> None:
    try:
        await bench.sign_in()
        bench.weigh_websockets()
        await bench.warm_up()
        for number in range(rounds):
            at = time.monotonic()
            await bench.round()
            took = time.monotonic() - at
            print(f"round {number + 1} of {rounds}: {took:.0f} s", file=sys.stderr)
            if time.monotonic() - began + took > LIMIT:
                print("bench: no time for a further round", file=sys.stderr)
                break
    finally:
        await bench.close()


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="nginx and this gateway, 1 KB GET only")
    parser.add_argument("--rounds", type=int, default=0, help="default: 5, quick 3")
    parser.add_argument(
        "--seconds", type=int, default=1, help="of a measurement; long ones twice (default: 1)"
    )
    parser.add_argument("--case", action="append", choices=[case.key for case in CASES], help="only this one")
    parser.add_argument(
        "--peer", action="append", metavar="TEXT", help="only nginx and peers with TEXT in it"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write the tables there, as Markdown")
    return parser.parse_args()


def needs() -> Cores:
    """The cores to use; exits when something is missing."""
    cores = Cores.pick()
    if cores is None:
        sys.exit("bench: needs two cores, one for the proxy alone")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    return cores


def roles_of(cases: list[Case]) -> frozenset[Role]:
    """Of the peers that the cases need; who measures WebSockets also weighs them."""
    resting = {Role.RESTING} if any(case.mode == "echo" for case in cases) else set()
    return frozenset(resting.union(*(case.roles for case in cases)))


def main() -> None:
    given = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: stopped"))  # and with it all that was started
    only("bench-quick" if given.quick else "bench")
    cores = needs()
    keys = given.case or (["1k"] if given.quick else [case.key for case in CASES])
    cases = [case for case in CASES if case.key in keys]
    began = time.monotonic()
    tools = install.install(peers=not given.quick)
    with ExitStack() as stack:
        stand = Stand.open(tools, cores, stack)
        peers = line_up.start(stand, quick=given.quick, only=given.peer or [], roles=roles_of(cases))
        bench = Bench(peers, cases, given.seconds, cores, stand.pids_beside())
        asyncio.run(carry_out(bench, given.rounds or (3 if given.quick else 5), began))
        text = report.document(bench, tools.missing)
    print(report.plain(text))
    if given.write:
        old = given.write.read_text() if given.write.exists() else ""
        given.write.write_text(with_parts_of(text, old, latency.PART))


if __name__ == "__main__":
    main()
