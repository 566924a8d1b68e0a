"""``make faults``: gateways that are killed, starved and misled while people sign in and out; nobody may be revived.

On loopback alone: two workers on a SQLite file, then two instances on a Redis, each with the emulated Cognito and Okta.
For each fault everybody signs in, asks and signs out while it lasts, and those who were told that they are signed out come
back with the cookie that they have kept: now and then meanwhile, and all of them to every process when all is well again.
Of those who are signed in each must be served then. The exit status is 1 where one was revived or signed out, or nothing
happened.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from tests.faults.stands import Fault, OneHost, TwoHosts, one_host, two_hosts
from tests.faults.visitors import Crowd

BOUND = 7 * 60
"""Seconds after which it has hung."""
COLUMNS = (
    "signed in",
    "not signed in",
    "signed out: durable",
    "signed out: not durable",
    "signed out: no answer",
    "asked",
    "not served",
    "not answered",
    "replayed",
    "still served",
    "wrong identity",
    "revived",
    "ended",
)
Opens = Callable[[Path], AbstractAsyncContextManager[OneHost] | AbstractAsyncContextManager[TwoHosts]]
STANDS: dict[str, Opens] = {"two workers, SQLite": one_host, "two instances, Redis": two_hosts}


async def played(crowd: Crowd, fault: Fault, *, users: int, seconds: float) -> Counter[str]:
    """One fault, from a crowd that is signed in to the judgement; what was counted."""
    before = crowd.counts.copy()
    await crowd.filled(users)
    over = asyncio.Event()
    who = [
        asyncio.create_task(crowd.live_until(over, leaving=0.4, checked=not fault.clock))
        for _ in range(max(2, users // 4))
    ]
    try:
        await asyncio.sleep(seconds / 3)
        async with fault.lasts():
            await asyncio.sleep(seconds)
        await asyncio.sleep(seconds / 3)
        await crowd.something_has_happened()
    finally:
        over.set()
        await asyncio.gather(*who)
    await crowd.judged()
    return crowd.counts - before


async def on(
    opens: Opens, *, users: int, seconds: float, only: Collection[str] = ()
) -> tuple[list[str], list[str]]:
    """All faults of a stand, or these; the lines of its table, and what was wrong."""
    lines = []
    with tempfile.TemporaryDirectory(prefix="faults-") as directory:
        async with opens(Path(directory)) as stand:
            crowd = Crowd(stand)
            try:
                for fault in stand.faults():
                    if not only or fault.name in only:
                        counts = await played(crowd, fault, users=users, seconds=seconds)
                        lines.append(line(fault.name, [str(counts[column]) for column in COLUMNS]))
                        print(lines[-1], flush=True)
            finally:
                await crowd.close()
    if not crowd.counts["signed out: durable"] or not crowd.counts["replayed"]:
        crowd.wrong.append("nothing happened")
    return lines, crowd.wrong


def line(name: str, cells: Sequence[str]) -> str:
    """Of the table."""
    return f"{name:<26}" + "".join(
        f"{cell:>{width(column)}}" for column, cell in zip(COLUMNS, cells, strict=True)
    )


def width(column: str) -> int:
    """Of a column."""
    return len(column.rpartition(": ")[2]) + 2


async def main(arguments: argparse.Namespace) -> int:
    """The exit status."""
    wrong: list[str] = []
    began = time.monotonic()
    async with asyncio.timeout(BOUND):
        for name, opens in STANDS.items():
            print(f"\n{name}\n" + line("", [column.rpartition(": ")[2] for column in COLUMNS]), flush=True)
            wrong += (await on(opens, users=arguments.users, seconds=arguments.seconds))[1]
    print(
        f"\n{time.monotonic() - began:.0f} s; "
        + (f"{len(wrong)} times wrong" if wrong else "nobody revived, nobody ended")
    )
    for each, times in Counter(wrong).items():
        print(f"{times} times: {each}")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--users", type=int, default=24, help="signed in at a time (24)")
    parser.add_argument("--seconds", type=float, default=5.0, help="that each fault lasts (5)")
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(asyncio.run(main(parser.parse_args())))
