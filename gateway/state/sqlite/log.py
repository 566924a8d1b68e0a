"""The revocation log of one host: a SQLite file shared by all its processes (rule R4).

The event loop owns the index; one thread owns the files. Jobs go to the thread in order and their results
come back in order, each with the tail that the index had not read when the job was given, so a result that
nobody awaits any more is applied all the same.

The life of an append: its entries are *held* in the index before anything awaits; a job commits them,
raises the counter and returns the tail; when the index has reached their position they are released. If the
job fails, or has not come back when the deadline is over, the batch is spooled and the answer says "not
durable"; the upkeep sends it every second until the log has it. A job that comes back late is as good as
one in time.

What is in the spool denies in every process of the host (shared_spool.py). Where a process has died with what fitted
into no file, the log gets another id, and everybody signs in again.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from gateway.core import clock
from gateway.core.errors import ConfigurationError, GatewayError
from gateway.core.signout.log_extent import Gap, lacks
from gateway.core.signout.revocation import NewEntry
from gateway.state.contract.forgetting import Forgetting, tell_of_clock
from gateway.state.contract.log import Appended, completed
from gateway.state.contract.outbox import Outgoing
from gateway.state.contract.renewal import LogRenewal, why
from gateway.state.contract.shared_log import SharedLog
from gateway.state.contract.spool import SIZE
from gateway.state.contract.trouble import Trouble
from gateway.state.sqlite.faults import explain, fix_for
from gateway.state.sqlite.files import IndexPosition, LogFiles, LogSnapshot, Written
from gateway.state.sqlite.spool import SqliteSpool
from gateway.state.sqlite.table import Tail
from gateway.telemetry.log import get_logger

TRIM_EVERY: Final = 60.0
TRIM_AT_ONCE: Final = 1000
"""Rows deleted in one transaction: no other process's append waits for longer than these take."""
CLOSE_WITHIN: Final = 2.0
TROUBLE: Final = (sqlite3.Error, OSError, GatewayError)

_T = TypeVar("_T")
_log = get_logger("state")


class SqliteLog(SharedLog):
    """See `gateway.state.contract.log.RevocationLog` for the contract."""

    _spool: SqliteSpool

    def __init__(
        self,
        path: Path,
        *,
        state_loss_accepted: bool = False,
        deadline: float = 0.25,
        beat: float = 1.0,
        room: int = SIZE,
    ) -> None:
        """`path`: the file, in a directory that exists. `room`: bytes reserved for what the log cannot take."""
        super().__init__(state_loss_accepted=state_loss_accepted, deadline=deadline, beat=beat)
        self.log_id = ""
        self.gaps: tuple[Gap, ...] = ()
        self._path = path
        self._files = LogFiles(path, patience=deadline * 0.8, room=room)
        self._counter, self._board = self._files.counter, self._files.spool.board
        self._spool = SqliteSpool(self._files.spool, self.index, self._outbox)
        self._file_thread: ThreadPoolExecutor | None = None
        self._reading: asyncio.Future[LogSnapshot] | None = None
        self._proving: asyncio.Future[LogSnapshot] | None = None
        self._renewal: LogRenewal | None = None
        self._upkeep: asyncio.Task[None] | None = None
        self._unwritable = Trouble("state_log_unwritable", "state_log_writable")
        self._forgetting = Forgetting()

    @property
    def loaded(self) -> bool:
        """Has the whole log been read once?"""
        return bool(self.log_id)

    async def open(self) -> None:
        """Open the files and load the index. Raises ConfigurationError."""
        self._file_thread = ThreadPoolExecutor(1, "state-log")
        self._spool.start()
        started = time.monotonic()
        try:
            await self._on_files(self._files.start)
            await self._on_files(partial(self._files.learn_pace, self._forgetting))
            await self._take_pace()
            self._see(await self._on_files(partial(self._files.see, self._known())), started)
            self._tell_renewed(await self._on_files(partial(self._files.to_tell, self._renewal)))
        except sqlite3.Error as error:
            await self.close()
            raise ConfigurationError("state_unreadable", str(error), fix=fix_for(error)) from error
        except BaseException:
            await self.close()
            raise
        self._tell_opened()
        self._upkeep = asyncio.create_task(self._tend(), name="upkeep of the state log")

    async def close(self) -> None:
        """Stop, within seconds even when the disk hangs."""
        if self._upkeep is not None:
            self._upkeep.cancel()
            await asyncio.wait({self._upkeep})
            self._upkeep = None
        if self._file_thread is None:
            return
        until = time.monotonic() + CLOSE_WITHIN
        await self._spool.stop(within=CLOSE_WITHIN)
        closed = self._on_files(self._files.close)
        await asyncio.wait({closed}, timeout=max(0.0, until - time.monotonic()))
        self._file_thread.shutdown(wait=False)
        self._file_thread = None

    def moved(self) -> bool:
        """Has another process committed or spooled something that the index has not?"""
        return self._counter.value() > self.index.position or self._board.stamp() != self._spool.stamp

    def age(self) -> float:
        """Seconds since the index was last known to be in step with a file that can be written to."""
        return self._age.at(time.monotonic())

    def health(self) -> str:
        """One line; starts with "ok" when all is well."""
        if not self.loaded:
            return f"not loaded: {self._unreadable.why or 'not open'}"
        if self._unreadable.why:
            return f"out of step for {self.age():.0f} s: {self._unreadable.why}"
        if self._age.doubt:
            return f"nobody is let in: {self._age.doubt}"
        if self._age.refusal:
            return f"takes nothing for {self.age():.0f} s, other processes' ends may be missing: {self._age.refusal}"
        scarce = self._files.spool.complaint()
        more = f"; {scarce}" if scarce else ""
        if self.pending:
            what = self._unwritable.why or "on their way"
            return f"{self.pending} entries deny {self._spool.where()} only: {what}{more}"
        if self._spool.theirs:
            return f"{self._spool.theirs} entries are in the spool, and not in the log yet{more}"
        if scarce:
            return scarce
        more = "; loss of the log is accepted" if self.state_loss_accepted else ""
        more += self._renewal.note(clock.now()) if self._renewal else ""
        return self._forgetting.complaint() or f"ok: {len(self.index)} entries{more}"

    def append(self, entries: Sequence[NewEntry]) -> Awaitable[Appended]:
        """Hold, commit, tell. Never raises for trouble of the storage."""
        self._require_open()
        if not entries:
            return completed(Appended(durable=True, position=self.index.position))
        now, longer = self._forgetting.date(), self._forgetting.behind()
        new = tuple(entry.received(now).lasting(longer) for entry in entries)
        one = self._outbox.take(new, now)
        until = time.monotonic() + self._deadline
        writing = self._on_files(partial(self._write, new, one.batch.entries, until, self._known()))
        writing.add_done_callback(partial(self._written, one, time.monotonic()))
        return asyncio.ensure_future(self._become(one, writing, until))

    async def _become(self, one: Outgoing, writing: asyncio.Future[Written], until: float) -> Appended:
        await asyncio.wait({writing}, timeout=self._deadline)
        if not writing.done():
            self._unwritable.tell("the disk does not answer")
        if one.position is None:
            await self._spool.keep(one, until)
        return Appended(durable=one.position is not None, position=self.index.position)

    async def catch_up(self) -> None:
        """Read until everything committed before this call is in the index, or the deadline is over."""
        self._require_open()
        target, stamp = self._counter.value(), self._board.stamp()
        until = time.monotonic() + self._deadline
        own = self._reading is None
        while True:
            # A read that is under way may have begun before what this caller wants: then one more follows.
            reading = self._reading or self._start_reading()
            await asyncio.wait({reading}, timeout=max(0.0, until - time.monotonic()))
            if not reading.done() or reading.exception():
                break
            if self.index.position >= target and (own or self._spool.stamp == stamp):
                return
            own = True
        if self.moved():
            # It is known that something is missing: that is no matter of how old the index is (rule R5).
            self._doubt(self._age.doubt or "other processes have written, and that cannot be read")

    async def prove(self, position: int) -> None:
        """Compare a sealed position with the file itself, unless that is being done; late answers count as well."""
        self._require_open()
        log_id, until = self.log_id, time.monotonic() + self._deadline
        for _ in range(2):  # one that is under way may be for an earlier position
            proving = self._proving or self._start_proving(position)
            await asyncio.wait({proving}, timeout=max(0.0, until - time.monotonic()))
            missing = lacks(position, self.index.position, self.gaps)
            if self.log_id != log_id or not missing or self._age.doubt:
                return
        # As in catch_up.
        self._doubt("somebody has seen more of the log than was read, and it cannot be read")

    def _start_proving(self, position: int) -> asyncio.Future[LogSnapshot]:
        job = partial(self._files.prove, IndexPosition(self.log_id, position), self._known())
        proving = self._proving = self._on_files(job)
        proving.add_done_callback(partial(self._was_proven, time.monotonic()))
        return proving

    def _was_proven(self, started: float, proving: asyncio.Future[LogSnapshot]) -> None:
        self._proving = None
        self._was_read(started, proving)

    def _write(
        self, new: Sequence[NewEntry], dated: Sequence[NewEntry], until: float, known: IndexPosition
    ) -> Written:
        # Written at once, the order of the log alone says when it was; written later, its date says so too.
        return self._files.write(new if time.monotonic() < until else dated, known)

    def _require_open(self) -> None:
        if self._file_thread is None:
            raise RuntimeError("the state log is not open")

    def _known(self) -> IndexPosition:
        return IndexPosition(self.log_id, self.index.position)

    def _on_files(self, job: Callable[[], _T]) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._file_thread, job)

    def _start_reading(self) -> asyncio.Future[LogSnapshot]:
        reading = self._reading = self._on_files(partial(self._files.see, self._known()))
        reading.add_done_callback(partial(self._reading_ended, time.monotonic()))
        return reading

    def _reading_ended(self, started: float, reading: asyncio.Future[LogSnapshot]) -> None:
        self._reading = None
        self._was_read(started, reading)

    def _was_read(self, started: float, reading: asyncio.Future[LogSnapshot]) -> None:
        error = reading.exception()
        if error is None:
            self._see(reading.result(), started)
        else:
            self._unreadable.tell(explain(error))

    def _written(self, one: Outgoing, started: float, writing: asyncio.Future[Written]) -> None:
        error = writing.exception()
        if error is None:
            self._commit([one], writing.result().position)
            self._adopt(writing.result().tail, started)
            self._spool.mark()
        else:
            one.failed = True
            self._unwritable.tell(explain(error))
            self._spool.put(one)

    def _commit(self, batches: Sequence[Outgoing], position: int) -> None:
        for one in batches:
            one.position = position
            one.failed = False
        self._unwritable.tell("")

    def _adopt(self, tail: Tail, started: float) -> None:
        """Bring the index to what a read found that began at `started`."""
        for entry in tail.entries:
            self.index.apply(entry)
        self.index.forgotten = max(self.index.forgotten, tail.forgotten)
        self._renewal, self.gaps = tail.renewal, tail.gaps
        if tail.log_id != self.log_id:
            if self.log_id:
                _log.error("state_log_lost", path=str(self._path), accepted=self.state_loss_accepted)
            self.log_id = tail.log_id
            self.index.rebase(tail.position)
        else:
            self.index.rebase(max(self.index.position, tail.position))
        self._age.read(started)
        self._unreadable.tell("")
        self._outbox.settle()

    def _see(self, seen: LogSnapshot, started: float) -> None:
        """Bring the index to what the files had at `started`: the log, and what waits in the spool."""
        self._adopt(seen.tail, started)
        doubt = self._spool.see(seen)
        self._doubt(f"{why(seen.older)}; make it writable" if seen.older else doubt)

    async def _tend(self) -> None:
        """The upkeep: once a beat, for as long as the log is open."""
        while True:
            await asyncio.sleep(self._beat)
            tell_of_clock(self._forgetting)
            try:
                await self._look()
            except TROUBLE as error:
                self._unreadable.tell(explain(error))
                continue
            try:
                await self._trim()
            except TROUBLE as error:
                _log.warning("state_log_untrimmed", path=str(self._path), why=explain(error))

    async def _look(self) -> None:
        started = time.monotonic()
        looked = await self._on_files(partial(self._files.look, self._known()))
        self._see(looked.seen, started)
        self._tell_renewed(looked.renewal)
        since = started - (clock.precise() - looked.pulse / 1000) if looked.pulse else None
        self._takes(looked.refusal, started, since=since)
        if (looked.seen.spooled or self._outbox.unsent()) and not self._outbox.in_flight():
            try:
                await self._send()
            except TROUBLE as error:
                self._unwritable.tell(explain(error))
                self._spool.again()

    async def _send(self) -> None:
        started = time.monotonic()
        unsent, committed = self._outbox.unsent(), self._outbox.committed()
        batches = [one.batch for one in unsent]
        tail = await self._on_files(partial(self._files.send, batches, committed, self._known()))
        self._commit(unsent, tail.position)
        self._adopt(tail, started)
        self._outbox.spool_cleared(committed | {batch.id for batch in batches})
        self._spool.mark()

    async def _trim(self) -> None:
        self.index.expire(self._forgetting.now(), limit=TRIM_AT_ONCE)
        if time.monotonic() - self._trimmed_at < TRIM_EVERY:
            return
        await self._take_pace()
        now = self._forgetting.now()
        if await self._on_files(partial(self._files.table.trim, now, limit=TRIM_AT_ONCE)) < TRIM_AT_ONCE:
            self._trimmed_at = time.monotonic()

    async def _take_pace(self) -> None:
        """Say how this process sees the clock; on a full disk others have said it."""
        try:
            await self._on_files(partial(self._files.keep_pace, self._forgetting))
        except sqlite3.Error as error:
            self._unwritable.tell(explain(error))

    def _tell_opened(self) -> None:
        if self._files.witness.trouble:
            _log.warning("state_log_without_witness", path=str(self._path), why=self._files.witness.trouble)
        self._spool.tell_shortage()
        if self._files.made:
            _log.warning("state_log_made", path=str(self._path))
        if self.state_loss_accepted:
            _log.warning("state_loss_accepted", path=str(self._path))

    def _tell_renewed(self, renewal: LogRenewal | None) -> None:
        if renewal is not None:
            self.on_renewed(renewal.cause)
