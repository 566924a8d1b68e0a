"""How a client's connection ends: nobody loses an answer, and nobody stays for ever."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable
from pathlib import Path

import pytest

from gateway.web.door.limits import DoorLimits
from gateway.web.messages import Answer, Request, Response, Sent
from tests.fakes.certificates import Authority
from tests.fakes.door import Client, eventually, listener
from tests.fakes.hand import Hand
from tests.fakes.listening import GET, MUCH, POST, Slow, at_once, much, standing, wholly
from tests.fakes.patience import PATIENCE

# What still comes when the answer is out


@pytest.mark.parametrize("behind", [b"", b"x" * 3_000_000], ids=["nothing behind", "much behind"])
async def test_a_refused_upload_gets_its_answer_before_the_end(behind: bytes) -> None:
    """A large body under way is read over, because a reset would destroy the answer on its way."""
    async with standing(lambda _: Response(413, close=True)) as stand:
        client = await stand.client()
        await client.send(POST % 9_000_000 + behind)
        assert (await client.response()).status == 413
        assert await client.rest() == b""


async def test_whatever_stands_behind_a_last_request_costs_nobody_the_answer() -> None:
    """It is read over, never as a request."""
    async with standing(lambda _: Response(405, body=b"no", close=True)) as stand:
        client = await stand.client()
        await client.send(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n" + b"\x16\x03\x01" + GET * 50_000)
        assert (await client.response()).body == b"no"
        assert await client.rest() == b""
        assert stand.asked == ["a:1"]


async def test_an_upload_that_nobody_wants_may_go_on_for_a_while(hand: Hand) -> None:
    """Longer than one pause of it; the connection is good for another request afterwards."""
    async with standing(at_once, linger=2.0) as stand:
        client = await stand.client()
        await client.send(POST % 10)
        assert (await client.response()).body == b"/"
        (connection,) = stand.doors.connections
        for left in range(9, -1, -1):
            hand.goes(1.5)
            before = connection._deadline
            await client.send(b"a")
            if left:
                await eventually(lambda before=before: connection._deadline > before)
        assert (await client.get("/next")).body == b"/next"


async def test_nobody_sends_for_ever_what_nobody_wants(hand: Hand) -> None:
    """Neither a body that goes on, nor bytes behind the end."""
    for refusal in (Response(body=b"no"), Response(body=b"no", close=True)):

        def refused(_: Request, refusal: Response = refusal) -> Answer:
            return refusal

        async with standing(refused, linger=0.1, linger_most=0.3) as stand:
            client = await stand.client()
            await client.send(POST % 1_000_000)
            assert (await client.response()).body == b"no"
            with pytest.raises((ConnectionError, RuntimeError)):  # the latter says uvloop
                async with asyncio.timeout(PATIENCE), hand.passing():
                    while True:
                        await client.send(b"a")
                        await asyncio.sleep(0.02)
            async with hand.passing():
                await stand.empty()


# Clients that take slowly what is sent


async def test_a_slow_taker_gets_its_last_answer_wholly(hand: Hand) -> None:
    """The end waits for it, as long as it takes something now and then."""
    async with standing(much, linger=0.02, send_seconds=30.0) as stand:
        slow = Slow(stand)
        await slow.ask()
        await eventually(lambda: stand.asked)
        (connection,) = stand.doors.connections
        for _ in range(10):
            hand.goes(20.0)
            before = connection.transport.get_write_buffer_size()
            while connection.transport.get_write_buffer_size() == before:
                await slow.take()
        while await slow.take():
            pass
        assert slow.taken > MUCH


@pytest.mark.parametrize("close", [False, True])
async def test_who_takes_nothing_is_cut_off(close: bool, hand: Hand) -> None:
    """Whether the connection would have gone on or not."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MUCH
    async with standing(
        lambda _: Sent(200, head + b"a" * MUCH, close=close), linger=0.02, send_seconds=0.1, keep_alive=0.2
    ) as stand:
        slow = Slow(stand)
        await slow.ask()
        await eventually(lambda: stand.asked)
        async with hand.passing():
            await stand.empty()
        with contextlib.suppress(ConnectionError):
            while await slow.take():
                pass
        assert slow.taken < MUCH


async def test_requests_that_wait_keep_their_connection_from_being_idle() -> None:
    """A drain closes idle connections only."""
    async with standing(
        lambda _: Sent(200, b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + b"a" * 99_999, close=False)
    ) as stand:
        client = await stand.client()
        await client.send(GET * 1_000)
        await eventually(lambda: any(each.writing_paused for each in stand.doors.connections))
        (connection,) = stand.doors.connections
        assert not connection.idle


# Other kinds of connection


async def test_over_tls(tmp_path: Path) -> None:
    """Requests, refusals in mid-upload, and a last answer: the same as without."""
    authority = Authority.make(tmp_path)
    trusting = ssl.create_default_context(cafile=str(authority.file))

    def answer(request: Request) -> Answer:
        return Response(413, close=True) if request.method == "POST" else wholly(request)

    async with standing(answer, authority.server("app.test")) as stand:
        for _ in range(2):
            client = await stand.client(ssl=trusting, server_hostname="app.test")
            await client.send(GET + GET)
            assert [(await client.response()).body for _ in range(2)] == [b"0", b"0"]
            await client.send(POST % 9_000_000 + b"x" * 500_000)
            assert (await client.response()).status == 413
        last = await stand.client(ssl=trusting, server_hostname="app.test")
        assert (await last.get("/", "Connection: close")).body == b"0"
        assert await last.rest() == b""
        for client in stand.clients:
            client.writer.transport.abort()
        await stand.empty()


async def test_over_a_unix_socket(tmp_path: Path) -> None:
    """Nobody has an address there, and nobody is counted."""
    peers: list[str] = []

    def answer(request: Request) -> Awaitable[Answer]:
        peers.append(request.peer)
        return wholly(request)

    doors = listener(answer, DoorLimits(1_000, 0, per_client=1))
    server = await asyncio.get_running_loop().create_unix_server(doors, str(tmp_path / "door"))
    clients = [Client(*await asyncio.open_unix_connection(str(tmp_path / "door"))) for _ in range(2)]
    for client in clients:
        await client.send(POST % 3 + b"abc")
        assert (await client.response()).body == b"3"
    for client in clients:
        await client.close()
    server.close()
    await doors.shutdown(1)
    assert peers == ["", ""]


@pytest.mark.parametrize("by", ["a task", "nobody"])
async def test_what_is_cut_off_never_looks_whole(by: str) -> None:
    """An answer that ends with its connection is broken by a reset; where none has begun, the end is an ordinary one."""

    async def go_on(request: Request) -> Answer:
        await asyncio.Event().wait()
        return None

    def begun(request: Request) -> Answer:
        if request.target == "/silent":
            return go_on(request)
        request.connection.write(b"HTTP/1.0 200 OK\r\n\r\nthe first half")
        return go_on(request) if by == "a task" else None

    async with standing(begun) as stand:
        half, silent = await stand.client(), await stand.client()
        await half.ask("/", version="1.0")
        await silent.ask("/silent")
        assert await half.reader.readuntil(b"half") == b"HTTP/1.0 200 OK\r\n\r\nthe first half"
        await eventually(lambda: len(stand.asked) == 2)
        await stand.doors.shutdown(1)
        with pytest.raises(ConnectionResetError):
            await half.rest()
        assert await silent.rest() == b""
