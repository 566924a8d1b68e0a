"""The spool of a log that is elsewhere: kept, shared by the processes of a host, emptied when nothing is left."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core import clock
from gateway.core.errors import ConfigurationError
from gateway.core.signout.revocation import RevocationIndex
from gateway.state.contract.outbox import Outbox, Outgoing
from gateway.state.contract.spool import FILE, Batch, Spool
from gateway.state.redis.spool import RedisSpool
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
    return Spool(directory / FILE).batches(patience=PATIENCE)


async def test_it_is_emptied_when_the_log_has_everything(process: Process, tmp_path: Path) -> None:
    """And not before."""
    one, other = process.late(), process.late()
    await process.spool.tend()
    assert [batch.id for batch in spooled(tmp_path)] == [one.batch.id, other.batch.id]
    process.sent(one)
    assert not await process.spool.tend()
    assert len(spooled(tmp_path)) == 2
    process.sent(other)
    assert not await process.spool.tend()

    assert spooled(tmp_path) == []
    assert process.outbox.committed() == set()


async def test_what_another_process_left_denies_here_and_is_sent(process: Process, tmp_path: Path) -> None:
    """At the start, and when it comes later; it is new once."""
    one = process.late()
    await process.spool.tend()
    started = Process(tmp_path)
    await started.spool.open()
    assert [each.batch.id for each in started.outbox.waiting()] == [one.batch.id]
    assert len(started.index) == 1
    later = process.late()
    await process.spool.tend()

    assert await started.spool.tend()
    assert not await started.spool.tend()
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
    await process.spool.tend()

    assert await within(PATIENCE, lambda: [batch.id for batch in spooled(tmp_path)] == [one.batch.id])


async def test_what_another_process_left_denies_here_once_it_is_looked_at(
    process: Process, tmp_path: Path
) -> None:
    """Without a beat; its owner sends it for as long as there is none, and own records are no news."""
    other = Process(tmp_path)
    await other.spool.open()
    one = process.late()
    assert await within(PATIENCE, lambda: one.kept)
    assert other.spool.moved()
    assert not process.spool.moved()
    await asyncio.gather(*(other.spool.catch_up(time.monotonic() + PATIENCE) for _ in range(3)))

    assert not other.spool.moved()
    assert len(other.index) == 1
    assert other.outbox.waiting() == []
    assert await other.spool.tend()
    assert len(other.outbox.waiting()) == 1
    await other.spool.close()


async def test_what_cannot_be_looked_at_lets_nobody_in(process: Process, tmp_path: Path) -> None:
    """Somebody has the file's lock; when it is free, all is well."""
    other = Process(tmp_path)
    await other.spool.open()
    one = process.late()
    assert await within(PATIENCE, lambda: one.kept)
    fd = os.open(tmp_path / FILE, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    await other.spool.catch_up(time.monotonic() + PATIENCE)
    assert "cannot be read" in other.spool.doubt
    await other.spool.catch_up(time.monotonic())
    assert "cannot be read" in other.spool.doubt
    os.close(fd)
    async with asyncio.timeout(PATIENCE):
        while other.spool.doubt:  # a look that began before may end after this
            await other.spool.catch_up(time.monotonic() + PATIENCE)
            await asyncio.sleep(0.01)

    assert len(other.index) == 1
    await other.spool.close()


async def test_what_was_in_a_file_that_is_gone_is_written_down_again(
    process: Process, tmp_path: Path
) -> None:
    """Somebody has tidied up."""
    one = process.late()
    assert await within(PATIENCE, lambda: one.kept)
    (tmp_path / FILE).unlink()
    await process.spool.tend()
    await process.spool.tend()

    assert await within(PATIENCE, lambda: [batch.id for batch in spooled(tmp_path)] == [one.batch.id])


async def test_what_died_with_a_process_is_answered_for_once(process: Process, tmp_path: Path) -> None:
    """By one process of the host; where that fails, by the next try."""
    other, third = Process(tmp_path), Process(tmp_path)
    await other.spool.open()
    other.spool._board.mark()
    other.spool._board.close()
    await third.spool.open()
    renewed: list[str] = []

    async def fail() -> None:
        raise OSError("refused")

    async def renew() -> None:
        await third.spool.bury(fail)  # it may not, while this one does
        renewed.append("renewed")

    assert not process.spool.dead
    await process.spool.bury(renew)
    await process.spool.tend()
    assert process.spool.dead
    assert third.spool.dead
    assert "died" in process.spool.doubt
    with pytest.raises(OSError, match="refused"):
        await process.spool.bury(fail)
    await process.spool.bury(renew)
    await third.spool.bury(renew)
    await process.spool.tend()

    assert renewed == ["renewed"]
    assert (process.spool.dead, process.spool.doubt) == (False, "")
    await other.spool.close()
    await third.spool.close()


async def test_a_directory_that_is_missing_stops_the_start(tmp_path: Path) -> None:
    """A mount may be missing; the fix names the key."""
    with pytest.raises(ConfigurationError) as caught:
        await Process(tmp_path / "missing").spool.open()

    assert caught.value.code == "spool_not_writable"
    assert "redis.spool" in caught.value.fix


async def test_without_a_directory_nothing_is_written(tmp_path: Path) -> None:
    """The outbox is in memory only."""
    process = Process(None)
    await process.spool.open()
    one = process.late()

    assert not await process.spool.tend()
    assert not one.spooled
    await process.spool.close()
