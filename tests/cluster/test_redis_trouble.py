"""Redis hangs, dies, forgets: a sign-out that was answered is never undone, and a lost log lets nobody in (R4, R5)."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from tests.cluster.live import all_told
from tests.cluster.rig import Cluster
from tests.fakes.redis import RedisServer

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("cluster")]


async def test_a_sign_out_while_redis_hangs(cluster: Cluster, redis: RedisServer) -> None:
    """Dead here while Redis hangs, and the receipt says what is pending; dead everywhere as soon as Redis goes on."""
    alice = await cluster.signed_in(at=0)
    copied = cluster.cookie(alice)
    lives = await cluster.opened(copied)
    redis.pause()
    try:
        assert (await cluster.sign_out(alice)).status == 303
        await all_told(lives[:2])
        assert await cluster.replicas[0].decided(copied) == 401
        assert '"durable": false' in await cluster.receipt(alice)
    finally:
        redis.resume()
    await all_told(lives[2:])
    await cluster.refused_everywhere(copied)
    await cluster.in_step()


async def test_redis_dies_and_comes_back_with_its_file(cluster: Cluster, redis: RedisServer) -> None:
    """What was ended before and what was ended meanwhile is dead everywhere; who is signed in stays so."""
    before, meanwhile, stays = [await cluster.signed_in(at) for at in range(3)]
    copied = [cluster.cookie(browser) for browser in (before, meanwhile)]
    await cluster.sign_out(before)
    await cluster.stored(before)
    redis.kill()
    try:
        await cluster.sign_out(meanwhile)
        assert '"durable": false' in await cluster.receipt(meanwhile)
        assert await cluster.replicas[1].decided(copied[1]) == 401
        assert await cluster.statuses(cluster.cookie(stays)) == [200] * 3
    finally:
        redis.start()
    await cluster.in_step()
    for cookie in copied:
        await cluster.refused_everywhere(cookie)
    assert await cluster.statuses(cluster.cookie(stays)) == [200] * 3


async def test_a_lost_log_lets_nobody_in(cluster: Cluster, redis: RedisServer) -> None:
    """Redis comes back empty: no session of before is served, its connections end, and signing in anew works."""
    ended, stays = await cluster.signed_in(at=0), await cluster.signed_in(at=1)
    copied, old = cluster.cookie(ended), cluster.cookie(stays)
    lives = await cluster.opened(old)
    await cluster.sign_out(ended)
    redis.kill()
    shutil.rmtree(redis.directory / "appendonlydir")
    redis.start()
    await all_told(lives)
    await cluster.refused_everywhere(old)
    await cluster.refused_everywhere(copied)
    await cluster.in_step()
    anew = cluster.cookie(await cluster.signed_in(at=2))
    await asyncio.gather(*(replica.serves(anew) for replica in cluster.replicas))
    assert await cluster.statuses(copied) == [401] * 3
