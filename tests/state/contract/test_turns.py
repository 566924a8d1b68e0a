from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from gateway.state.contract.turns import Turn
from gateway.state.sqlite.refreshes import SqliteRefreshes
from tests.fakes.patience import PATIENCE


async def test_of_many_processes_one_has_the_turn(tmp_path: Path) -> None:
    """Until it gives it back; another thing is another turn."""
    sqlite3.connect(tmp_path / "state.db", timeout=PATIENCE).close()
    stores = [SqliteRefreshes(tmp_path / "state.db") for _ in range(3)]
    for store in stores:
        await store.open()
    turns = [Turn(store, "poll:a", 60) for store in stores]
    taken = await asyncio.gather(*(turn.take() for turn in turns))
    assert sorted(taken) == [False, False, True]
    assert await Turn(stores[0], "poll:b", 60).take()
    await turns[taken.index(True)].give_back()
    assert await turns[0].take()
    for store in stores:
        await store.close()


async def test_a_process_that_died_has_it_no_longer(tmp_path: Path) -> None:
    """The lease runs out."""
    sqlite3.connect(tmp_path / "state.db", timeout=PATIENCE).close()
    dead, other = (SqliteRefreshes(tmp_path / "state.db") for _ in range(2))
    await dead.open()
    await other.open()
    assert await Turn(dead, "poll:a", 0).take()
    await dead.close()
    assert await Turn(other, "poll:a", 60).take()
    await other.close()


async def test_without_the_storage_nobody_has_it(tmp_path: Path) -> None:
    """Better nobody than everybody."""
    store = SqliteRefreshes(tmp_path / "nowhere" / "state.db")
    await store.open()
    assert not await Turn(store, "poll:a", 60).take()
    await store.close()
