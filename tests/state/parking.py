"""A real second process that parks token revocations and takes them, until it is killed: `python -m tests.state.parking`.

The argument is a file, or a port and a prefix of Redis. It prints what it was told is kept, one line each.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Self

from gateway.state.backends import backends_at
from gateway.state.redis.place import RedisPlace
from tests.fakes.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]


class Parking:
    """The other process, from outside."""

    def __init__(self, *where: str) -> None:
        command = [sys.executable, "-m", "tests.state.parking", *where]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1, cwd=ROOT)
        assert self.process.stdout is not None
        self._printed = self.process.stdout

    def line(self) -> str:
        """The next line it prints; empty when it has ended."""
        return self._printed.readline().rstrip("\n")

    def kill(self) -> list[str]:
        """SIGKILL; the whole lines that it had printed before."""
        self.process.kill()
        left = self._printed.read()
        self.process.wait(timeout=PATIENCE)
        return left[: left.rfind("\n") + 1].splitlines()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(timeout=PATIENCE)
        self._printed.close()


async def _main(*where: str) -> None:
    place = (
        RedisPlace((("127.0.0.1", int(where[0])),), prefix=where[1]) if len(where) == 2 else Path(where[0])
    )
    store = backends_at(place, spool=None, state_loss_accepted=False).token_revocations
    await store.open()
    number = 0
    while True:
        kept = await store.park(f"s{number}", f"token {number}".encode(), due=0, latest=60, keep=86_400)
        if kept:
            print(f"token {number}", flush=True)
        if number % 5 == 0:
            await store.take(lease=600)
        number += 1


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
