"""``make bench``: this gateway beside its peers, all signed in, each alone on one pinned core, interleaved.

Core 0 runs the proxy that is measured; core 1 runs upstreams, identity provider and load generator. Every round
measures every peer in every case once, and what counts is the ratio to plain nginx within a round: machines are noisy,
absolute figures mean little.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from tests.bench import install, report
from tests.bench.cases import CASES, Case
from tests.bench.measure import Sample, check, cookie_of, measure
from tests.bench.peers import line_up
from tests.bench.peers.peer import Peer
from tests.bench.person import Person, sign_in
from tests.bench.sockets import memory_per_websocket
from tests.bench.stand import Stand, file_body

LIMIT = 13 * 60
"""Seconds after which no further round begins: the whole run stays under 15 minutes."""


class Bench:
    """The peers, who is signed in to each, and what was measured."""

    def __init__(self, peers: list[Peer], cases: list[Case], seconds: float, beside: list[int]) -> None:
        self.peers, self.cases, self.seconds, self.beside = peers, cases, seconds, beside
        self.people: dict[str, Person] = {}
        self.samples: dict[tuple[str, str], list[Sample]] = {}
        self.socket_bytes = 0.0

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
        return [(case, peer) for case in self.cases for peer in self.peers if case.fits(peer)]

    async def warm_up(self) -> None:
        """Every pair is checked and run for a second that does not count."""
        for case, peer in self.pairs():
            await check(case, peer, self.people[peer.name])
            measure(case, peer, self.beside, cookie_of(self.people[peer.name], peer), 1)

    async def round(self) -> None:
        """Every pair once: checked before, measured, and a sample checked after."""
        for case, peer in self.pairs():
            person = self.people[peer.name]
            await check(case, peer, person)
            sample = measure(case, peer, self.beside, cookie_of(person, peer), self.seconds)
            await check(case, peer, person)
            self.samples.setdefault((case.key, peer.name), []).append(sample)


async def carry_out(bench: Bench, rounds: int, began: float) -> None:
    try:
        await bench.sign_in()
        await bench.warm_up()
        for number in range(rounds):
            at = time.monotonic()
            await bench.round()
            took = time.monotonic() - at
            print(f"round {number + 1} of {rounds}: {took:.0f} s", file=sys.stderr)
            if time.monotonic() - began + took > LIMIT:
                print("bench: no time for a further round", file=sys.stderr)
                break
        bench.socket_bytes = await memory_per_websocket(bench.peers, bench.people)
    finally:
        await bench.close()


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="nginx and this gateway, 1 KB GET only")
    parser.add_argument("--rounds", type=int, default=0, help="default: 5, quick 3")
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement (default: %(default)s)")
    parser.add_argument("--case", action="append", choices=[case.key for case in CASES], help="only this one")
    parser.add_argument(
        "--peer", action="append", metavar="TEXT", help="only nginx and peers with TEXT in it"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write the tables there, as Markdown")
    return parser.parse_args()


def needs() -> None:
    for tool in ("nginx", "wrk", "taskset"):
        if shutil.which(tool) is None:
            sys.exit(f"bench: {tool} is missing; `make bench` installs it")
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("bench: needs two cores, one for the proxy alone")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))


def main() -> None:
    given = options()
    needs()
    keys = given.case or (["1k"] if given.quick else [case.key for case in CASES])
    cases = [case for case in CASES if case.key in keys]
    began = time.monotonic()
    tools = install.install(peers=not given.quick)
    with ExitStack() as stack:
        stand = Stand.open(tools, stack)
        peers = line_up.start(stand, quick=given.quick, only=given.peer or [])
        bench = Bench(peers, cases, given.seconds, stand.pids_beside())
        asyncio.run(carry_out(bench, given.rounds or (3 if given.quick else 5), began))
        text = report.document(bench, tools.missing)
    print(report.plain(text))
    if given.write:
        given.write.write_text(text)


if __name__ == "__main__":
    main()
