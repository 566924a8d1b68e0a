"""The list of sign-ins of one host, in the file of the revocation log."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.core import clock
from gateway.state.contract.sign_ins import UNKNOWN
from gateway.state.sqlite import sign_ins as sqlite_sign_ins
from gateway.state.sqlite.log import SqliteLog
from gateway.state.sqlite.sign_ins import SqliteSignIns
from tests.fakes.patience import PATIENCE
from tests.state.sign_ins_contract import SignInsContract, sign_in


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    """The log, which makes the file."""
    log = SqliteLog(tmp_path / "state.db")
    await log.open()
    yield log
    await log.close()


@pytest.fixture
def make(log: SqliteLog, tmp_path: Path) -> Callable[[], SqliteSignIns]:
    return lambda: SqliteSignIns(tmp_path / "state.db")


class TestContract(SignInsContract):
    """The contract, kept in SQLite."""


async def test_without_its_file_nothing_is_known(tmp_path: Path) -> None:
    """And it is said so; no empty file takes the log's place."""
    made = SqliteSignIns(tmp_path / "state.db")
    await made.open()
    assert not await made.record(sign_in("a"))
    assert await made.all(limit=10) == UNKNOWN
    assert await made.known("isid:x|y") is None
    await made.forget(["a"])
    assert not (tmp_path / "state.db").exists()
    await made.close()


async def test_r20_however_much_strangers_ask_sign_ins_are_recorded(log: SqliteLog, tmp_path: Path) -> None:
    """Their questions wait for each other, and nobody else for them."""
    made, answered = SqliteSignIns(tmp_path / "state.db"), threading.Event()
    await made.open()
    assert await made.record(sign_in("a"))
    asked = asyncio.create_task(
        made._asked.ask(lambda _: answered.wait(PATIENCE), within=PATIENCE, writes=False)
    )
    await asyncio.sleep(0)
    waiting = asyncio.create_task(made.known("isid:x|y"))
    assert await made.record(sign_in("b"))
    assert (await made.all(limit=9)).total == 2
    assert not waiting.done()
    answered.set()
    assert await asked is True
    assert await waiting is False
    assert await made.known(sign_in("b").aliases[0]) is True
    await made.close()


async def test_what_is_over_is_deleted(
    log: SqliteLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table does not grow for ever."""
    made = SqliteSignIns(tmp_path / "state.db")
    await made.open()
    for number in range(10):
        await made.record(sign_in(str(number), lives=1))
    true = clock.now
    monkeypatch.setattr(clock, "now", lambda: true() + sqlite_sign_ins.TRIM_EVERY + 2)
    await made.record(sign_in("last"))
    with sqlite3.connect(tmp_path / "state.db", timeout=PATIENCE) as db:
        assert db.execute("SELECT sid FROM sign_ins").fetchall() == [("last",)]
    db.close()
    await made.close()
