"""Refreshes of one host: a table beside the revocation log, in the same SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from gateway.core import clock
from gateway.state.refreshes import WITHIN, Busy, Claim, Granted, Outdated, Succeeded, Unavailable
from gateway.telemetry.log import get_logger

TRIM_EVERY: Final = 60
"""Seconds."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS refreshes (
    sid TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    sealed BLOB,
    visible_until INTEGER NOT NULL,
    leased_until INTEGER NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID
"""
_T = TypeVar("_T")
_log = get_logger("state")


class SqliteRefreshes:
    """See :class:`gateway.state.refreshes.Refreshes` for the contract.

    :param path: of the revocation log; its directory exists, and the log makes the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread: ThreadPoolExecutor | None = None
        self._trimmed_at = 0

    async def open(self) -> None:
        """Start the thread; the file is opened for each job, for jobs are rare and files get replaced."""
        self._thread = ThreadPoolExecutor(1, "state-refreshes")

    async def close(self) -> None:
        """End the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown(wait=False)

    async def claim(self, sid: str, generation: int, *, lease: int) -> Claim:
        """One transaction, so that of two processes one is granted it."""
        answer = await self._ask(partial(self._claim, sid, generation, lease))
        return Unavailable("the state file does not answer") if answer is None else answer

    async def later(self, sid: str, generation: int) -> Succeeded | Outdated | None:
        """A read."""
        return await self._ask(lambda db: _later(db, sid, generation, clock.now()))

    async def publish(self, sid: str, generation: int, sealed: bytes, *, visible: int, keep: int) -> bool:
        """Replaces what is known, unless that is as late."""
        return bool(await self._ask(partial(self._publish, sid, generation, sealed, visible, keep)))

    async def release(self, sid: str, generation: int) -> None:
        """Ends the lease."""
        await self._ask(
            lambda db: db.execute(
                "UPDATE refreshes SET leased_until = 0 WHERE sid = ? AND generation = ?", (sid, generation)
            )
        )

    def _claim(self, sid: str, generation: int, lease: int, db: sqlite3.Connection) -> Claim:
        now = clock.now()
        self._trim(db, now)
        found = _later(db, sid, generation, now)
        if found is not None:
            return found
        taken = db.execute(
            "INSERT INTO refreshes VALUES (:sid, :generation, NULL, 0, :until, :until)"
            " ON CONFLICT (sid) DO UPDATE SET leased_until = :until, expires = max(expires, :until)"
            " WHERE leased_until <= :now",
            {"sid": sid, "generation": generation, "until": now + lease, "now": now},
        )
        return Granted() if taken.rowcount else Busy()

    def _publish(
        self, sid: str, generation: int, sealed: bytes, visible: int, keep: int, db: sqlite3.Connection
    ) -> bool:
        now = clock.now()
        done = db.execute(
            "INSERT INTO refreshes VALUES (?, ?, ?, ?, 0, ?)"
            " ON CONFLICT (sid) DO UPDATE SET generation = excluded.generation, sealed = excluded.sealed,"
            " visible_until = excluded.visible_until, leased_until = 0, expires = excluded.expires"
            " WHERE generation < excluded.generation",
            (sid, generation, sealed, now + visible, now + max(visible, keep)),
        )
        return done.rowcount > 0

    def _trim(self, db: sqlite3.Connection, now: int) -> None:
        if now - self._trimmed_at >= TRIM_EVERY:
            self._trimmed_at = now
            db.execute("DELETE FROM refreshes WHERE expires <= ?", (now,))

    async def _ask(self, job: Callable[[sqlite3.Connection], _T]) -> _T | None:
        """The answer of ``job``; None when there was trouble, or it took too long."""
        if self._thread is None:
            raise RuntimeError("the refreshes are not open")
        asked = asyncio.get_running_loop().run_in_executor(
            self._thread, self._transaction, job, time.monotonic() + WITHIN
        )
        await asyncio.wait({asked}, timeout=WITHIN)
        if not asked.done():
            asked.add_done_callback(_seen)
            return None
        if (error := asked.exception()) is not None:
            _log.warning("refreshes_unavailable", why=str(error))
            return None
        return asked.result()

    def _transaction(self, job: Callable[[sqlite3.Connection], _T], until: float) -> _T:
        # mode=rw: where the log's file has vanished, an empty one must not take its place.
        address = f"file:{quote(str(self._path))}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=WITHIN, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                if time.monotonic() >= until:  # nobody waits any more: a lease granted now would only hinder
                    raise TimeoutError("the state file was busy")
                db.execute(_SCHEMA)
                answer = job(db)
                db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise
            return answer


def _later(db: sqlite3.Connection, sid: str, generation: int, now: int) -> Succeeded | Outdated | None:
    found = db.execute(
        "SELECT generation, sealed, visible_until FROM refreshes WHERE sid = ? AND generation > ? AND expires > ?",
        (sid, generation, now),
    ).fetchone()
    if found is None:
        return None
    known, sealed, visible_until = found
    return Succeeded(known, bytes(sealed)) if sealed is not None and now < visible_until else Outdated(known)


def _seen(asked: asyncio.Future[Any]) -> None:
    """Look at the outcome of a late job, so that it is not reported as lost."""
    if not asked.cancelled():
        asked.exception()
