"""Refreshes of one host, in the file of the revocation log."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.core import clock
from gateway.core.session.revocation_keys import sid_key
from gateway.core.signout.revocation import NewEntry
from gateway.state.contract.refreshes import Granted, Unavailable
from gateway.state.sqlite import refreshes as sqlite_refreshes
from gateway.state.sqlite.log import SqliteLog
from gateway.state.sqlite.refreshes import SqliteRefreshes
from tests.fakes.patience import PATIENCE
from tests.state.refreshes_contract import RefreshesContract


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    """The log, which makes the file; with so much patience that a busy machine makes no test fail."""
    log = SqliteLog(tmp_path / "state.db", deadline=PATIENCE)
    await log.open()
    yield log
    await log.close()


@pytest.fixture
def make(log: SqliteLog, tmp_path: Path) -> Callable[[], SqliteRefreshes]:
    return lambda: SqliteRefreshes(tmp_path / "state.db")


class TestContract(RefreshesContract):
    """The contract, kept in SQLite."""


async def test_the_log_and_the_refreshes_live_in_one_file(log: SqliteLog, tmp_path: Path) -> None:
    """Neither hinders the other, and the log opens again beside the other table."""
    store = SqliteRefreshes(tmp_path / "state.db")
    await store.open()
    entries = [[NewEntry(sid_key(str(n)), clock.now() + 60, "test")] for n in range(20)]
    appended, claims = await asyncio.gather(
        asyncio.gather(*(log.append(entry) for entry in entries)),
        asyncio.gather(*(store.claim(str(n), 0, lease=600) for n in range(20))),
    )
    assert all(answer.durable for answer in appended)
    assert {type(claim) for claim in claims} == {Granted}
    await store.close()
    await log.close()
    await log.open()
    assert len(log.index) == 20


async def test_without_its_file_it_is_unavailable(tmp_path: Path) -> None:
    """No empty file is made in the log's place, nothing is raised, and nobody is told to refresh."""
    store = SqliteRefreshes(tmp_path / "state.db")
    await store.open()
    assert isinstance(await store.claim("s", 0, lease=600), Unavailable)
    assert isinstance(await store.later("s", 0), Unavailable)
    assert isinstance(await store.renew("s", 0, lease=600), Unavailable)
    assert await store.publish("s", 1, b"sealed", visible=60, keep=60) is None
    await store.release("s", 0)
    assert not (tmp_path / "state.db").exists()
    await store.close()


async def test_a_file_that_is_held_is_not_waited_for(
    log: SqliteLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer comes in its time, whoever has the file; it works again when that is over."""
    monkeypatch.setattr(sqlite_refreshes, "WITHIN", 0.05)
    store = SqliteRefreshes(tmp_path / "state.db")
    await store.open()
    with sqlite3.connect(tmp_path / "state.db", timeout=PATIENCE, isolation_level=None) as db:
        db.execute("BEGIN EXCLUSIVE")
        assert isinstance(await asyncio.wait_for(store.claim("s", 0, lease=600), PATIENCE), Unavailable)
        db.execute("ROLLBACK")
    db.close()
    monkeypatch.setattr(sqlite_refreshes, "WITHIN", PATIENCE)
    async with asyncio.timeout(PATIENCE):
        while not isinstance(await store.claim("s", 0, lease=600), Granted):
            await asyncio.sleep(0.05)
    await store.close()


async def test_what_nobody_can_need_is_deleted(
    log: SqliteLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table does not grow for ever."""
    store = SqliteRefreshes(tmp_path / "state.db")
    await store.open()
    for n in range(10):
        await store.claim(str(n), 0, lease=300, keep=600)
        await store.publish(str(n), 1, b"sealed", visible=300, keep=600)
    true = clock.now
    monkeypatch.setattr(clock, "now", lambda: true() + sqlite_refreshes.TRIM_EVERY + 601)
    await store.claim("last", 0, lease=600)
    with sqlite3.connect(tmp_path / "state.db", timeout=PATIENCE) as db:
        assert db.execute("SELECT sid FROM refreshes").fetchall() == []
        assert db.execute("SELECT sid FROM refresh_tries").fetchall() == [("last",)]
    db.close()
    await store.close()
