"""Refreshes of one host: two tables beside the revocation log, in the same SQLite file.

``refreshes`` has the latest generation published of each session, ``refresh_tries`` who is at it: the last generation
that was to be refreshed, how that stands (``open``, ``spent`` when nobody knows what came of it, ``kept`` when nothing
did), and in ``doubt`` the last one whose token may have been sent twice in vain.
"""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path
from typing import Final

from gateway.core import clock, dice
from gateway.state.contract.refreshes import (
    Ahead,
    Busy,
    Claim,
    Granted,
    Later,
    Outdated,
    Succeeded,
    Unavailable,
)
from gateway.state.sqlite.companion import CompanionTable, SqliteCompanionStore

TRIM_EVERY: Final = 60
"""Seconds."""
WITHIN: Final = 1.0
"""Seconds in which each question is answered: no request waits for these."""
NO_ANSWER: Final = Unavailable("the state file does not answer")
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS refreshes (
    sid TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    sealed BLOB,
    visible_until INTEGER NOT NULL,
    leased_until INTEGER NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refresh_tries (
    sid TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    stands TEXT NOT NULL,
    doubt INTEGER NOT NULL,
    holder TEXT NOT NULL,
    leased_until INTEGER NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID
"""


class SqliteRefreshes(SqliteCompanionStore):
    """See :class:`gateway.state.contract.refreshes.Refreshes` for the contract.

    :param path: of the revocation log; its directory exists, and the log makes the file.
    """

    def __init__(self, path: Path) -> None:
        self._table = CompanionTable(path, _SCHEMA)
        super().__init__(self._table)
        self._name = dice.token(9)
        self._trimmed_at = 0

    async def claim(self, sid: str, generation: int, *, lease: int, keep: int = 0) -> Claim:
        """One transaction, so that of two processes one is granted it."""
        trying = partial(self._try, sid, generation, lease, keep, renewing=False)
        return await self._table.ask(trying, within=WITHIN) or NO_ANSWER

    async def renew(self, sid: str, generation: int, *, lease: int, keep: int = 0) -> Claim:
        """One transaction; a lease that ran out and that nobody has taken is ours again."""
        trying = partial(self._try, sid, generation, lease, keep, renewing=True)
        return await self._table.ask(trying, within=WITHIN) or NO_ANSWER

    async def later(self, sid: str, generation: int) -> Later | Unavailable | None:
        """A read."""
        # In a tuple: there may be none, which is an answer too.
        found = await self._table.ask(lambda db: (_later(db, sid, generation, clock.now()),), within=WITHIN)
        return NO_ANSWER if found is None else found[0]

    async def publish(
        self, sid: str, generation: int, sealed: bytes, *, visible: int, keep: int
    ) -> bool | None:
        """Replaces what is known, unless that is as late."""
        now = clock.now()
        row = (sid, generation, sealed, now + visible, now + max(visible, keep))
        return await self._table.ask(lambda db: _published(db, row, self._name), within=WITHIN)

    async def release(self, sid: str, generation: int, *, spent: bool = False) -> None:
        """Ends the lease, if it is still ours."""
        ended = "UPDATE refresh_tries SET leased_until = 0, stands = ? WHERE sid = ? AND generation = ? AND holder = ?"
        row = ("spent" if spent else "kept", sid, generation, self._name)
        await self._table.ask(lambda db: db.execute(ended, row).rowcount, within=WITHIN)

    def _try(
        self, sid: str, generation: int, lease: int, keep: int, db: sqlite3.Connection, *, renewing: bool
    ) -> Claim:
        now = clock.now()
        if now - self._trimmed_at >= TRIM_EVERY:
            self._trimmed_at = now
            db.execute("DELETE FROM refreshes WHERE expires <= ?", (now,))
            db.execute("DELETE FROM refresh_tries WHERE expires <= ?", (now,))
        found = _later(db, sid, generation, now)
        if found is not None:
            return found
        last, stands, doubt, holder, leased_until = _tries(db, sid, now)
        if last > generation:
            return Ahead()
        if now < leased_until and not (renewing and holder == self._name):
            return Busy()
        again = not renewing and last == generation and stands != "kept"
        doubt = generation if again else doubt
        db.execute(
            "INSERT OR REPLACE INTO refresh_tries VALUES (?, ?, 'open', ?, ?, ?, ?)",
            (sid, generation, doubt, self._name, now + lease, now + max(lease, keep)),
        )
        return Granted(sure=doubt < generation - 1, lapsed=again and stands == "open")


def _tries(db: sqlite3.Connection, sid: str, now: int) -> tuple[int, str, int, str, int]:
    """Generation, how it stands, doubt, holder, end of the lease."""
    found: tuple[int, str, int, str, int] | None = db.execute(
        "SELECT generation, stands, doubt, holder, leased_until FROM refresh_tries WHERE sid = ? AND expires > ?",
        (sid, now),
    ).fetchone()
    return found or (-1, "kept", -2, "", 0)


def _later(db: sqlite3.Connection, sid: str, generation: int, now: int) -> Later | None:
    found = db.execute(
        "SELECT generation, sealed, visible_until FROM refreshes WHERE sid = ? AND generation > ? AND expires > ?",
        (sid, generation, now),
    ).fetchone()
    if found is None:
        return None
    known, sealed, visible_until = found
    return Succeeded(known, bytes(sealed)) if sealed is not None and now < visible_until else Outdated(known)


def _published(db: sqlite3.Connection, row: tuple[str, int, bytes, int, int], holder: str) -> bool:
    sid, generation, *_ = row
    done = db.execute(
        "INSERT INTO refreshes VALUES (?, ?, ?, ?, 0, ?)"
        " ON CONFLICT (sid) DO UPDATE SET generation = excluded.generation, sealed = excluded.sealed,"
        " visible_until = excluded.visible_until, leased_until = 0, expires = excluded.expires"
        " WHERE generation < excluded.generation OR (generation = excluded.generation AND sealed = excluded.sealed)",
        row,
    )
    if done.rowcount > 0:
        # Whoever was granted a token last and got another one for it has shown that it was good.
        db.execute(
            "UPDATE refresh_tries SET leased_until = 0, doubt = CASE holder WHEN ? THEN -2 ELSE doubt END"
            " WHERE sid = ? AND generation < ?",
            (holder, sid, generation),
        )
        return True
    # Where two have got one each for the same token, a refusal of either says nothing of the other.
    db.execute(
        "UPDATE refresh_tries SET doubt = max(doubt, ?)"
        " WHERE sid = ? AND EXISTS (SELECT 1 FROM refreshes WHERE sid = ? AND generation = ?)",
        (generation, sid, sid, generation),
    )
    return False
