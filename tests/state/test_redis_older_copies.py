"""Logs in Redis that went back: by restored keys, files and replicas that were behind."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.core.session.revocation_keys import sid_key
from gateway.core.signout.revocation import RevocationIndex
from gateway.state.contract.outbox import Outbox
from gateway.state.contract.renewal import RenewalCause
from gateway.state.redis import mirror as redis_mirror
from gateway.state.redis.mirror import Mirror
from gateway.state.redis.stream import Stream
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer, follow
from tests.state.log_contract import ended, new, within
from tests.state.redis.test_log import opened
from tests.state.redis.test_mirror import Copy


@pytest.fixture
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to be waited for."""
    monkeypatch.setattr(redis_mirror, "VOUCH_WITHIN", 0.3)


def restored(redis: RedisServer, copy: Copy) -> None:
    """FLUSHALL and the keys of a dump, in the same life of the server."""
    redis.at_once(("FLUSHALL",), *copy.restoring())


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
    told: list[RenewalCause] = []
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
        assert told == [RenewalCause.SESSION]


async def test_r05_a_restored_snapshot_of_redis_is_vouched_for_by_nobody(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real RDB file, and no append-only one: instances that start let nobody in, and then the log is another one."""
    monkeypatch.setattr(redis_mirror, "VOUCH_WITHIN", math.inf)
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
    told: list[RenewalCause] = []
    async with opened(redis.place(), loaded=False, deadline=PATIENCE) as fresh:
        fresh.on_renewed = told.append
        assert fresh.age() == math.inf
        monkeypatch.setattr(redis_mirror, "VOUCH_WITHIN", 0.0)
        assert await within(PATIENCE, lambda: fresh.loaded)

        assert fresh.log_id != log_id
        assert ended(fresh, "before") is not None
        assert told == [RenewalCause.UNVOUCHED]
        assert await within(PATIENCE, lambda: "nobody vouched" in fresh.health())  # when the exchange is over


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


async def test_r04_an_instance_that_has_what_is_missing_keeps_the_log(
    kept_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
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
            monkeypatch.setattr(redis_mirror, "VOUCH_WITHIN", PATIENCE)  # it is waited for
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
