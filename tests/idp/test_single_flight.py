from __future__ import annotations

import asyncio

import pytest

from gateway.idp.single_flight import SingleFlight
from tests.fakes.door import eventually


class Slow:
    """A call that lasts until it is released, counts its runs and may fail."""

    def __init__(self) -> None:
        self.runs = 0
        self.release = asyncio.Event()
        self.fails = False

    async def call(self) -> int:
        self.runs += 1
        await self.release.wait()
        if self.fails:
            raise RuntimeError("failed")
        return self.runs


async def test_all_who_ask_together_share_one_call() -> None:
    """A hundred askers, one call, one answer."""
    slow = Slow()
    flight = SingleFlight(slow.call)
    askers = [asyncio.create_task(flight.run()) for _ in range(100)]
    await asyncio.sleep(0)
    slow.release.set()
    assert set(await asyncio.gather(*askers)) == {1}
    assert slow.runs == 1


async def test_the_next_asker_begins_a_new_call() -> None:
    """The result is shared, not kept."""
    slow = Slow()
    slow.release.set()
    flight = SingleFlight(slow.call)
    assert (await flight.run(), await flight.run()) == (1, 2)
    assert not flight.under_way


async def test_a_failure_reaches_every_asker_and_is_not_kept() -> None:
    """The next one may succeed."""
    slow = Slow()
    slow.fails = True
    flight = SingleFlight(slow.call)
    askers = [asyncio.create_task(flight.run()) for _ in range(3)]
    await asyncio.sleep(0)
    slow.release.set()
    results = await asyncio.gather(*askers, return_exceptions=True)
    assert [type(result) for result in results] == [RuntimeError] * 3
    slow.fails = False
    assert await flight.run() == 2


async def test_an_asker_who_leaves_does_not_end_the_call_of_the_others() -> None:
    """The one who began it may go away (CVE-2022-29228's class: completion after the asker is gone)."""
    slow = Slow()
    flight = SingleFlight(slow.call)
    first = asyncio.create_task(flight.run())
    await asyncio.sleep(0)
    second = asyncio.create_task(flight.run())
    await asyncio.sleep(0)
    first.cancel()
    slow.release.set()
    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_failure_that_nobody_waits_for_is_quiet() -> None:
    """No "exception was never retrieved" when the last asker has left."""
    slow = Slow()
    slow.fails = True
    flight = SingleFlight(slow.call)
    asker = asyncio.create_task(flight.run())
    await asyncio.sleep(0)
    asker.cancel()
    slow.release.set()
    await eventually(lambda: not flight.under_way)


async def test_close_cancels_the_call_under_way() -> None:
    """Nothing is left running at shutdown."""
    slow = Slow()
    flight = SingleFlight(slow.call)
    asker = asyncio.create_task(flight.run())
    await asyncio.sleep(0)
    await flight.close()
    with pytest.raises(asyncio.CancelledError):
        await asker
    await flight.close()
    assert not flight.under_way
