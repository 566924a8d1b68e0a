"""What is remembered of the state beside the log, filled with the largest that gets in."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.core import clock
from gateway.core.signout.revocation import NewEntry, RevocationIndex
from gateway.state.contract.board import Marks
from gateway.state.contract.counter import Counter
from gateway.state.contract.outbox import Outbox
from gateway.state.contract.spool import Batch, Spool
from gateway.state.redis.companion import CompanionLink
from gateway.state.redis.place import RedisPlace
from gateway.state.redis.refreshes import RedisRefreshes, _Published
from gateway.state.redis.tickets import RedisTickets
from gateway.state.sqlite.files import LogFiles, LogSnapshot
from gateway.state.sqlite.spool import SqliteSpool
from tests.bounds.listed import fills, stated
from tests.bounds.test_log import longest
from tests.fakes.patience import PATIENCE

Measured = Callable[[], int]
NOW = 1_700_000_000
AMPLE = 60.0
"""Seconds that a Redis may take which never answers."""


@pytest.fixture
async def silent() -> AsyncIterator[RedisPlace]:
    """A Redis that takes connections and says nothing."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    yield RedisPlace((server.sockets[0].getsockname()[:2],))
    server.close()


@fills(
    "state/redis/companion.py _asking", "state/redis/tickets.py _wanted", "state/redis/refreshes.py _saying"
)
async def test_questions_under_way(silent: RedisPlace, measured: Measured) -> None:
    """As many as requests ask for, of a Redis that does not answer."""
    companion = CompanionLink(silent, "nothing", within=AMPLE)
    companion.open()
    await asyncio.sleep(0)
    before = measured()
    asking = [asyncio.create_task(companion.ask(("GET", f"{at:0200}"))) for at in range(200)]
    await asyncio.sleep(0)
    assert len(companion._asking) == 200
    assert measured() - before <= 200 * stated("state/redis/companion.py _asking")
    await companion.close()
    await _over(*asking)

    store = RedisTickets(silent, within=AMPLE)
    await store.open()
    waiting = [asyncio.create_task(store.read(f"{at:022}")) for at in range(200)]
    before = measured()
    await asyncio.sleep(0)
    assert len(store._wanted) == 200
    assert measured() - before <= 200 * stated("state/redis/tickets.py _wanted")
    await store.close()
    await _over(*waiting)

    refreshes = RedisRefreshes(silent, within=AMPLE)
    refreshes._link.open()
    refreshes._recent["sid"] = _Published(1, "text", 60, 60, clock.elapsed())
    before = measured()
    for _ in range(100):
        refreshes._saying.add(asyncio.create_task(refreshes._say_again()))
    await asyncio.sleep(0)
    assert measured() - before <= 100 * (
        stated("state/redis/refreshes.py _saying") + stated("state/redis/companion.py _asking")
    )
    tasks = list(refreshes._saying)
    await refreshes.close()
    await _over(*tasks)


async def _over(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@fills("state/redis/refreshes.py _recent")
@pytest.mark.parametrize("size", [300, 4_000, 200_000])
def test_refreshes_that_were_published(size: int, measured: Measured) -> None:
    """Of more sessions than are remembered, small and large."""
    made = RedisRefreshes(RedisPlace((("127.0.0.1", 1),)))
    before = measured()
    for at in range(min(20_000, 3 * 4 * 1024 * 1024 // size)):
        made._remember(
            f"{at:022}", _Published(1, b64encode(at.to_bytes(8) * (size // 8)).decode(), 60, 60, 1_000.0)
        )
    assert len(made._recent) > 10
    assert measured() - before <= stated("state/redis/refreshes.py _recent")


@fills(
    "state/sqlite/spool.py _theirs", "state/contract/shared_spool.py _own", "state/contract/shared_spool.py _spoolings", "state/contract/spool.py batches",
)  # fmt: skip
async def test_what_is_known_of_the_spool(tmp_path: Path, measured: Measured) -> None:
    """Batches of other processes with the longest names there are, own records, and writings under way."""
    index = RevocationIndex()
    outbox = Outbox(index)
    made = SqliteSpool(Spool(tmp_path / "spool"), index, outbox)
    made._spool.prepare()
    made._spool.put(Batch("first", (_new(longest(0)),)))
    assert len(made._spool.batches()) == 1
    for at in range(1, 60):
        made._spool.put(Batch(f"batch-{at}", (_new(longest(at)),)))
    before = measured()
    assert len(made._spool.batches()) == 60
    assert measured() - before <= 59 * stated("state/contract/spool.py batches")

    batches = tuple(Batch(f"batch-{at}", (_new(longest(at)),)) for at in range(500))
    before = measured()
    made.see(LogSnapshot(cast("Any", None), batches, (1, b""), Marks()))
    assert made.theirs == 500
    assert measured() - before <= 500 * (
        stated("state/sqlite/spool.py _theirs") + stated("core/signout/revocation.py _held")
    )
    before = measured()
    for at in range(1_000):
        made._know(1_000 + at, 5_000 + at)
    assert len(made._own) == 1_000
    assert measured() - before <= 1_000 * stated("state/contract/shared_spool.py _own")

    made.start()
    outgoing = [outbox.take([_new(longest(1_000 + at))], NOW) for at in range(100)]
    before = measured()
    for one in outgoing:
        made.put(one)
    assert len(made._spoolings) == 100
    assert measured() - before <= 100 * stated("state/contract/shared_spool.py _spoolings")
    await asyncio.gather(*made._spoolings.values(), return_exceptions=True)
    await made.stop(within=AMPLE)


def _new(key: str) -> NewEntry:
    return NewEntry(key, NOW + 50_000, "security_events", event_time=NOW, barrier=NOW + 120)


@fills("state/sqlite/files.py _sent", "state/sqlite/files.py counter")
def test_files_of_a_log(tmp_path: Path, measured: Measured) -> None:
    """Names of batches, of which the spool has as many as fit, and the counter."""
    made = LogFiles(tmp_path / "state.db", patience=PATIENCE)
    names = [f"{at:012}" for at in range(1_000)]
    before = measured()
    made._sent = set(names)
    assert measured() - before <= 1_000 * stated("state/sqlite/files.py _sent")
    counters = [Counter(tmp_path / "first.seq")]
    before = measured()
    counters.append(Counter(tmp_path / "other.seq"))
    assert measured() - before <= stated("state/sqlite/files.py counter")


@fills("state/redis/log.py _tasks", "app/wiring.py _tasks")
async def test_tasks_of_a_process(measured: Measured) -> None:
    """Of the log, and of the gateway: few, whatever happens, and each of them small."""
    before = measured()
    tasks = [asyncio.create_task(_asleep()) for _ in range(100)]
    await asyncio.sleep(0)
    taken = measured() - before
    assert taken <= 100 * min(stated("state/redis/log.py _tasks"), stated("app/wiring.py _tasks"))
    await _over(*tasks)


def _asleep() -> Coroutine[Any, Any, None]:
    return asyncio.sleep(1_000.0)
