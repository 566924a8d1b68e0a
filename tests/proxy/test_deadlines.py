"""The coarse clock of the proxy."""

from __future__ import annotations

import pytest

from gateway.proxy.deadlines import Deadlines
from tests.fakes.hand import Hand


class Item:
    def __init__(self, deadlines):
        self.deadlines = deadlines
        self.deadline = 0.0
        self.fired = []

    def check(self, now):
        if now >= self.deadline:
            self.fired.append(now)
            self.deadlines.unwatch(self)


@pytest.mark.parametrize("since_a_tick", [0.0, 0.4, 0.9])
def test_a_deadline_fires_neither_early_nor_much_late(hand: Hand, since_a_tick: float) -> None:
    """Not before its seconds have passed, and within two ticks after; also where the clock has gone on meanwhile."""
    deadlines = Deadlines(1.0)
    other, item = Item(deadlines), Item(deadlines)
    other.deadline = float("inf")
    deadlines.watch(other)
    hand.goes(5 + since_a_tick)
    began = hand.time()
    deadlines.watch(item)
    item.deadline = deadlines.after(2.5)
    hand.goes(10)

    assert len(item.fired) == 1
    assert began + 2.5 <= item.fired[0] <= began + 2.5 + 2.0
    deadlines.close()


def test_an_idle_clock_stands_still(hand: Hand) -> None:
    """No timer runs while nothing is watched."""
    deadlines = Deadlines(1.0)
    item = Item(deadlines)
    item.deadline = float("inf")
    deadlines.watch(item)
    deadlines.unwatch(item)
    deadlines.unwatch(item)
    hand.goes(2)
    before = deadlines.now
    hand.goes(5)

    assert deadlines.now == before
    assert len(deadlines) == 0
