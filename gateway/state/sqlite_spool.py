"""The spool beside the log of one host, as one process uses it: what it leaves there, and what it finds of others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from gateway.core import clock
from gateway.core.revocation import Entry, RevocationIndex
from gateway.state.board import Marks
from gateway.state.files import Seen, explain
from gateway.state.outbox import Outbox, Outgoing
from gateway.state.spool import Spool
from gateway.telemetry.log import get_logger

_T = TypeVar("_T")
_log = get_logger("state")


class SqliteSpool:
    """Writing has a thread of its own; reading is done with the log's files.

    :ivar stamp: of the board, as of the last reading.
    """

    def __init__(self, spool: Spool, index: RevocationIndex, outbox: Outbox) -> None:
        self.stamp = -1
        self._spool = spool
        self._board = spool.board
        self._index = index
        self._outbox = outbox
        self._thread: ThreadPoolExecutor | None = None
        self._spoolings: dict[str, asyncio.Future[tuple[int, int]]] = {}
        self._theirs: dict[str, list[Entry]] = {}
        self._own: dict[int, int] = {}

    @property
    def theirs(self) -> int:
        """How many entries of other processes wait there."""
        return sum(map(len, self._theirs.values()))

    def open(self) -> None:
        """Begin; the files are opened elsewhere."""
        self._thread = ThreadPoolExecutor(1, "state-spool")

    async def close(self, *, within: float) -> None:
        """Write down what was not sent, in so many seconds. What stays marked is answered for by who comes next."""
        if self._thread is None:
            return
        for one in self._outbox.unspooled():
            one.late = True
            self.put(one)
        self.mark()
        await asyncio.wait({self._do(_nothing)}, timeout=within)
        self._thread.shutdown(wait=False)
        self._thread = None

    def see(self, seen: Seen) -> str:
        """Hold what others have left there, after the tail was applied; why more is missing, empty where nothing is."""
        self.stamp = seen.stamp
        self._own.clear()
        theirs = {batch.id: batch for batch in seen.spooled if batch.id not in self._outbox}
        for name in [name for name in self._theirs if name not in theirs]:
            for entry in self._theirs.pop(name):
                self._index.release(entry)
        now = clock.now()
        for name in theirs.keys() - self._theirs.keys():
            self._theirs[name] = [self._index.hold(entry, now) for entry in theirs[name].entries]
        return _doubt(seen.marks)

    async def keep(self, one: Outgoing, until: float) -> None:
        """Have it written down, and whatever became of that, let every process know before anybody is told."""
        self.put(one)
        if (spooling := self._spoolings.get(one.batch.id)) is not None:
            await asyncio.wait({spooling}, timeout=max(0.0, until - time.monotonic()))
        one.late = True
        self.mark()

    def put(self, one: Outgoing) -> None:
        """Begin to write a batch down, unless that was done."""
        if one.spooled or self._thread is None:
            return
        one.spooled = True
        spooling = self._spoolings[one.batch.id] = self._do(partial(self._spool.put, one.batch))
        spooling.add_done_callback(partial(self._was_spooled, one))

    def _was_spooled(self, one: Outgoing, spooling: asyncio.Future[tuple[int, int]]) -> None:
        self._spoolings.pop(one.batch.id, None)
        error = spooling.exception()
        if error is not None:
            _log.warning("state_spool_unwritable", path=str(self._spool.path), why=explain(error))
            self._outbox.spool_cleared({one.batch.id})
            one.late = True
        else:
            one.kept = True
            self._know(spooling.result())
        self.mark()

    def mark(self) -> None:
        """Say to the other processes whether this one has what they cannot know."""
        unkept, marked = self._outbox.unkept(), self._board.marked
        if bool(unkept) == marked:
            return
        if not unkept:
            self._know(self._board.unmark())
            _log.info("state_spool_sufficed")
            return
        try:
            self._know(self._board.mark())
        except OSError as error:
            _log.error("state_spool_unmarked", why=explain(error))
            return
        _log.error("state_spool_full", path=str(self._spool.path), entries=unkept)
        if self._thread is not None:
            self._do(self._board.keep)

    def _know(self, change: tuple[int, int]) -> None:
        """A change of this process's own is no news to it."""
        self._own[change[0]] = change[1]
        while self.stamp in self._own:
            self.stamp = self._own.pop(self.stamp)

    def where(self) -> str:
        """Where the entries of this process deny."""
        return "in this process" if self._board.marked else "on this host"

    def _do(self, job: Callable[[], _T]) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, job)


def _doubt(marks: Marks) -> str:
    if marks.dead:
        return "a process has died with entries that neither the log nor the spool had room for; free space on the disk"
    if marks.alive:
        return "another process has entries that neither the log nor the spool has room for; free space on the disk"
    return ""


def _nothing() -> None:
    """The job behind all jobs: when it is done, they are."""
