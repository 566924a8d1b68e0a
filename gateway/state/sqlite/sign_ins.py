"""The list of sign-ins of one host: tables beside the revocation log, in the same SQLite file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gateway.core import clock
from gateway.core.session.sign_in import Sighting, SignIn
from gateway.state.contract.sign_ins import UNKNOWN, Listed
from gateway.state.sqlite.companion import CompanionTable, SqliteCompanionStore

TRIM_EVERY: Final = 60
"""Seconds."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS sign_ins (
    sid TEXT PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    aliases TEXT NOT NULL,
    log_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    user TEXT NOT NULL,
    email TEXT,
    login_at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    agent TEXT NOT NULL,
    client TEXT NOT NULL,
    seen_at INTEGER NOT NULL
) WITHOUT ROWID
"""


class SqliteSignIns(SqliteCompanionStore):
    """See :class:`gateway.state.contract.sign_ins.SignIns` for the contract. A power cut may cost the last of them.

    :param path: of the revocation log.
    """

    def __init__(self, path: Path) -> None:
        self._table = CompanionTable(path, _SCHEMA, lasting=False)
        self._asked = CompanionTable(path, _SCHEMA, lasting=False)
        super().__init__(self._table, self._asked)
        self._trimmed_at = 0

    async def record(self, sign_in: SignIn) -> bool:
        """One row."""
        row = _row(sign_in)

        def insert(db: sqlite3.Connection) -> bool:
            self._trim(db)
            db.execute("INSERT OR REPLACE INTO sign_ins VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            return True

        return bool(await self._table.ask(insert))

    async def note(self, sightings: Mapping[str, Sighting]) -> bool:
        """All in one transaction."""
        rows = [(seen.at, seen.client, sid, seen.at) for sid, seen in sightings.items()]

        def update(db: sqlite3.Connection) -> bool:
            db.executemany("UPDATE sign_ins SET seen_at = ?, client = ? WHERE sid = ? AND seen_at < ?", rows)
            return True

        return bool(await self._table.ask(update))

    async def of(self, issuer: str, subject: str, *, limit: int) -> Listed:
        """By subject; the table is small enough to be read through for a page that people open now and then."""
        return await self._listed("issuer = ? AND subject = ?", (issuer, subject), limit)

    async def all(self, *, limit: int) -> Listed:
        """Every row."""
        return await self._listed("1", (), limit)

    async def known(self, alias: str) -> bool | None:
        """In the lists of all rows: it is asked seldom, and about a table that holds no more than is alive. Strangers
        bring it about, so it has a thread of its own, and nobody who writes has to wait for it.
        """
        among = "sign_ins, json_each(aliases) AS one"
        question = f"SELECT 1 FROM {among} WHERE one.value = ? AND until > ? LIMIT 1"  # noqa: S608 - our own text
        values = (alias, clock.now())
        return await self._asked.ask(
            lambda db: db.execute(question, values).fetchone() is not None, writes=False
        )

    async def forget(self, sids: Sequence[str]) -> None:
        """By sid."""
        rows = [(sid,) for sid in sids]
        await self._table.ask(lambda db: db.executemany("DELETE FROM sign_ins WHERE sid = ?", rows).rowcount)

    async def _listed(self, where: str, values: tuple[str, ...], limit: int) -> Listed:
        now = clock.now()

        def select(db: sqlite3.Connection) -> Listed:
            alive = f"FROM sign_ins WHERE {where} AND until > ?"
            (total,) = db.execute(f"SELECT count(*) {alive}", (*values, now)).fetchone()
            rows = db.execute(
                f"SELECT * {alive} ORDER BY seen_at DESC, login_at DESC, sid LIMIT ?", (*values, now, limit)
            )
            return Listed(tuple(_sign_in(row) for row in rows), total)

        return await self._table.ask(select) or UNKNOWN

    def _trim(self, db: sqlite3.Connection) -> None:
        now = clock.now()
        if now - self._trimmed_at >= TRIM_EVERY:
            self._trimmed_at = now
            db.execute("DELETE FROM sign_ins WHERE until <= ?", (now,))


def _row(one: SignIn) -> tuple[object, ...]:
    return (
        one.sid, one.issuer, one.subject, json.dumps(one.aliases), one.log_id, one.position, one.user, one.email,
        one.login_at, one.until, one.agent, one.client, one.seen_at,
    )  # fmt: skip


def _sign_in(row: tuple[Any, ...]) -> SignIn:
    sid, issuer, subject, aliases, *others = row
    return SignIn(sid, issuer, subject, tuple(json.loads(aliases)), *others)
