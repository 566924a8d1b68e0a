"""The forwarder between a raw client and a raw upstream: framing, streaming, ends, timeouts."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from gateway.core.routes import Route
from tests.fakes.door import Door
from tests.fakes.upstream import FakeUpstream, always, reply


@pytest.fixture
async def lab():
    """``await lab(script, …)`` gives a door in front of a fake upstream."""
    stack = contextlib.AsyncExitStack()

    async def build(script, **options):
        upstream = await FakeUpstream(script).start()
        stack.push_async_callback(upstream.close)
        limits = {key: options.pop(key) for key in ("connect", "first_byte", "idle") if key in options}
        door = await Door(Route("/", upstream.url, **limits), **options).start()
        stack.push_async_callback(door.close)
        client = await door.client()
        stack.push_async_callback(client.close)
        return door, upstream, client

    async with stack:
        yield build


async def eventually(condition, seconds=3.0):
    """Wait until ``condition()`` holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_small_response_passes_and_both_connections_are_kept(lab):
    """Three requests on one client connection use one upstream connection and answer whole."""
    _, upstream, client = await lab(always(reply(b"hello", b"Content-Type: text/plain")))

    answers = [await client.get(f"/{n}") for n in range(3)]

    assert [answer.body for answer in answers] == [b"hello"] * 3
    assert upstream.connections == 1
    assert [c.request_line for c in upstream.calls] == [
        b"GET /0 HTTP/1.1",
        b"GET /1 HTTP/1.1",
        b"GET /2 HTTP/1.1",
    ]


async def test_a_large_response_streams(lab):
    """A response of many reads arrives byte for byte."""
    body = bytes(range(256)) * 8_192
    _, _, client = await lab(always(reply(body)))

    answer = await client.get("/")

    assert body == answer.body
    assert b"%d" % len(body) == answer.value(b"content-length")


async def test_a_chunked_response_with_trailers_passes(lab):
    """Chunked stays chunked, and trailers follow the last chunk."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
    _, upstream, client = await lab(
        always(
            head,
            b"5\r\nhello\r\n",
            b"6\r\n world\r\n",
            b"0\r\nX-Sum: 42\r\nSet-Cookie: a=b\r\n\r\n",
            pause=0.02,
        )
    )

    answer = await client.get("/")

    assert answer.body == b"hello world"
    assert answer.trailers == [b"X-Sum: 42"]
    assert answer.value(b"trailer") == b"X-Sum"
    await client.get("/")
    assert upstream.connections == 1


async def test_an_unreachable_upstream_is_an_error_before_the_head():
    """Nobody listens: connect_failed, and the client connection goes on."""
    door = await Door(Route("/", "http://127.0.0.1:1")).start()
    client = await door.client()

    answer = await client.get("/")

    assert (answer.status, answer.body) == (502, b"connect_failed")
    assert (await client.get("/again")).status == 502
    await client.close()
    await door.close()
