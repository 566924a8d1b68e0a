"""Responses whose bytes are already made, and clients that do not take them."""

from __future__ import annotations

import asyncio

from gateway.web.messages import Sent
from tests.fakes.door import Client, comes_to_rest, eventually, listener
from tests.fakes.patience import PATIENCE


async def serve(handler):
    doors = listener(handler)
    server = await asyncio.get_running_loop().create_server(doors, "127.0.0.1", 0)
    client = Client(*await asyncio.open_connection(*server.sockets[0].getsockname()))

    async def close():
        await client.close()
        server.close()
        await doors.shutdown(1)

    return doors, client, close


async def test_made_bytes_are_sent_as_they_are():
    """One write, nothing added; the connection goes on when the response says so."""

    def handler(request):
        return Sent(200, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", close=request.target == "/last")

    _, client, close = await serve(handler)

    assert [(await client.get(path)).raw for path in ("/", "/last")] == [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    ] * 2
    assert await client.rest() == b""
    await close()


async def test_a_client_that_has_gone_gets_nothing(hand):
    """Its answer is made and dropped."""
    proceed, handled = asyncio.Event(), asyncio.Event()

    async def handler(request):
        await proceed.wait()
        handled.set()
        return Sent(200, b"late", close=False)

    doors, client, close = await serve(handler)
    await client.ask("/")
    await client.close()
    async with hand.passing():
        await eventually(lambda: not doors.connections)

    proceed.set()

    await asyncio.wait_for(handled.wait(), PATIENCE)
    await close()


async def test_many_pipelined_answers_wait_for_a_slow_client():
    """A client that asks for much and reads nothing is held back."""
    count = 0

    def handler(request):
        nonlocal count
        count += 1
        return Sent(200, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000, close=False)

    doors, client, close = await serve(handler)
    await client.send(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n" * 1000)
    await eventually(lambda: any(each.writing_paused for each in doors.connections))

    assert await comes_to_rest(lambda: count) < 900  # of 100 MB kernels may take tens
    await close()
