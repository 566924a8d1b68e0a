"""Exchanges that somebody waits for: shared by all who asked before they began, and by nobody else."""

from __future__ import annotations

import asyncio
import time

from gateway.state.redis.rounds import Rounds
from tests.fakes.patience import PATIENCE


def later() -> float:
    return time.monotonic() + PATIENCE


async def test_whoever_asks_before_it_begins_shares_it() -> None:
    """And whoever asks afterwards has to wait for the next one."""
    rounds = Rounds()
    first = [asyncio.ensure_future(rounds.next(later())) for _ in range(3)]
    await rounds.wanted(within=PATIENCE)
    begun = rounds.begin()
    late = asyncio.ensure_future(rounds.next(later()))
    await asyncio.sleep(0)
    rounds.end(begun)
    assert await asyncio.gather(*first) == [True] * 3
    assert not late.done()
    rounds.end(rounds.begin())
    assert await late


async def test_nobody_waits_beyond_a_time_of_his_own() -> None:
    """He is told that it was not over."""
    assert not await Rounds().next(0.0)


async def test_all_who_wait_can_be_let_go() -> None:
    """As when nobody answers any more; and nothing is wrong where nobody waits."""
    rounds = Rounds()
    rounds.end_all()
    rounds.end(rounds.begin())
    waiting = asyncio.ensure_future(rounds.next(later()))
    await asyncio.sleep(0)
    rounds.end_all()
    assert await waiting


async def test_one_that_nobody_waits_for_can_be_wanted() -> None:
    """Without that, the time goes by."""
    rounds = Rounds()
    await rounds.wanted(within=0.001)
    rounds.want()
    await rounds.wanted(within=PATIENCE)
    assert rounds.begin() is None
