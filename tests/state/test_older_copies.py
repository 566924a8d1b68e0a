"""Logs that went back, and processes that merely lag: the one is proven and answered for, the other never is."""

from __future__ import annotations

import asyncio
import math
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.revocation import NewEntry, RevocationIndex
from gateway.core.revocation_keys import sid_key
from gateway.state import redis_mirror
from gateway.state.files import Known, LogFiles
from gateway.state.outbox import Outbox
from gateway.state.redis_mirror import Mirror
from gateway.state.redis_stream import Stream
from gateway.state.renewal import Cause
from gateway.state.sqlite import SqliteLog
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer, follow
from tests.state.log_contract import ended, new, within
from tests.state.test_files import locked
from tests.state.test_redis_log import opened
from tests.state.test_redis_mirror import Copy

ENTRY = NewEntry("sid:s", 100, "logout")


class Lagging:
    """Processes over one state file of which each has read up to somewhere, and sessions that were sealed anywhere."""

    def __init__(self, path: Path, opened: ExitStack, processes: int = 3) -> None:
        self.files = [LogFiles(path, patience=PATIENCE) for _ in range(processes)]
        for one in self.files:
            one.start()
            opened.callback(one.close)
        tail = self.files[0].load()
        self.log_id = tail.log_id
        self.known = [Known(tail.log_id, tail.position)] * processes
        self.sealed = [tail.position]

    def commit(self, where: int, _: int) -> None:
        """And be killed before anybody is told."""
        self.files[where].table.append([ENTRY])

    def write(self, where: int, _: int) -> None:
        self.see(where, self.files[where].write([ENTRY], self.known[where]).position)

    def read(self, where: int, _: int) -> None:
        self.see(where, self.files[where].read(self.known[where]).position)

    def look(self, where: int, _: int) -> None:
        looked = self.files[where].look(self.known[where])
        assert looked.seen.older is None
        self.see(where, looked.seen.tail.position)

    def prove(self, where: int, which: int) -> None:
        sealed = self.sealed[which % len(self.sealed)]
        seen = self.files[where].prove(Known(self.log_id, sealed), self.known[where])
        assert seen.older is None
        assert seen.tail.position >= sealed
        self.see(where, seen.tail.position)

    def restart(self, where: int, _: int) -> None:
        self.files[where].close()
        self.files[where].start()
        self.known[where] = Known("", 0)

    def see(self, where: int, position: int) -> None:
        """Somebody signs in with what this process has read."""
        self.known[where] = Known(self.log_id, position)
        self.sealed.append(position)


STEPS = st.tuples(
    st.sampled_from(["commit", "write", "read", "look", "prove", "prove", "restart"]),
    st.integers(0, 2),
    st.integers(0, 99),
)


@given(st.lists(STEPS, max_size=30))
@settings(max_examples=80)
def test_r04_a_process_that_lags_never_renews(steps: list[tuple[str, int, int]]) -> None:
    """Whatever each has read, whoever was killed in the middle, and wherever a session was sealed."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as opened_files:
        world = Lagging(Path(directory) / "state.db", opened_files)
        for name, where, which in steps:
            getattr(world, name)(where, which)
        tail = world.files[0].load()

    assert tail.log_id == world.log_id
    assert tail.renewal is None


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def restore(directory: Path, files: dict[str, bytes]) -> None:
    for file in directory.iterdir():
        file.unlink()
    for name, content in files.items():
        directory.joinpath(name).write_bytes(content)


@asynccontextmanager
async def at(path: Path) -> AsyncIterator[SqliteLog]:
    """An open log of one host."""
    log = SqliteLog(path, deadline=PATIENCE, beat=0.1)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


@pytest.fixture
async def gone_back(tmp_path: Path) -> tuple[Path, str, int]:
    """A state file whose directory was restored from a copy that knows nothing of ten sign-outs: the file, the log's id,
    and the position that somebody sealed who signed in after them.
    """
    path = tmp_path / "state" / "state.db"
    path.parent.mkdir()
    async with at(path) as log:
        await log.append([new(sid_key("before"))])
    copy = contents(path.parent)
    async with at(path) as log:
        assert (await log.append([new(sid_key(f"s{n}")) for n in range(10)])).durable
        log_id, sealed = log.log_id, log.index.position
    restore(path.parent, copy)
    return path, log_id, sealed


def without_witness() -> None:
    """As after a restart of the machine."""
    for file in Path(os.environ["RUNTIME_DIRECTORY"]).glob("*.witness"):
        file.unlink()


async def test_r04_a_restored_directory_is_another_log(gone_back: tuple[Path, str, int]) -> None:
    """The host has seen more of it. What the copy has still counts."""
    path, log_id, sealed = gone_back
    told: list[Cause] = []
    log = SqliteLog(path)
    log.on_renewed = told.append
    await log.open()
    try:
        assert log.log_id != log_id
        assert log.index.position > sealed
        assert ended(log, "before") is not None
        assert told == [Cause.WITNESS]
        assert "this host has seen more of it" in log.health()
    finally:
        await log.close()
    async with at(path) as again:
        assert again.log_id == log.log_id


async def test_r04_a_session_proves_what_the_host_has_forgotten(gone_back: tuple[Path, str, int]) -> None:
    """Nothing tells until somebody comes who signed in after what was lost; then all processes have another log."""
    path, log_id, sealed = gone_back
    without_witness()
    async with at(path) as one, at(path) as other:
        assert one.log_id == other.log_id == log_id
        await one.prove(sealed)
        assert one.log_id != log_id
        assert other.moved()
        await other.catch_up()
        assert other.log_id == one.log_id


async def test_r04_a_copy_that_cannot_be_written_lets_nobody_in(gone_back: tuple[Path, str, int]) -> None:
    """It is known to lack something; when it can be written it gets another id."""
    path, log_id, sealed = gone_back
    without_witness()
    async with at(path) as log:
        with locked(path):
            proving = asyncio.ensure_future(log.prove(sealed))
            await proving
            assert await within(PATIENCE, lambda: log.age() == math.inf)
            assert "older copy" in log.health()
            assert log.log_id == log_id
        assert await within(PATIENCE, lambda: log.log_id != log_id and log.age() < math.inf)


async def test_r04_an_older_file_in_the_place_of_a_running_one_is_another_log(tmp_path: Path) -> None:
    """A process that runs has read more of it than it has, whatever became of counter and witness."""
    path = tmp_path / "state" / "state.db"
    path.parent.mkdir()
    async with at(path) as log:
        await log.append([new(sid_key("before"))])
    copy = contents(path.parent)
    async with at(path) as log:
        await log.append([new(sid_key("lost"))])
        before = log.log_id
        restore(path.parent, copy)
        without_witness()

        assert await within(PATIENCE, lambda: log.log_id != before)
        assert ended(log, "lost") is not None
    async with at(path) as again:
        assert again.log_id == log.log_id


async def test_r05_more_than_can_be_read_lets_nobody_in(tmp_path: Path) -> None:
    """The disk hangs, and somebody has seen more than was read: something is missing, old copy or not. Until it is read."""
    path = tmp_path / "state.db"
    async with at(path) as other, AsyncExitStack() as opened_logs:
        log = SqliteLog(path, beat=60.0)
        await log.open()
        opened_logs.push_async_callback(log.close)
        answers = Event()
        hanging = log._on_files(answers.wait)
        sealed = (await other.append([new(sid_key("s"))])).position
        await log.prove(sealed)
        assert log.age() == math.inf
        answers.set()
        await hanging

        assert await within(PATIENCE, lambda: log.age() < math.inf)
        assert ended(log, "s") is not None
        assert log.log_id == other.log_id


@pytest.fixture
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to be waited for."""
    monkeypatch.setattr(redis_mirror, "VOUCH_WITHIN", 0.3)


def restored(redis: RedisServer, copy: Copy) -> None:
    """FLUSHALL and the keys of a dump, in the same life of the server."""
    redis.ask("FLUSHALL")
    for key, content in copy.keys.items():
        redis.ask("RESTORE", key, 0, content)


def promoted(_: RedisServer, copy: Copy) -> None:
    """A restart with an older append-only file, or a replica that was behind."""
    copy.promote()


@pytest.mark.usefixtures("prompt")
@pytest.mark.parametrize("go_back", [restored, promoted])
async def test_r04_a_session_proves_that_redis_went_back(
    kept_redis: RedisServer, go_back: Callable[[RedisServer, Copy], None]
) -> None:
    """No instance was there that knows: several start and believe what they find, until one is shown more. All get the
    same other log, one tells of it, and until then nobody is let in where it was shown.
    """
    async with opened(kept_redis.place(), deadline=PATIENCE) as log:
        await log.append([new(sid_key("before"))])
        copy = Copy(kept_redis)
        await log.append([new(sid_key("lost"))])
        log_id, sealed = log.log_id, log.index.position
    go_back(kept_redis, copy)
    told: list[Cause] = []
    async with (
        opened(kept_redis.place(), deadline=PATIENCE) as one,
        opened(kept_redis.place(), deadline=PATIENCE) as other,
    ):
        one.on_renewed = other.on_renewed = told.append
        assert one.log_id == other.log_id == log_id
        assert ended(one, "lost") is None
        await asyncio.gather(one.prove(sealed), other.prove(sealed))
        assert all(log.age() == math.inf or log.log_id != log_id for log in (one, other))

        assert await within(PATIENCE, lambda: one.log_id == other.log_id != log_id)
        assert await within(PATIENCE, lambda: one.age() < math.inf and other.age() < math.inf)
        assert one.index.position > sealed
        assert ended(other, "before") is not None
        assert told == [Cause.SESSION]


@pytest.mark.usefixtures("prompt")
async def test_r05_a_restored_snapshot_of_redis_is_vouched_for_by_nobody(redis: RedisServer) -> None:
    """A real RDB file, and no append-only one: instances that start let nobody in, and then the log is another one."""
    snapshot = redis.directory / "dump.rdb"
    async with opened(redis.place(), deadline=PATIENCE) as log:
        await log.append([new(sid_key("before"))])
        redis.ask("SAVE")
        copy = snapshot.read_bytes()
        await log.append([new(sid_key("lost"))])
        log_id = log.log_id
    redis.stop()
    snapshot.write_bytes(copy)
    redis.start()
    told: list[Cause] = []
    async with opened(redis.place(), deadline=PATIENCE) as fresh:
        fresh.on_renewed = told.append
        assert fresh.age() == math.inf
        assert await within(PATIENCE, lambda: fresh.loaded)

        assert fresh.log_id != log_id
        assert ended(fresh, "before") is not None
        assert told == [Cause.UNVOUCHED]
        assert "nobody vouched" in fresh.health()


async def test_r04_what_is_proven_stays_so_until_the_other_id_was_read(
    kept_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In between sessions of the old id would be judged by an index that is known to lack something."""
    monkeypatch.setattr(redis_mirror, "VOUCH_WITHIN", -1.0)
    stream, index = Stream(kept_redis.place()), RevocationIndex()
    mirror = Mirror(index, Outbox(index), loss_accepted=False)
    await mirror.exchange(stream, within=PATIENCE)
    before = mirror.known.log_id
    assert not await mirror.settle(stream)
    mirror.prove(index.position)
    assert not mirror.proven
    mirror.prove(index.position + 1)
    assert mirror.proven
    assert await mirror.settle(stream)
    assert mirror.known.log_id == before
    assert mirror.proven
    await mirror.exchange(stream, within=PATIENCE)

    assert mirror.known.log_id != before
    assert not mirror.proven
    await stream.link.close()


async def test_r04_an_instance_that_has_what_is_missing_keeps_the_log(kept_redis: RedisServer) -> None:
    """A failover to a replica that was behind, and an instance that is merely late: nobody is let in where the proof was
    shown, until it has sent again what was lost. The log stays, so nobody is signed out.
    """
    async with opened(kept_redis.place(), beat=0.1) as late:
        await late.append([new(sid_key("before"))])
        copy = Copy(kept_redis)
        await late.append([new(sid_key("lost"))])
        log_id, sealed = late.log_id, late.index.position
        tasks, late._tasks = late._tasks, []
        for task in tasks:  # it hangs
            task.cancel()
        await asyncio.wait(tasks)
        copy.promote()
        async with opened(kept_redis.place(), deadline=PATIENCE) as early:
            assert early.log_id == log_id
            await early.prove(sealed)
            assert early.age() == math.inf
            assert "nobody is let in" in early.health()
            late._tasks = [asyncio.create_task(late._keep_on(late._attend))]

            assert await within(PATIENCE, lambda: early.age() < math.inf)
            assert await within(PATIENCE, lambda: ended(early, "lost") is not None)
            assert early.log_id == late.log_id == log_id
            await early.prove(sealed)
            assert early.age() < math.inf


async def test_r05_a_redis_that_cannot_be_asked_proves_nothing(kept_redis: RedisServer) -> None:
    """A session of another instance may have seen what this one has not heard of yet; its age tells for how long."""
    async with opened(kept_redis.place(), deadline=0.25) as log:
        before, sealed = log.log_id, log.index.position + 1
        kept_redis.pause()
        await log.prove(sealed)
        assert log.age() < math.inf
        kept_redis.resume()
        assert log.log_id == before


@pytest.mark.usefixtures("prompt")
async def test_r04_a_replica_that_was_behind_is_proven_by_a_session(tmp_path: Path) -> None:
    """The primary is gone, and every instance too; the replica has an append-only file and is believed until then."""
    kept = "appendonly yes"
    with (
        RedisServer(tmp_path / "primary", kept) as primary,
        RedisServer(tmp_path / "replica", kept) as replica,
    ):
        follow(replica, primary)
        async with opened(primary.place()) as log:
            await log.append([new(sid_key("before"))])
            replica.wait_for(lambda: replica.ask("XLEN", log._place.log_key) == 1)
            replica.ask("REPLICAOF", "NO", "ONE")
            primary.wait_for(lambda: primary.ask("INFO", "replication")["connected_slaves"] == 0)
            await log.catch_up()
            assert (await log.append([new(sid_key("lost"))])).durable
            log_id, sealed = log.log_id, log.index.position
        primary.kill()
        async with opened(replica.place(), deadline=PATIENCE) as fresh:
            assert fresh.log_id == log_id
            await fresh.prove(sealed)
            assert await within(PATIENCE, lambda: fresh.log_id != log_id)
