"""Token revocations of one host, in the file of the revocation log."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.state.sqlite import token_revocations as sqlite_token_revocations
from gateway.state.sqlite.log import SqliteLog
from gateway.state.sqlite.token_revocations import SqliteTokenRevocations
from tests.fakes.patience import PATIENCE
from tests.state.parking import Parking
from tests.state.token_revocations_contract import DAY, TokenRevocationsContract

AMPLE = PATIENCE
"""Seconds; how fast a machine is decides no test."""


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    """The log, which makes the file."""
    log = SqliteLog(tmp_path / "state.db")
    await log.open()
    yield log
    await log.close()


@pytest.fixture
def make(log: SqliteLog, tmp_path: Path) -> Callable[[], SqliteTokenRevocations]:
    return lambda: SqliteTokenRevocations(tmp_path / "state.db", within=AMPLE)


class TestContract(TokenRevocationsContract):
    """The contract, kept in SQLite."""

    most_module = sqlite_token_revocations


async def test_what_a_killed_process_had_parked_or_taken_is_there(log: SqliteLog, tmp_path: Path) -> None:
    """SIGKILL while it parks and takes: nothing that it was told is kept is lost, whoever had taken it."""
    with Parking(str(tmp_path / "state.db")) as peer:
        parked = [peer.line() for _ in range(8)]
        parked += peer.kill()
    store = SqliteTokenRevocations(tmp_path / "state.db", within=AMPLE)
    await store.open()
    kept = await everything(store, tmp_path)
    assert set(parked) <= kept
    await store.close()


async def everything(store: SqliteTokenRevocations, tmp_path: Path) -> set[str]:
    """Take all there is, as if every lease were over."""
    with sqlite3.connect(tmp_path / "state.db", timeout=PATIENCE) as db:
        db.execute("UPDATE token_revocations SET due = 0")
    db.close()
    found: set[str] = set()
    while taken := await store.take(lease=600):
        found |= {each.sealed.decode() for each in taken}
    return found


async def test_without_its_file_nothing_is_kept(tmp_path: Path) -> None:
    """No empty file is made in the log's place, nothing is raised, and nobody is told that it is kept."""
    store = SqliteTokenRevocations(tmp_path / "state.db")
    await store.open()
    assert not await store.park("s", b"sealed", due=0, latest=60, keep=DAY)
    assert await store.move("s", due=0) is None
    assert await store.take(lease=30) == []
    assert await store.waiting() is None
    await store.put_off("s/0", due=0)
    await store.finish("s/0")
    assert not (tmp_path / "state.db").exists()
    await store.close()


async def test_a_file_that_is_held_is_not_waited_for(log: SqliteLog, tmp_path: Path) -> None:
    """The answer comes in its time, whoever has the file; it works again when that is over."""
    store = SqliteTokenRevocations(tmp_path / "state.db", within=0.1)
    await store.open()
    with sqlite3.connect(tmp_path / "state.db", timeout=PATIENCE, isolation_level=None) as db:
        db.execute("BEGIN EXCLUSIVE")
        assert not await asyncio.wait_for(store.park("s", b"sealed", due=0, latest=60, keep=DAY), PATIENCE)
        db.execute("ROLLBACK")
    db.close()
    store._within = PATIENCE
    async with asyncio.timeout(PATIENCE):
        while not await store.park("s", b"sealed", due=0, latest=60, keep=DAY):
            await asyncio.sleep(0.05)
    await store.close()
