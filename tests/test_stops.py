"""A test that is stopped sees that time has gone by, and sees it at the same moment again."""

from __future__ import annotations

import asyncio

import pytest

from tests import stops


async def test_a_limit_passes_in_the_turn_that_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although nothing has taken any time; and whoever waits for longer goes on."""
    made = stops.Stops()
    made.put(monkeypatch)
    made.begin("a test")
    for limit, over in ((stops.SECONDS - 1, True), (100 * stops.SECONDS, False)):
        made._ahead = [made._turn + 3]
        waiting = asyncio.ensure_future(asyncio.sleep(limit))
        for _ in range(6):
            await asyncio.sleep(0)
        assert waiting.done() is over
        waiting.cancel()


def test_the_same_test_is_stopped_at_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until another seed is chosen; different tests at different moments."""
    made = stops.Stops()

    def chosen(test: str) -> list[int]:
        made.begin(test)
        return list(made._ahead)

    monkeypatch.setattr(stops, "OFTEN", 3)
    assert chosen("one") == chosen("one") != chosen("other")
    before = chosen("one")
    monkeypatch.setattr(stops, "SEED", "another")
    assert chosen("one") != before
