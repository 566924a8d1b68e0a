"""Tables beside the log: each job one transaction, in its time, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.state.sqlite.companion import CompanionTable
from tests.fakes.patience import PATIENCE

SCHEMA = "CREATE TABLE IF NOT EXISTS notes (text TEXT)"


@pytest.fixture
async def table(tmp_path: Path) -> AsyncIterator[CompanionTable]:
    sqlite3.connect(tmp_path / "state.db", timeout=PATIENCE).close()
    (tmp_path / "state.db").touch()
    made = CompanionTable(tmp_path / "state.db", SCHEMA)
    made.open()
    yield made
    made.close()


def _count(db: sqlite3.Connection) -> int:
    (count,) = db.execute("SELECT count(*) FROM notes").fetchone()
    return int(count)


async def test_a_job_that_fails_leaves_nothing(table: CompanionTable) -> None:
    """All of it or nothing of it."""

    def half(db: sqlite3.Connection) -> int:
        db.execute("INSERT INTO notes VALUES ('a')")
        raise sqlite3.OperationalError("disk full")

    assert await table.ask(half) is None
    assert await table.ask(_count) == 0


async def test_a_job_that_came_too_late_is_not_done(table: CompanionTable, tmp_path: Path) -> None:
    """Whoever asked has gone on without it."""

    def insert(db: sqlite3.Connection) -> int:
        return db.execute("INSERT INTO notes VALUES ('late')").rowcount

    with sqlite3.connect(tmp_path / "state.db", timeout=PATIENCE, isolation_level=None) as db:
        db.execute("BEGIN EXCLUSIVE")
        assert await table.ask(insert, within=0.1) is None
        db.execute("ROLLBACK")
    db.close()
    assert await table.ask(_count) == 0  # behind it, on the same thread


async def test_a_file_that_was_replaced_is_found_again(table: CompanionTable, tmp_path: Path) -> None:
    """The file is opened anew for each job."""
    await table.ask(lambda db: db.execute("INSERT INTO notes VALUES ('a')").rowcount)
    (tmp_path / "state.db").unlink()
    assert await table.ask(_count) is None
    (tmp_path / "state.db").touch()
    assert await table.ask(_count) == 0


async def test_who_only_reads_waits_for_nobody_who_writes(table: CompanionTable, tmp_path: Path) -> None:
    """Nor the other way round: the log is written by others while it reads."""
    await table.ask(lambda db: db.execute("PRAGMA user_version").fetchone())
    with sqlite3.connect(tmp_path / "state.db", timeout=PATIENCE, isolation_level=None) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO notes VALUES ('a')")
        assert await table.ask(_count, within=PATIENCE, writes=False) == 0
        assert await table.ask(_count, within=0.1) is None
        db.execute("COMMIT")
    db.close()
    assert await table.ask(_count, within=PATIENCE, writes=False) == 1
