"""Tables beside the revocation log, in the same SQLite file: jobs on a thread of their own, each one transaction.

The file is opened for each job, for jobs are rare and the file may be replaced. The log makes it; nothing here does.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from gateway.telemetry.log import get_logger

WITHIN: Final = 0.25
"""Seconds in which every job is answered."""
_T = TypeVar("_T")
Job = Callable[[sqlite3.Connection], _T]
_log = get_logger("state")


class CompanionTable:
    """Runs jobs on one table.

    :param path: of the revocation log. :param schema: makes the table where there is none; several statements have
        semicolons between them.
    :param lasting: a job that is answered survives a power cut.
    """

    def __init__(self, path: Path, schema: str, *, lasting: bool = True) -> None:
        self._path = path
        self._schema = schema
        self._lasting = lasting
        self._thread: ThreadPoolExecutor | None = None

    def open(self) -> None:
        """Start the thread. To be called after a fork."""
        self._thread = ThreadPoolExecutor(1, "state-companion")

    def close(self) -> None:
        """End it. May be called twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown(wait=False)

    async def ask(self, job: Job[_T], *, within: float = WITHIN, writes: bool = True) -> _T | None:
        """The answer of ``job``; None when there was trouble, or it took too long: then nothing was done.

        :param writes: False for a job that only reads: it neither waits for who writes nor keeps anybody from it.
        :raises RuntimeError: it is not open.
        """
        if self._thread is None:
            raise RuntimeError("the state is not open")
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._thread, self._transaction, job, time.monotonic() + within, writes)
        await asyncio.wait({asked}, timeout=within)
        if not asked.done():
            asked.add_done_callback(_looked_at)
            return None
        if (error := asked.exception()) is not None:
            _log.warning("state_unavailable", why=str(error))
            return None
        return asked.result()

    def _transaction(self, job: Job[_T], until: float, writes: bool) -> _T:
        # mode=rw: where the log's file has vanished, an empty one must not take its place.
        address = f"file:{quote(str(self._path))}?mode=rw"
        patience = max(0.0, until - time.monotonic())
        with closing(sqlite3.connect(address, uri=True, timeout=patience, isolation_level=None)) as db:
            if not self._lasting:
                db.execute("PRAGMA synchronous = NORMAL")
            db.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            try:
                if time.monotonic() >= until:  # nobody waits any more
                    raise TimeoutError("the state file was busy")
                for statement in self._schema.split(";"):
                    db.execute(statement)
                answer = job(db)
                db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise
            return answer


class SqliteCompanionStore:
    """What keeps its things in the log's file."""

    def __init__(self, *tables: CompanionTable) -> None:
        self._tables = tables

    async def open(self) -> None:
        """Start the threads."""
        for table in self._tables:
            table.open()

    async def close(self) -> None:
        """End the threads."""
        for table in self._tables:
            table.close()


def _looked_at(asked: asyncio.Future[Any]) -> None:
    """Look at the outcome of a late job, so that it is not reported as lost."""
    if not asked.cancelled():
        asked.exception()
