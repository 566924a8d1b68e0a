"""``make soak``: ten minutes (``SOAK_MINUTES``) of people who sign in, ask and sign out, over workers that are replaced.

Two workers on one SQLite file, on loopback. Twice a minute one of them is told to end, as a rolling restart does it, and
another one takes its place. No request may be lost, nobody taken for somebody else, nobody revived and nobody signed out;
a line for each minute says what each worker holds in memory and open files, and what they have been asked. The exit status
is 1 where anything was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.faults.stands import OneHost, one_host
from tests.faults.visitors import Crowd

LONGEST = 24 * 60
"""Minutes."""


async def replaced(stand: OneHost, over: asyncio.Event, every: float) -> int:
    """A worker after the other ends when it has answered, until it is over; how many did."""
    number = 0
    while not over.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), every)
            break
        await stand.another_worker()
        workers = sorted(stand.pids().items())
        ending = workers[number % len(workers)][1]
        with contextlib.suppress(ProcessLookupError):
            os.kill(ending, signal.SIGTERM)
        number += 1
        await stand.another_worker(ending)
    return number


def held(pid: int) -> tuple[float, int]:
    """Megabytes in memory, and open files; nothing where it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2]
        return int(status.split()[0]) / 1024, len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0.0, 0


def told(stand: OneHost, crowd: Crowd, minute: float) -> str:
    """The line of a minute."""
    counts = crowd.counts
    ended = sum(number for name, number in counts.items() if name.startswith("signed out"))
    workers = ", ".join(
        f"{name.removeprefix('gw ')}: {megabytes:.0f} MB, {files} files"
        for name, (megabytes, files) in sorted((name, held(pid)) for name, pid in stand.pids().items())
    )
    return (
        f"{minute:6.1f} min  {counts['asked']:>7} asked  {counts['signed in']:>6} signed in  {ended:>6} signed out  "
        f"{counts['replayed']:>7} replayed  {lost(counts)} lost"
        + "".join(f", {counts[kind]} {kind}" for kind in LOST if counts[kind])
        + f"  {workers}"
    )


LOST = ("not answered", "not served", "not signed in", "signed out: no answer")


def lost(counts: Counter[str]) -> int:
    """What had no answer, or one of a 5xx."""
    return sum(counts[kind] for kind in LOST)


async def soak(stand: OneHost, *, minutes: float, users: int, every: float, patient: bool = False) -> Crowd:
    """Have it for so long. `patient`: see `Crowd`."""
    crowd = Crowd(stand, patient=patient)
    over = asyncio.Event()
    try:
        await crowd.filled(users)
        who = [
            asyncio.create_task(crowd.live_until(over, leaving=0.1, checked=True)) for _ in range(users // 2)
        ]
        restarts = asyncio.create_task(replaced(stand, over, every))
        try:
            for minute in range(1, int(minutes) + 1):
                await asyncio.sleep(60)
                print(told(stand, crowd, minute), flush=True)
            await asyncio.sleep(60 * (minutes - int(minutes)))
            await crowd.something_has_happened()
        finally:
            over.set()
            await asyncio.gather(*who)
            crowd.counts["restarts"] = await restarts
        await crowd.judged()
        print(told(stand, crowd, minutes))
    finally:
        await crowd.close()
    return crowd


def verdict(crowd: Crowd) -> list[str]:
    """What was wrong."""
    missing = [f"{crowd.counts[kind]} {kind}" for kind in LOST if crowd.counts[kind]]
    nothing = not (
        crowd.counts["signed out: durable"] and crowd.counts["replayed"] and crowd.counts["restarts"]
    )
    missing += [f"{why} ({times} times)" for why, times in crowd.trouble.items()]
    return crowd.wrong + missing + ["nothing happened"] * nothing


async def main(arguments: argparse.Namespace) -> int:
    """The exit status."""
    if not 0 < arguments.minutes <= LONGEST:
        print(
            f"SOAK_MINUTES is {arguments.minutes}, and should be above 0 and at most {LONGEST}",
            file=sys.stderr,
        )
        return 2
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        async with asyncio.timeout(60 * arguments.minutes + 300), one_host(Path(directory)) as stand:
            crowd = await soak(stand, minutes=arguments.minutes, users=arguments.users, every=arguments.every)
    counts = crowd.counts
    print(
        f"\n{counts['asked']} requests over {counts['restarts']} restarts: {lost(counts)} lost,"
        f" {counts['wrong identity']} wrong identities, {counts['revived']} revived, {counts['ended']} signed out"
    )
    wrong = verdict(crowd)
    for each, times in Counter(wrong).items():
        print(f"{times} times: {each}")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("SOAK_MINUTES") or 10))
    parser.add_argument("--users", type=int, default=16, help="signed in at a time (16)")
    parser.add_argument(
        "--every", type=float, default=30.0, help="seconds between two restarts (30), not below 6"
    )
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(asyncio.run(main(parser.parse_args())))
