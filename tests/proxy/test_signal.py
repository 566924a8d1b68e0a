"""One waits, another wakes."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import pytest

from gateway.proxy.signal import Signal
from tests.fakes.patience import PATIENCE

GATEWAY = Path(__file__).parents[2] / "gateway"
QUEUES = {
    "proxy/pool.py": "a queue: each is given a connection of its own, and gives it back",
    "proxy/signal.py": "this one",
    "state/contract/log.py": "an answer that is there already",
    "state/redis/rounds.py": "many wait for one round, each until a time of its own",
    "state/redis/tickets.py": "carries what was read to all who want the same session",
}
"""What is no wake-up, and makes futures of its own."""


async def waiting(signal: Signal) -> asyncio.Task[None]:
    task = asyncio.create_task(signal.wait())
    await asyncio.sleep(0)
    return task


async def test_who_waits_is_woken_once() -> None:
    """A wake-up that nobody waits for is forgotten; one more does no harm."""
    signal = Signal()
    signal.wake()
    task = await waiting(signal)
    assert not task.done()
    signal.wake()
    signal.wake()
    await asyncio.wait_for(task, PATIENCE)
    again = await waiting(signal)
    assert not again.done()
    signal.wake()
    await asyncio.wait_for(again, PATIENCE)


async def test_who_was_cancelled_is_not_in_the_way() -> None:
    """The next one may wait in the same turn of the event loop, and is the one who is woken."""
    signal = Signal()
    first = await waiting(signal)
    first.cancel()
    second = await waiting(signal)
    signal.wake()
    await asyncio.wait_for(second, PATIENCE)
    assert first.cancelled()


async def test_a_second_one_is_told_and_nobody_is_forgotten() -> None:
    """It would take the wake-up of the first, who would wait for ever."""
    signal = Signal()
    first = await waiting(signal)
    with pytest.raises(RuntimeError, match="waiting already"):
        await signal.wait()
    signal.wake()
    await asyncio.wait_for(first, PATIENCE)


def test_nothing_else_makes_wake_ups_of_its_own() -> None:
    """A future that is made by hand has a reason of its own; the demo shares no code."""
    made = {
        path.relative_to(GATEWAY).as_posix()
        for path in GATEWAY.rglob("*.py")
        if "demo" not in path.relative_to(GATEWAY).parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {"create_future", "Future"}
    }
    assert made == QUEUES.keys()
