"""The spool of a log that is elsewhere: kept, shared by the processes of a host, emptied when nothing is left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core import clock
from gateway.core.errors import ConfigurationError
from gateway.core.revocation import RevocationIndex
from gateway.state.outbox import Outbox, Outgoing
from gateway.state.redis_spool import FILE, RedisSpool
from gateway.state.spool import Batch, Spool
from tests.fakes.patience import PATIENCE
from tests.state.log_contract import ALICE, new, within


class Process:
    """What one process has: an index, an outbox, the spool."""

    def __init__(self, directory: Path | None) -> None:
        self.index = RevocationIndex()
        self.outbox = Outbox(self.index)
        self.spool = RedisSpool(directory, self.outbox)

    def late(self) -> Outgoing:
        """A batch that has missed its deadline."""
        one = self.outbox.take([new(ALICE)], clock.now())
        one.failed = True
        self.spool.put(one)
        return one

    def sent(self, one: Outgoing) -> None:
        """The log has it after all, and the index too."""
        self.outbox.found(one.batch.id, 7)
        self.index.rebase(7)
        self.outbox.settle()


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    made = Process(tmp_path)
    await made.spool.open()
    yield made
    await made.spool.close()


def spooled(directory: Path) -> list[Batch]:
    return Spool(directory / FILE).batches()


async def test_it_is_emptied_when_the_log_has_everything(process: Process, tmp_path: Path) -> None:
    """And not before."""
    one, other = process.late(), process.late()
    await process.spool.look()
    assert [batch.id for batch in spooled(tmp_path)] == [one.batch.id, other.batch.id]
    process.sent(one)
    assert not await process.spool.look()
    assert len(spooled(tmp_path)) == 2
    process.sent(other)
    assert not await process.spool.look()

    assert spooled(tmp_path) == []
    assert process.outbox.committed() == set()


async def test_what_another_process_left_denies_here_and_is_sent(process: Process, tmp_path: Path) -> None:
    """At the start, and when it comes later; it is new once."""
    one = process.late()
    await process.spool.look()
    started = Process(tmp_path)
    await started.spool.open()
    assert [each.batch.id for each in started.outbox.waiting()] == [one.batch.id]
    assert len(started.index) == 1
    later = process.late()
    await process.spool.look()

    assert await started.spool.look()
    assert not await started.spool.look()
    assert [each.batch.id for each in started.outbox.waiting()] == [one.batch.id, later.batch.id]
    await started.spool.close()


async def test_what_was_not_sent_is_written_down_at_the_end(tmp_path: Path) -> None:
    """Also what has not missed its deadline yet."""
    process = Process(tmp_path)
    await process.spool.open()
    one = process.outbox.take([new(ALICE)], clock.now())
    process.outbox.restore("again", new(ALICE).placed(3))
    await process.spool.close()
    await process.spool.close()

    assert [batch.id for batch in spooled(tmp_path)] == [one.batch.id]


async def test_a_disk_that_fails_is_said_and_tried_again(
    process: Process, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The entries deny all the same."""
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    one = process.late()
    assert await within(PATIENCE, lambda: not one.spooled)
    assert "state_spool_unwritable" in capsys.readouterr().out
    (tmp_path / FILE).rmdir()
    await process.spool.look()

    assert await within(PATIENCE, lambda: [batch.id for batch in spooled(tmp_path)] == [one.batch.id])


async def test_a_directory_that_is_missing_stops_the_start(tmp_path: Path) -> None:
    """A mount may be missing; the mend names the key."""
    with pytest.raises(ConfigurationError) as caught:
        await Process(tmp_path / "missing").spool.open()

    assert caught.value.code == "spool_not_writable"
    assert "redis.spool" in caught.value.mend


async def test_without_a_directory_nothing_is_written(tmp_path: Path) -> None:
    """The outbox is in memory only."""
    process = Process(None)
    await process.spool.open()
    one = process.late()

    assert not await process.spool.look()
    assert not one.spooled
    await process.spool.close()
