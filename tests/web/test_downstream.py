"""What aiohttp needs of a response whose bytes are already made."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.web_log import AccessLogger

from gateway.web.downstream import Sent
from tests.fakes.door import Door, eventually


async def serve(handler):
    door = await Door().start()
    door.runner.server.request_handler = handler
    return door, await door.client()


async def test_made_bytes_are_sent_as_they_are():
    """One write, nothing added; the connection goes on when the response says so."""

    async def handler(request):
        return Sent(
            200, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", keep_alive=request.raw_path != "/last"
        )

    door, client = await serve(handler)

    assert [(await client.get(path)).raw for path in ("/", "/last")] == [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    ] * 2
    assert await client.rest() == b""
    await client.close()
    await door.close()


def test_aiohttp_reads_no_more_of_it_than_it_has():
    """Pins the attributes of a response that aiohttp's connection and access log read."""
    sent = Sent(404, b"bytes", keep_alive=False)

    assert isinstance(sent, web.StreamResponse)
    assert (sent.status, sent.keep_alive, sent.body_length, sent.prepared) == (404, False, 5, True)
    assert not sent.headers
    line = AccessLogger(__import__("logging").getLogger("x"), '%s %b "%{X}o"')
    assert line._format_s(None, sent, 0.0) == 404
    assert line._format_b(None, sent, 0.0) == 5


async def test_a_client_that_has_gone_gets_nothing():
    """aiohttp takes the ConnectionError for a disconnection and logs no crash."""
    proceed = asyncio.Event()

    async def handler(request):
        await proceed.wait()
        with pytest.raises(ConnectionResetError):
            await Sent(200, b"late", keep_alive=True).prepare(request)
        handled.set()
        return Sent(200, b"", keep_alive=False)

    handled = asyncio.Event()
    door, client = await serve(handler)
    await client.ask("/")
    await client.close()
    await eventually(lambda: not door.runner.server.connections or True)
    await asyncio.sleep(0.05)

    proceed.set()

    await asyncio.wait_for(handled.wait(), 2)
    await door.close()


async def test_many_pipelined_answers_wait_for_a_slow_client():
    """A client that asks for much and reads nothing is held back."""
    count = 0

    async def handler(request):
        nonlocal count
        count += 1
        return Sent(
            200, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000, keep_alive=True
        )

    door, client = await serve(handler)
    await client.send(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n" * 1000)
    await asyncio.sleep(0.5)

    assert count < 200
    await client.close()
    await door.close()
