"""A gateway is killed while sessions end: what it has answered stays true."""

from __future__ import annotations

import pytest

from tests.cluster.live import all_told
from tests.cluster.rig import Cluster
from tests.fakes.redis import RedisServer

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("cluster")]


async def test_a_replica_that_is_killed_behind_its_answer(cluster: Cluster) -> None:
    """``kill -9`` right after the answer: the session is dead at the others, and here after the restart."""
    alice = await cluster.signed_in(at=1)
    copied = cluster.cookie(alice)
    await cluster.sign_out(alice)
    await cluster.replicas[1].kill()
    for replica in (cluster.replicas[0], cluster.replicas[2]):
        await replica.refuses(copied)
    await cluster.replicas[1].start()
    assert await cluster.replicas[1].decided(copied) == 401
    await cluster.in_step()


async def test_a_replica_that_is_killed_while_redis_takes_nothing(
    cluster: Cluster, redis: RedisServer
) -> None:
    """The spool has it, and the replica denies by it when it is there again, before Redis takes anything; then all do."""
    alice, stays = await cluster.signed_in(at=1), await cluster.signed_in(at=2)
    copied = cluster.cookie(alice)
    redis.ask("CONFIG", "SET", "maxmemory", 1)
    try:
        assert (await cluster.sign_out(alice)).status == 303
        assert '"durable": false' in await cluster.receipt(alice)
        await cluster.replicas[1].kill()
        await cluster.replicas[1].start()
        assert await cluster.replicas[1].decided(copied) == 401
    finally:
        redis.ask("CONFIG", "SET", "maxmemory", 0)
    await cluster.refused_everywhere(copied)
    await cluster.in_step()
    assert await cluster.statuses(cluster.cookie(stays)) == [200] * 3


async def test_a_replica_that_is_killed_before_redis_has_the_entry(
    cluster: Cluster, redis: RedisServer
) -> None:
    """The answer said that it is pending; Redis may have heard of it, or the spool has it."""
    alice = await cluster.signed_in(at=1)
    copied = cluster.cookie(alice)
    lives = await cluster.opened(copied)
    redis.pause()
    try:
        assert (await cluster.sign_out(alice)).status == 303
        await cluster.replicas[1].kill()
    finally:
        redis.resume()
    await cluster.replicas[1].start()
    assert await cluster.replicas[1].decided(copied) == 401
    await all_told([*lives[:2], *lives[4:]])
    await cluster.refused_everywhere(copied)
    await cluster.in_step()
