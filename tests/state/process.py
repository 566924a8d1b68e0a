"""A real second process over a log, driven line by line: `python -m tests.state.process FILE`, or `… PORT SPOOL` for a
Redis.

Commands on stdin, one answer line each: `append KEY`, `moved`, `ended SID`, `fill N` (appends up
to N entries, until one fits nowhere), `flood` (appends for ever and prints
the key of each acknowledged entry, which begins with what follows the command).
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from gateway.core import clock
from gateway.core.session.revocation_keys import sid_key
from gateway.core.signout.revocation import NewEntry
from gateway.state.contract.log import in_step
from gateway.state.redis.log import RedisLog
from gateway.state.redis.place import RedisPlace
from gateway.state.sqlite.log import SqliteLog
from gateway.telemetry.log import configure
from tests.fakes.patience import NEVER, PATIENCE
from tests.fakes.signed_in import signed_in

ROOT = Path(__file__).resolve().parents[2]
ROOM = 64 * 1024


class Peer:
    """The other process, from outside."""

    def __init__(self, *where: Path | int) -> None:
        command = [sys.executable, "-m", "tests.state.process", *map(str, where)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, cwd=ROOT
        )
        assert self.line() == "ready"

    def line(self) -> str:
        """The next line it prints; empty when it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def ask(self, command: str) -> str:
        """Its answer to a command."""
        self.tell(command)
        return self.line()

    def tell(self, command: str) -> None:
        """A command whose answer is read elsewhere."""
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def kill(self) -> list[str]:
        """SIGKILL; the lines that it had printed before."""
        self.process.kill()
        return self.end()

    def end(self) -> list[str]:
        """Wait for its end; the lines that were left."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        left = self.process.stdout.read().splitlines()
        self.process.stdout.close()
        self.process.wait(timeout=PATIENCE)
        return left


async def _answer(log: SqliteLog | RedisLog, words: list[str]) -> str:
    entry = NewEntry(sid_key(words[-1]), clock.now() + 3600, "test")
    match words[0]:
        case "append":
            return "durable" if (await log.append([entry])).durable else "not durable"
        case "moved":
            return str(log.moved())
        case "ended":
            await in_step(log)
            while log._spool.moved() if isinstance(log, RedisLog) else log.moved():
                await log.catch_up()  # however slow the machine is, in more than the time that a request has
            found = log.index.ended_by(signed_in(words[1], seen=log.index.position))
            return str(found is not None)
        case "fill":
            number = 0
            while not log._spool._unwritable.why and number < int(words[1]):
                await log.append([NewEntry(sid_key(f"l{number}"), clock.now() + 3600, "fill")])
                number += 1
            return "filled" if log._spool._board.marked else "not filled"
        case _:
            number = 0
            while True:
                key = f"{words[-1]}{number}"
                if (await log.append([NewEntry(sid_key(key), clock.now() + 3600, "flood")])).durable:
                    print(key, flush=True)
                number += 1


def _log(where: str, spool: str = "") -> SqliteLog | RedisLog:
    if not spool:
        return SqliteLog(Path(where), deadline=PATIENCE, beat=NEVER, room=ROOM)
    return RedisLog(RedisPlace((("127.0.0.1", int(where)),)), spool=Path(spool), beat=NEVER, room=ROOM)


async def _main(*where: str) -> None:
    configure("error", stream=sys.stderr)
    log = _log(*where)
    await log.open()
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(await _answer(log, line.split()), flush=True)
    await log.close()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
