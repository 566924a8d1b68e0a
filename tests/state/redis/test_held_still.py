"""A process with its log in Redis that was held still: SIGSTOP, a suspended machine, a processor that others had."""

from __future__ import annotations

import asyncio
import time
from threading import Thread

import pytest

from gateway.core import clock
from gateway.core.session.revocation_keys import sid_key
from gateway.state.redis.place import RedisPlace
from tests.fakes.patience import NEVER, PATIENCE
from tests.fakes.redis import RedisServer
from tests.state.log_contract import ended, new
from tests.state.redis.test_log import opened


async def test_a_machine_that_was_suspended_asks_before_it_decides(
    place: RedisPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What went by meanwhile counts, though the loop's own clock stood still."""
    async with opened(place, beat=NEVER) as log:
        assert (log.moved(), log.age() < PATIENCE) == (False, True)
        true = clock.elapsed
        monkeypatch.setattr(clock, "elapsed", lambda: true() + 2 * NEVER)
        assert (log.moved(), log.age() > NEVER) == (True, True)
        await log.catch_up()

        assert (log.moved(), log.age() < PATIENCE) == (False, True)
        assert (await log.append([new(sid_key("s"))])).durable


async def sign_out_elsewhere(place: RedisPlace) -> None:
    """By another process, as far as the log can tell."""
    async with opened(place) as other:
        assert (await other.append([new(sid_key("s"))])).durable


async def test_who_was_held_still_with_a_question_under_way_believes_the_next_answer(
    redis: RedisServer,
) -> None:
    """Its time is over before it has looked into its sockets; that says nothing about Redis, and lets nobody in."""
    async with opened(redis.place(), deadline=0.9) as log:
        redis.pause()
        log._rounds.want()
        for _ in range(20):
            await asyncio.sleep(0)  # it is sent
        redis.resume()
        elsewhere = Thread(target=asyncio.run, args=[sign_out_elsewhere(redis.place())])
        elsewhere.start()
        elsewhere.join()
        time.sleep(1.2)  # this process is held still, its loop and all
        while not log.moved():  # where answers take long, that is said later
            time.sleep(0.1)
        await log.catch_up()

        assert ended(log, "s") is not None


async def test_who_was_held_still_waits_for_an_answer_that_takes_its_time(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connecting anew takes longer than a request usually waits for Redis; what is known is too old to decide by."""
    async with opened(redis.place(), deadline=0.05, beat=NEVER) as log:
        redis.pause()
        await log._stream.link.drop()
        log._stream.link.pace.within = PATIENCE  # as if its answers were known to take long
        true = clock.elapsed
        monkeypatch.setattr(clock, "elapsed", lambda: true() + 2 * NEVER)
        asyncio.get_running_loop().call_later(0.3, redis.resume)
        assert log.moved()
        await log.catch_up()

        assert log.age() < PATIENCE
        assert not log.moved()
