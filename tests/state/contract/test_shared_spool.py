"""A Redis that takes nothing, and a disk that is full: the processes of a host know of each other's sign-outs at once, or
let nobody in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from gateway.core.session.revocation_keys import sid_key
from gateway.state.redis.log import RedisLog
from tests.fakes.disk import Disk, mounted
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.state.log_contract import ended, new, within
from tests.state.process import ROOM, Peer

ROWS = "{gateway}:log"


def out_of_memory(redis: RedisServer, much: bool) -> None:
    redis.ask("CONFIG", "SET", "maxmemory", 1 if much else 0)


def without_replicas(redis: RedisServer, much: bool) -> None:
    redis.ask("CONFIG", "SET", "min-replicas-to-write", 1 if much else 0)


def frozen(redis: RedisServer, much: bool) -> None:
    (redis.pause if much else redis.resume)()


def gone(redis: RedisServer, much: bool) -> None:
    (redis.kill if much else redis.start)()


Trouble = Callable[[RedisServer, bool], None]
ALL = pytest.mark.parametrize("trouble", [out_of_memory, without_replicas, frozen, gone])
READABLE = pytest.mark.parametrize("trouble", [out_of_memory, without_replicas])


@pytest.fixture
def redis(kept_redis: RedisServer) -> RedisServer:
    return kept_redis


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk") as one:
        yield one


@asynccontextmanager
async def processes(
    redis: RedisServer, *spools: Path | None, room: int = ROOM, loaded: bool = True
) -> AsyncIterator[list[RedisLog]]:
    """Of hosts that have these directories; they have read the log, unless nothing is to be said of that."""
    async with AsyncExitStack() as stack:
        logs = []
        for spool in spools:
            log = RedisLog(redis.place(), spool=spool, room=room, beat=0.1, deadline=0.25)
            stack.push_async_callback(log.close)
            await log.open()
            logs.append(log)
        if loaded:
            assert await within(PATIENCE, lambda: all(log.age() < PATIENCE for log in logs))
        yield logs


def refused(log: RedisLog, sid: str) -> bool:
    """Whoever has this session is not let in: it is known to be over, or nobody is."""
    return ended(log, sid) is not None or log.age() == float("inf")


@ALL
async def test_r04_what_redis_does_not_take_denies_in_every_process_of_the_host_at_once(
    redis: RedisServer, disk: Disk, trouble: Trouble
) -> None:
    """On a full disk: by who was there, and by who is killed and started meanwhile. Redis has it once, when it can."""
    async with processes(redis, disk.directory, disk.directory, None) as (one, other, elsewhere):
        peer = Peer(redis.port, disk.directory)
        disk.fill()
        trouble(redis, True)
        for number in range(40):
            assert not (await one.append([new(sid_key(f"s{number}"))])).durable
            if other.moved():
                await other.catch_up()
            assert refused(other, f"s{number}")
        assert one.pending == 40
        assert peer.ask("ended s39") == "True"
        peer.kill()
        later = Peer(redis.port, disk.directory)
        try:
            assert {later.ask(f"ended s{number}") for number in range(40)} == {"True"}
        finally:
            trouble(redis, False)
            later.end()

        assert await within(PATIENCE, lambda: one.pending == other.pending == 0)
        assert await within(PATIENCE, lambda: {len(log.index) for log in (one, other, elsewhere)} == {40})
        assert await within(PATIENCE, lambda: not one._spool._spool.filled())
        assert redis.ask("XLEN", ROWS) == 40


@ALL
async def test_r04_what_is_neither_in_redis_nor_in_the_spool_closes_the_other_processes_of_the_host(
    redis: RedisServer, disk: Disk, trouble: Trouble
) -> None:
    """500 sign-outs, the disk being full all the time: whoever took them denies them, nobody else of the host lets anybody
    in, and when Redis takes entries again everybody has them all.
    """
    async with processes(redis, disk.directory, disk.directory, None, room=4096) as (one, other, elsewhere):
        before = one.log_id
        disk.fill()
        trouble(redis, True)
        for number in range(500):
            assert not (await one.append([new(sid_key(f"s{number}"))])).durable
        await other.catch_up()
        assert other.age() == float("inf")
        assert await within(PATIENCE, lambda: "another process has entries" in other.health())
        assert {ended(one, f"s{number}") is not None for number in range(500)} == {True}
        assert ended(other, "s0") is not None, "it fits"
        assert one.age() < float("inf")
        trouble(redis, False)

        assert await within(PATIENCE, lambda: one.pending == 0 and other.age() < PATIENCE)
        assert {ended(other, f"s{number}") is not None for number in range(500)} == {True}
        assert await within(PATIENCE, lambda: len(elsewhere.index) == 500)
        assert one.log_id == other.log_id == before
        assert await within(PATIENCE, lambda: not one._spool._board.marked)


@READABLE
async def test_r04_what_was_neither_in_redis_nor_in_the_spool_and_died_ends_every_session(
    redis: RedisServer, disk: Disk, trouble: Trouble
) -> None:
    """While Redis takes nothing the host lets nobody in, also a process that starts then; afterwards it is another log, at
    all hosts, and what was in the spool is in it.
    """
    async with processes(redis, disk.directory, None) as (other, elsewhere):
        before = other.log_id
        peer = Peer(redis.port, disk.directory)
        disk.fill()
        trouble(redis, True)
        assert peer.ask("fill 5000") == "filled"
        await other.catch_up()
        assert other.age() == float("inf")
        peer.kill()
        assert await within(PATIENCE, lambda: "a process has died" in other.health())
        async with processes(redis, disk.directory, loaded=False) as (started,):
            assert started.age() == float("inf")
            assert ended(started, "l0") is not None
            trouble(redis, False)

            assert await within(PATIENCE, lambda: other.log_id != before and other.age() < PATIENCE)
            for log in (started, elsewhere):
                assert await within(PATIENCE, lambda log=log: log.log_id == other.log_id)  # type: ignore[misc]  # bound now
                assert await within(PATIENCE, lambda log=log: log.age() < PATIENCE)  # type: ignore[misc]  # bound now
                assert await within(PATIENCE, lambda log=log: ended(log, "l0") is not None)  # type: ignore[misc]  # bound now
            assert not started._spool._board.marks().dead


async def test_redis_s_own_disk_is_full(tmp_path: Path, disk: Disk) -> None:
    """Its append-only file takes nothing more, and so it refuses; the spool is on another disk."""
    spool = tmp_path / "spool"
    spool.mkdir()
    with RedisServer(disk.directory / "redis", "appendonly yes", "appendfsync everysec") as server:
        async with processes(server, spool, spool) as (one, other):
            disk.fill()
            sids = [f"{number}-{'s' * 100}" for number in range(40)]
            while (await one.append([new(sid_key("before"))])).durable:
                pass
            for sid in sids:
                await one.append([new(sid_key(sid))])
                if other.moved():
                    await other.catch_up()
                assert refused(other, sid)
            assert await within(PATIENCE, lambda: "cannot write to its disk" in one.health())
            disk.free()
            assert await within(PATIENCE, lambda: one.pending == other.pending == 0)
            assert await within(PATIENCE, lambda: {ended(other, sid) is not None for sid in sids} == {True})
