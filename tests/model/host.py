"""A machine with a state directory and processes of the gateway in it, in one thread that decides what happens next.

The logs are the real ones. What is not: their threads (`worker`), the clocks, which go on when they are told to, and the
disk, which is full, locked or broken when it is told to be.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from contextvars import ContextVar, copy_context
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from gateway.core import clock
from gateway.core.errors import ConfigurationError
from gateway.state.contract import board, counter, shared_spool, spool
from gateway.state.contract.forgetting import Forgetting
from gateway.state.sqlite import files, table
from gateway.state.sqlite import log as sqlite
from gateway.state.sqlite.log import SqliteLog
from tests.model.worker import Guard, Worker

START = 1_800_000_000.0
_process: ContextVar[Process] = ContextVar("process")


class _Loop(asyncio.SelectorEventLoop):
    """Whose time is the host's."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host

    def time(self) -> float:
        return self._host.gone

    def until_idle(self) -> None:
        """Everything that can happen without a thread and without time."""
        while True:
            self.call_soon(self.stop)
            self.run_forever()
            if not self._ready:  # type: ignore[attr-defined]  # there is no other way to know
                return


class Process:
    """One gateway: its log, and what it has been asked."""

    def __init__(self, host: Host, log: SqliteLog) -> None:
        self.host = host
        self.log = log
        self.files, self.spool = Worker(), Worker()
        self.opened = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        """Does it answer?"""
        return self.opened and self.log.loaded

    @property
    def idle(self) -> bool:
        """Has it been asked nothing that it has not answered?"""
        return not self._tasks

    def asked(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have it do something on its loop."""
        context = copy_context()
        context.run(_process.set, self)
        task = self.host.loop.create_task(work(), context=context)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        self.host.loop.until_idle()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.host.failures.append(error)

    def run(self, worker: Worker, lines: int) -> int:
        """Let a thread go on; how many lines are left when it has done what it had to do."""
        left = worker.run(lines)
        self.host.loop.until_idle()
        return left

    def settle(self) -> None:
        """Until both threads have nothing to do."""
        while self.files.busy or self.spool.busy:
            for worker in (self.spool, self.files):
                worker.run()
                self.host.loop.until_idle()

    def kill(self) -> None:
        """Wherever it is."""
        self.opened = False
        upkeep = self.log._upkeep
        for worker in (self.files, self.spool):
            worker.kill()
        for task in (*self._tasks, *([upkeep] if upkeep is not None else ())):
            task.cancel()
        held = self.log._files
        self.files.do(held.close)
        self.host.loop.until_idle()
        for worker in (self.files, self.spool):
            worker.end()

    async def start(self) -> None:
        """Fails as a process that says why and ends."""
        with suppress(ConfigurationError):
            await self.log.open()
            self.opened = True

    async def stop(self) -> None:
        """In good order."""
        self.opened = False
        await self.log.close()


class Host:
    """The machine.

    :ivar gone: seconds since it was started, and before. :ivar set_by: seconds by which its clock is wrong.
    :ivar full: the disk has no room but what was reserved. :ivar broken: processes that cannot read.
    :ivar failures: what went wrong in processes.
    """

    def __init__(self, directory: Path, *, room: int) -> None:
        self.path = directory / "state.db"
        self.room = room
        self.gone, self.set_by, self.boot = 1_000.0, 0.0, 1
        self.full = False
        self.broken: set[Process] = set()
        self.failures: list[BaseException] = []
        self.processes: list[Process] = []
        self.loop = _Loop(self)
        self._ticks = 0
        self._lock: sqlite3.Connection | None = None
        self._patches = ExitStack()
        self._patch()

    def wall(self) -> float:
        """What the clock says."""
        return START + self.gone + self.set_by

    def new(self) -> Process:
        """A process that is about to start."""
        log = SqliteLog(self.path, room=self.room)
        log._files.table._patience = 0.0
        log._board._guard = Guard()  # type: ignore[assignment]  # of threads that stand still
        log._forgetting = Forgetting(self.wall, lambda: self.gone)
        process = Process(self, log)
        self.processes.append(process)
        process.asked(process.start)
        return process

    def kill(self, process: Process) -> None:
        """``kill -9``."""
        process.kill()
        self.processes.remove(process)
        self.broken.discard(process)

    def passes(self, seconds: float) -> None:
        """Time."""
        self.gone += seconds
        self.loop.until_idle()

    def copied(self) -> dict[str, bytes]:
        """What is in the state directory."""
        return {file.name: file.read_bytes() for file in self.path.parent.iterdir()}

    def restore(self, copy: dict[str, bytes]) -> None:
        """Have nothing in it but this."""
        self.unlock()
        for file in self.path.parent.iterdir():
            file.unlink()
        for name, content in copy.items():
            (self.path.parent / name).write_bytes(content)

    def reboot(self) -> None:
        """With another idea of what time it is."""
        for process in list(self.processes):
            self.kill(process)
        self.boot += 1

    @property
    def locked(self) -> bool:
        """Does another program write to the log?"""
        return self._lock is not None

    def lock(self) -> None:
        """Fails when one of ours does."""
        other = sqlite3.connect(self.path, timeout=0, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            other.close()
        else:
            self._lock = other

    def unlock(self) -> None:
        """It has done so."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def has(self, key: str) -> bool:
        """Is there an entry of this key in the file?"""
        with suppress(sqlite3.Error):
            reader = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=0)
            try:
                return reader.execute("SELECT 1 FROM entries WHERE key = ?", (key,)).fetchone() is not None
            finally:
                reader.close()
        return False

    def end(self) -> None:
        """Everything, as it is."""
        self.unlock()
        for process in list(self.processes):
            self.kill(process)
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.passes(60)
        self.loop.close()
        self._patches.close()

    def _patch(self) -> None:
        put = self._patches.enter_context
        for module in (clock, sqlite, files, counter, board, spool, shared_spool):
            put(patch.object(module, "time", self))
        for module in (sqlite, shared_spool):
            put(patch.object(module, "ThreadPoolExecutor", self._thread))
        put(patch.object(files, "boot_id", lambda: f"boot-{self.boot}"))
        put(patch.object(table, "OPEN_PATIENCE", 0.0))
        put(patch.object(spool, "_write", partial(self._write, spool._write)))
        put(patch.object(os, "fsync", lambda _: None))
        for name in ("append", "beat", "keep_pace", "renew", "trim"):
            put(patch.object(table.Table, name, self._writing(getattr(table.Table, name))))
        put(patch.object(table.Table, "tail", self._reading(table.Table.tail)))
        put(patch.object(table.Table, "_prepare", self._preparing(table.Table._prepare)))

    # What the gateway takes for the module `time`.

    def time(self) -> float:
        return self.wall()

    def monotonic(self) -> float:
        worker = Worker.here.get()
        return self.gone + (worker.waited if worker else 0.0)

    def monotonic_ns(self) -> int:
        """Never the same twice."""
        self._ticks += 1
        return self._ticks

    def sleep(self, seconds: float) -> None:
        """For a lock."""
        worker = Worker.here.get()
        assert worker is not None
        worker.waited += seconds

    # What stands for the disk and the threads.

    def _thread(self, _: int, name: str) -> Worker:
        process = _process.get()
        return {"state-log": process.files, "state-spool": process.spool}[name]

    def _write(self, write: Callable[[int, bytes, int], None], fd: int, text: bytes, at: int) -> None:
        if self.full and at + len(text) > board.SIZE + self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(fd, text, at)

    def _writing(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(one: table.Table, *arguments: Any, **named: Any) -> Any:
            if self.full:
                raise _error("database or disk is full", "SQLITE_FULL")
            return work(one, *arguments, **named)

        return wrapped

    def _reading(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(one: table.Table, *arguments: Any) -> Any:
            if any(process.log._files.table is one for process in self.broken):
                raise _error("disk I/O error", "SQLITE_IOERR")
            return work(one, *arguments)

        return wrapped

    @staticmethod
    def _preparing(work: Callable[[table.Table], bool]) -> Callable[[table.Table], bool]:
        def wrapped(one: table.Table) -> bool:
            made = work(one)
            # No power is cut here; every commit would wait for the disk.
            one._connection().execute("PRAGMA synchronous = OFF")
            return made

        return wrapped


def _error(what: str, name: str) -> sqlite3.Error:
    error = sqlite3.OperationalError(what)
    error.sqlite_errorname = name
    return error
