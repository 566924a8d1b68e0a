"""A request that is answered without a task, and what needs one after all."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.door import eventually, open_lab, session
from tests.fakes.patience import PATIENCE
from tests.fakes.upstream import always, reply

lab = pytest.fixture(open_lab)


def tasks() -> int:
    return len(asyncio.all_tasks())


async def test_a_request_on_a_free_connection_needs_no_task(lab):
    """From the second on: the first has to connect."""
    go = asyncio.Event()

    async def script(call):
        if call.request_line.startswith(b"GET /wait"):
            await go.wait()
        await call.send(reply(b"ok"))

    door, upstream, client = await lab(script)
    await client.get("/first")
    await eventually(lambda: not door.listener._tasks)
    before = tasks()
    await client.ask("/wait")
    await eventually(lambda: len(upstream.calls) == 2)
    assert tasks() == before
    go.set()
    assert (await client.response()).body == b"ok"
    assert not door.listener._tasks


async def test_a_stale_connection_is_met_once_and_replaced(lab):
    """The request that met it is sent again, on a new connection."""
    calls = 0

    async def script(call):
        nonlocal calls
        calls += 1
        if calls == 2:
            return "close"  # without a byte: this is what a stale connection looks like
        return await call.send(reply(b"%d" % calls))

    _, upstream, client = await lab(script)
    assert (await client.get("/")).body == b"1"
    assert (await client.get("/")).body == b"3"
    assert upstream.connections == 2


async def test_a_client_that_leaves_takes_its_request_with_it(lab, hand):
    """The upstream sees the end at once, and the books say what happened."""
    results: list[str] = []

    async def script(call):
        if call.request_line.startswith(b"GET /wait"):
            await call.client_gone()
            return "close"
        return await call.send(reply(b"ok"))

    door, upstream, client = await lab(script)
    door.forwarder._on_result = lambda _, result: results.append(result)
    await client.get("/first")
    await client.ask("/wait")
    await eventually(lambda: len(upstream.calls) == 2)
    await client.close()
    async with hand.passing():
        await asyncio.wait_for(upstream.calls[1].ended.wait(), PATIENCE)
    await eventually(lambda: results == ["ok", "client_gone"])


async def test_a_client_that_leaves_the_queue_frees_its_place(lab, hand):
    """Whoever waits for a connection and goes is forgotten at once: nothing of theirs is sent, another may wait."""
    results: list[str] = []
    go = asyncio.Event()

    async def script(call):
        await go.wait()
        await call.send(reply(b"ok"))

    door, upstream, client = await lab(script)
    door.forwarder._on_result = lambda _, result: results.append(result)
    pool = next(iter(door.forwarder._pools.values()))
    pool._limit, pool._queue = 1, 1
    await client.ask("/first")
    await eventually(lambda: len(upstream.calls) == 1)
    leaving, waiting = await door.client(), await door.client()
    await leaving.ask("/left")
    await eventually(lambda: len(pool._waiting) == 1)
    await leaving.close()
    async with hand.passing():
        await eventually(lambda: results == ["client_gone"])
    await waiting.ask("/waited")
    await eventually(lambda: len(pool._waiting) == 1)
    go.set()

    assert [(await each.response()).body for each in (client, waiting)] == [b"ok", b"ok"]
    assert [call.request_line.split()[1] for call in upstream.calls] == [b"/first", b"/waited"]
    await waiting.close()


async def test_a_stream_that_began_without_a_task_is_ended_with_its_session(lab):
    """It is registered like every other."""

    async def script(call):
        if call.request_line.startswith(b"GET /stream"):
            await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 10)
            await call.client_gone()
            return "close"
        return await call.send(reply(b"ok"))

    door, _, client = await lab(script, who=session("s"))
    await client.get("/first")
    await client.ask("/stream")
    await client.head()
    await eventually(lambda: len(door.live) == 1)
    assert door.live.end("s", "signed out") == 1
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await client.reader.readexactly(100_000)
    await eventually(lambda: len(door.live) == 0)


async def test_every_end_is_counted_once(lab):
    """Whole, broken and refused, with a task and without."""
    results: list[str] = []
    door, upstream, client = await lab(always(reply(b"ok")))
    door.forwarder._on_result = lambda _, result: results.append(result)
    for _ in range(2):
        await client.get("/")
    await client.send(b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nab")
    await client.response()
    await upstream.close()
    assert (await client.get("/")).status == 502
    assert results == ["ok", "ok", "ok", "connect_failed"]
