"""The coarse clock of the proxy."""

from __future__ import annotations

import asyncio

from gateway.proxy.deadlines import Deadlines


class Item:
    def __init__(self, deadlines):
        self.deadlines = deadlines
        self.deadline = 0.0
        self.fired = []

    def check(self, now):
        if now >= self.deadline:
            self.fired.append(now)
            self.deadlines.unwatch(self)


async def test_a_deadline_fires_neither_early_nor_much_late():
    """Not before its seconds have passed, and within two ticks after."""
    deadlines = Deadlines(0.02)
    loop = asyncio.get_running_loop()
    for _ in range(3):
        item = Item(deadlines)
        began = loop.time()
        deadlines.watch(item)
        item.deadline = deadlines.after(0.05)
        await asyncio.sleep(0.15)

        assert item.fired
        assert 0.05 <= item.fired[0] - began < 0.15
    deadlines.close()


async def test_an_idle_clock_stands_still():
    """No timer runs while nothing is watched."""
    deadlines = Deadlines(0.01)
    item = Item(deadlines)
    item.deadline = float("inf")
    deadlines.watch(item)
    deadlines.unwatch(item)
    deadlines.unwatch(item)
    await asyncio.sleep(0.03)
    before = deadlines.now
    await asyncio.sleep(0.03)

    assert deadlines.now == before
    assert len(deadlines) == 0
