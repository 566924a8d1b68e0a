"""Clients that close their side: whoever still reads gets the answer, and nobody works for who has left."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

import pytest

from gateway.web.messages import Answer, Request, Sent
from tests.fakes.door import eventually
from tests.fakes.hand import Hand
from tests.fakes.listening import GET, MUCH, POST, Slow, at_once, later, standing, wholly
from tests.fakes.patience import PATIENCE


@pytest.mark.parametrize("answer", [at_once, later])
@pytest.mark.parametrize("count", [1, 3])
async def test_who_sends_no_more_still_gets_every_answer(
    answer: Callable[[Request], Answer], count: int
) -> None:
    """``printf … | nc``: then the connection ends."""
    async with standing(answer) as stand:
        client = await stand.client()
        client.writer.write(GET * count)
        client.writer.write_eof()
        assert [(await client.response()).body for _ in range(count)] == [b"/"] * count
        assert await client.rest() == b""
        await stand.empty()


async def test_who_sends_no_more_gets_a_long_answer_wholly(hand: Hand) -> None:
    """It takes longer than any pause of it may."""

    async def answer(request: Request) -> Answer:
        connection = request.connection
        await ended.wait()
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\nConnection: close\r\n\r\n")
        for _ in range(40):
            hand.goes(0.4)
            connection.write(b"a")
            await asyncio.sleep(0)
        return Sent(200, b"", close=True)

    ended = asyncio.Event()
    async with standing(answer, half_closed=0.5) as stand:
        client = await stand.client()
        client.writer.write(GET)
        client.writer.write_eof()
        await eventually(lambda: [each for each in stand.doors.connections if each._half_closed])
        ended.set()
        assert (await client.response()).body == b"a" * 40
        assert await client.rest() == b""


async def test_who_breaks_off_a_body_hears_of_it() -> None:
    """The rest cannot come any more."""
    async with standing(wholly) as stand:
        client = await stand.client()
        client.writer.write(POST % 10 + b"abc")
        client.writer.write_eof()
        assert (await client.response()).body == b"broken_body"
        assert await client.rest() == b""


@pytest.mark.parametrize("data", [b"", b"\r", GET[:9], b"\r\n" + GET[:20]])
async def test_who_breaks_off_before_a_request_gets_nothing(data: bytes) -> None:
    """There is nothing to answer."""
    async with standing(at_once) as stand:
        client = await stand.client()
        client.writer.write(data)
        client.writer.write_eof()
        assert await client.rest() == b""
        assert stand.asked == []
        await stand.empty()


async def test_who_has_left_is_told_to_who_works_for_it(hand: Hand) -> None:
    """A while after its side was closed, because it may still want the answer; at the next look when it was reset."""
    for reset in (False, True):
        gone = asyncio.Event()

        def answer(request: Request, gone: asyncio.Event = gone) -> None:
            request.gone = gone.set

        async with standing(answer, half_closed=30.0) as stand:
            client = await stand.client()
            await client.send(GET)
            await eventually(lambda stand=stand: stand.asked)
            (connection,) = stand.doors.connections
            if reset:
                client.writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
            client.writer.close()
            await eventually(lambda known=connection: known.closed or known._half_closed)
            if not reset:
                hand.goes(29.0)
                assert not gone.is_set()
                hand.goes(2.0)
            await asyncio.wait_for(gone.wait(), PATIENCE)
            await stand.empty()


async def test_who_ends_in_a_pause_of_its_answer_has_left() -> None:
    """Whoever still wanted it would have ended before, and an event stream may be quiet for long."""
    gone = asyncio.Event()

    def answer(request: Request) -> None:
        request.gone = gone.set
        request.connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    async with standing(answer, half_closed=60.0) as stand:
        client = await stand.client()
        await client.send(GET)
        await client.head()
        client.writer.write_eof()
        await asyncio.wait_for(gone.wait(), PATIENCE)
        await stand.empty()


async def test_who_ends_while_its_answer_is_on_the_way_gets_it_all() -> None:
    """It is slow to take what waits for it, but it is there."""

    async def answer(request: Request) -> Answer:
        connection = request.connection
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MUCH + 3) + b"a" * MUCH)
        await connection.drain()
        await asyncio.sleep(0.1)
        connection.write(b"end")
        return Sent(200, b"", close=False)

    async with standing(answer) as stand:
        slow = Slow(stand)
        await slow.ask()
        await slow.take()
        slow.sock.shutdown(socket.SHUT_WR)
        while await slow.take(1 << 20):
            pass
        assert slow.taken > MUCH + 3


async def test_an_upload_may_end_behind_its_last_byte() -> None:
    """What was said before the answer is no answer: this client is still waiting for it."""

    async def answer(request: Request) -> Answer:
        assert request.body is not None
        request.body.accept()
        response = await wholly(request)
        await asyncio.sleep(0.1)
        return response

    async with standing(answer) as stand:
        client = await stand.client()
        await client.send((POST % 3).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert (await client.response()).status == 100
        client.writer.write(b"abc")
        client.writer.write_eof()
        assert (await client.response()).body == b"3"
        assert await client.rest() == b""


async def test_who_has_left_is_found_by_refusing_what_is_sent(hand: Hand) -> None:
    """However long a pause may be."""
    gone = asyncio.Event()

    async def answer(request: Request) -> Answer:
        request.gone = gone.set
        await asyncio.sleep(0.05)
        request.connection.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        await gone.wait()
        return Sent(200, b"", close=True)

    async with standing(answer, half_closed=60.0, linger=0.05) as stand:
        client = await stand.client()
        await client.send(GET)
        client.writer.close()
        async with hand.passing(0.001):
            await asyncio.wait_for(gone.wait(), PATIENCE)
            await stand.empty()
