"""Refreshes of one host: a table beside the revocation log, in the same SQLite file."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path
from typing import Final

from gateway.core import clock
from gateway.state.refreshes import Busy, Claim, Granted, Outdated, Succeeded, Unavailable
from gateway.state.sqlite_side import SideTable

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


class SqliteRefreshes:
    """See :class:`gateway.state.refreshes.Refreshes` for the contract.

    :param path: of the revocation log; its directory exists, and the log makes the file.
    """

    def __init__(self, path: Path) -> None:
        self._table = SideTable(path, _SCHEMA)
        self._trimmed_at = 0

    async def open(self) -> None:
        """Start the thread."""
        self._table.open()

    async def close(self) -> None:
        """End the thread."""
        self._table.close()

    async def claim(self, sid: str, generation: int, *, lease: int) -> Claim:
        """One transaction, so that of two processes one is granted it."""
        answer = await self._table.ask(partial(self._claim, sid, generation, lease))
        return Unavailable("the state file does not answer") if answer is None else answer

    async def later(self, sid: str, generation: int) -> Succeeded | Outdated | None:
        """A read."""
        return await self._table.ask(lambda db: _later(db, sid, generation, clock.now()))

    async def publish(self, sid: str, generation: int, sealed: bytes, *, visible: int, keep: int) -> bool:
        """Replaces what is known, unless that is as late."""
        now = clock.now()
        row = (sid, generation, sealed, now + visible, now + max(visible, keep))
        return bool(await self._table.ask(lambda db: _published(db, row)))

    async def release(self, sid: str, generation: int) -> None:
        """Ends the lease."""
        ended = "UPDATE refreshes SET leased_until = 0 WHERE sid = ? AND generation = ?"
        await self._table.ask(lambda db: db.execute(ended, (sid, generation)).rowcount)

    def _claim(self, sid: str, generation: int, lease: int, db: sqlite3.Connection) -> Claim:
        now = clock.now()
        if now - self._trimmed_at >= TRIM_EVERY:
            self._trimmed_at = now
            db.execute("DELETE FROM refreshes WHERE expires <= ?", (now,))
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


def _later(db: sqlite3.Connection, sid: str, generation: int, now: int) -> Succeeded | Outdated | None:
    found = db.execute(
        "SELECT generation, sealed, visible_until FROM refreshes WHERE sid = ? AND generation > ? AND expires > ?",
        (sid, generation, now),
    ).fetchone()
    if found is None:
        return None
    known, sealed, visible_until = found
    return Succeeded(known, bytes(sealed)) if sealed is not None and now < visible_until else Outdated(known)


def _published(db: sqlite3.Connection, row: tuple[str, int, bytes, int, int]) -> bool:
    done = db.execute(
        "INSERT INTO refreshes VALUES (?, ?, ?, ?, 0, ?)"
        " ON CONFLICT (sid) DO UPDATE SET generation = excluded.generation, sealed = excluded.sealed,"
        " visible_until = excluded.visible_until, leased_until = 0, expires = excluded.expires"
        " WHERE generation < excluded.generation",
        row,
    )
    return done.rowcount > 0
