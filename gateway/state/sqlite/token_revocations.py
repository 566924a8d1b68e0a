"""Refresh tokens to be revoked, of one host: a table beside the revocation log, in the same SQLite file."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from gateway.core import clock
from gateway.state.contract.token_revocations import AT_ONCE, LARGEST, MOST, SLOTS, Taken, Waiting
from gateway.state.sqlite.companion import WITHIN, CompanionTable, Job, SqliteCompanionStore

_T = TypeVar("_T")
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS token_revocations (
    sid TEXT NOT NULL,
    slot INTEGER NOT NULL,
    due INTEGER NOT NULL,
    latest INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (sid, slot)
)
"""


class SqliteTokenRevocations(SqliteCompanionStore):
    """See :class:`gateway.state.contract.token_revocations.TokenRevocations` for the contract.

    :param path: of the revocation log; its directory exists, and the log makes the file.
    :param within: seconds in which the file has to answer.
    """

    def __init__(self, path: Path, *, within: float = WITHIN) -> None:
        self._table = CompanionTable(path, _SCHEMA)
        super().__init__(self._table)
        self._within = within

    async def park(self, sid: str, sealed: bytes, *, due: int, latest: int, keep: int) -> bool:
        """One transaction, on the disk when it is answered."""
        if len(sealed) > LARGEST:
            return False
        now = clock.now()
        times = (now + min(due, latest), now + latest, now + keep)
        return bool(await self._ask(partial(_park, sid, sealed, times)))

    async def move(self, sid: str, *, due: int) -> int | None:
        """One statement."""
        moved = "UPDATE token_revocations SET due = min(latest, ?) WHERE sid = ? AND tries = 0"
        at = clock.now() + due
        return await self._ask(lambda db: db.execute(moved, (at, sid)).rowcount)

    async def take(self, *, lease: int) -> list[Taken]:
        """One transaction, so that of two processes one is given a record."""
        return await self._ask(partial(_take, lease)) or []

    async def put_off(self, name: str, *, due: int) -> None:
        """One statement."""
        sid, _, slot = name.rpartition("/")
        later = "UPDATE token_revocations SET due = ? WHERE sid = ? AND slot = ?"
        at = clock.now() + due
        await self._ask(lambda db: db.execute(later, (at, sid, int(slot))).rowcount)

    async def finish(self, name: str) -> None:
        """One statement."""
        sid, _, slot = name.rpartition("/")
        gone = "DELETE FROM token_revocations WHERE sid = ? AND slot = ?"
        await self._ask(lambda db: db.execute(gone, (sid, int(slot))).rowcount)

    async def waiting(self) -> Waiting | None:
        """Hinders nobody who writes."""
        counted = "SELECT count(*), min(due) FROM token_revocations"
        row = await self._ask(lambda db: db.execute(counted).fetchone(), writes=False)
        if row is None:
            return None
        count, due = row
        return Waiting(count, None if due is None else due - clock.now())

    async def _ask(self, job: Job[_T], *, writes: bool = True) -> _T | None:
        return await self._table.ask(job, within=self._within, writes=writes)


def _park(sid: str, sealed: bytes, times: tuple[int, int, int], db: sqlite3.Connection) -> bool:
    known = dict(db.execute("SELECT slot, sealed FROM token_revocations WHERE sid = ?", (sid,)).fetchall())
    if sealed in known.values():
        return True
    free = next((slot for slot in range(SLOTS) if slot not in known), None)
    (count,) = db.execute("SELECT count(*) FROM token_revocations").fetchone()
    if free is None or count >= MOST:
        return False
    db.execute("INSERT INTO token_revocations VALUES (?, ?, ?, ?, ?, 0, ?)", (sid, free, *times, sealed))
    return True


def _take(lease: int, db: sqlite3.Connection) -> list[Taken]:
    now = clock.now()
    found = db.execute(
        "SELECT sid, slot, sealed, tries + 1, deadline - ? FROM token_revocations"
        " WHERE due <= ? ORDER BY due LIMIT ?",
        (now, now, AT_ONCE),
    ).fetchall()
    taken = "UPDATE token_revocations SET tries = tries + 1, due = ? WHERE sid = ? AND slot = ?"
    db.executemany(taken, [(now + lease, sid, slot) for sid, slot, *_ in found])
    return [Taken(f"{sid}/{slot}", bytes(sealed), tries, left) for sid, slot, sealed, tries, left in found]
