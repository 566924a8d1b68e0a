"""The spool of a host, as one process uses it: what it leaves there, and what it lets the others know.

What is written down there denies in every process of the host: each looks as soon as the board (board.py) tells of
something new. What fits into no file is marked on the board. While its owner lives the other processes can't know who
was signed out, and let nobody in; if it dies, the log has to become another one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from gateway.state.contract.board import Marks
from gateway.state.contract.outbox import Outbox, Outgoing
from gateway.state.contract.renewal import RenewalCause, why
from gateway.state.contract.spool import Spool, explain
from gateway.state.contract.trouble import Trouble
from gateway.telemetry.log import get_logger

_UNKNOWN = "another process has entries that neither the log nor the spool has room for"

_T = TypeVar("_T")
_log = get_logger("state")


class SharedSpool:
    """Writing has a thread of its own. Until it is started nothing is written, and nothing is new.

    :ivar stamp: of the board, as of the last reading.
    """

    def __init__(self, spool: Spool, outbox: Outbox) -> None:
        self._spool = spool
        self._board = spool.board
        self.stamp = self._board.stamp()
        self._outbox = outbox
        self._thread: ThreadPoolExecutor | None = None
        self._spoolings: dict[str, asyncio.Future[tuple[int, int]]] = {}
        self._own: dict[int, int] = {}
        path = str(spool.path)
        self._unwritable = Trouble(
            "state_spool_unwritable", "state_spool_writable", level=logging.WARNING, path=path
        )

    def start(self) -> None:
        """Begin; the file is opened elsewhere."""
        self._thread = ThreadPoolExecutor(1, "state-spool")

    async def stop(self, *, within: float) -> None:
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

    async def keep(self, one: Outgoing, until: float) -> None:
        """Have it written down, and whatever became of that, let every process know before anybody is told."""
        self.put(one)
        if (spooling := self._spoolings.get(one.batch.id)) is not None:
            await asyncio.wait({spooling}, timeout=max(0.0, until - time.monotonic()))
        one.late = True
        self.mark()

    def put(self, one: Outgoing) -> None:
        """Begin to write a batch down, unless that was done or the log has it."""
        if one.spooled or one.position is not None or self._thread is None:
            return
        one.spooled = True
        spooling = self._spoolings[one.batch.id] = self._do(partial(self._spool.put, one.batch))
        spooling.add_done_callback(partial(self._was_put, one))

    def again(self) -> None:
        """Write down what could not be; where there was no room, try with one of them first."""
        for one in self._outbox.unwritten():
            self.put(one)
            if self._unwritable.why:
                break

    def _was_put(self, one: Outgoing, spooling: asyncio.Future[tuple[int, int]]) -> None:
        self._spoolings.pop(one.batch.id, None)
        error = spooling.exception()
        if error is None:
            one.kept = True
            self._know(*spooling.result())
            if self._unwritable.why:
                self._unwritable.tell("")
                self.again()
        else:
            self._unwritable.tell(explain(error))
            self._outbox.spool_cleared({one.batch.id})
            one.late = True
        self.mark()

    def mark(self) -> None:
        """Say to the other processes whether this one has what they cannot know."""
        unkept, marked = self._outbox.unkept(), self._board.marked
        if bool(unkept) == marked or self._thread is None:
            return
        if not unkept:
            self._board.unmark()
            _log.info("state_spool_sufficed")
            return
        try:
            self._board.mark()
        except OSError as error:
            _log.error("state_spool_unmarked", why=explain(error))
            return
        _log.error("state_spool_full", path=str(self._spool.path), entries=unkept)
        self._do(self._board.keep)

    def noticed(self, stamp: tuple[int, bytes], marks: Marks) -> str:
        """The board was read; why more is missing than the files have, empty where nothing is."""
        self.stamp = stamp
        self._own.clear()
        if marks.dead:
            return why(RenewalCause.UNWRITTEN)
        return _UNKNOWN if marks.alive else ""

    def tell_shortage(self) -> None:
        """A line when there is no room for what will have to be written down."""
        if self._spool.shortage:
            _log.warning("state_spool_without_room", path=str(self._spool.path), why=self._spool.shortage)

    @property
    def used(self) -> float:
        """The part of its room that is in use."""
        return self._spool.used

    def where(self) -> str:
        """Where the entries of this process deny."""
        return "in this process" if self._board.marked else "on this host"

    def _know(self, before: int, after: int) -> None:
        """A record of this process's own is no news to it."""
        self._own[before] = after
        records, marks = self.stamp
        while records in self._own:
            records = self._own.pop(records)
        self.stamp = records, marks

    def _do(self, job: Callable[[], _T]) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, job)


def _nothing() -> None:
    """The job behind all jobs: when it is done, they are."""
