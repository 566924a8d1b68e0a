"""The client's connections: slow ones are cut off, large heads and broken bodies too, and nobody has all of them."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_network
from typing import Any

import pytest

from gateway.core.errors import DownstreamError
from gateway.web.door import connections
from gateway.web.door.connections import Listener
from gateway.web.door.limits import DoorLimits
from gateway.web.messages import Request, Response
from tests.fakes.door import Client, eventually, listener, narrow
from tests.fakes.hand import Hand

NOBODY = (ip_network("192.0.2.0/24"),)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
Handler = Callable[[Request], Awaitable[Response]]


class Stand:
    """A listener on loopback. ``faults``: what reading a body ended with; ``read``: bytes of the body so far. ``begun``: it
    is being read: what breaks in the read that it came in is no request at all.
    """

    def __init__(self) -> None:
        self.begun = False
        self.faults: list[BaseException] = []
        self.read = 0
        self.listener: Listener
        self.port = 0

    async def handle(self, request: Request) -> Response:
        """Read the body and tell its size."""
        size, self.begun = 0, True
        try:
            while request.body is not None and (piece := await request.body.read()):
                size += len(piece)
                self.read = size
        except DownstreamError as error:
            self.faults.append(error)
            return Response(408, body=error.code.encode(), close=True)
        return Response(body=b"%d" % size)


@contextlib.asynccontextmanager
async def listening(handler: Handler | None = None, **limits: Any) -> AsyncIterator[Stand]:
    stand = Stand()
    stand.listener = listener(handler or stand.handle, DoorLimits(**{"header": 8_192, "body": 0, **limits}))
    server = await asyncio.get_running_loop().create_server(stand.listener, "127.0.0.1", 0)
    narrow(server.sockets[0])
    stand.port = server.sockets[0].getsockname()[1]
    try:
        yield stand
    finally:
        server.close()
        await stand.listener.shutdown(0.1)


@contextlib.asynccontextmanager
async def client_of(stand: Stand) -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_connection("127.0.0.1", stand.port))
    narrow(client.writer.get_extra_info("socket"))
    try:
        yield client
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def dripping(client: Client, piece: bytes) -> AsyncIterator[None]:
    """Send ``piece`` again and again meanwhile, until the connection is closed."""

    async def drip() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                await client.send(piece)
                await asyncio.sleep(0.01)

    sending = asyncio.ensure_future(drip())
    try:
        yield
    finally:
        sending.cancel()


async def ends(client: Client) -> bool:
    """Whether the connection ends without another byte; a reset is an end too, while the client still sends."""
    try:
        return await client.rest() == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("first", [b"", GET], ids=["new", "kept"])
async def test_a_head_that_drips_is_cut_off(first: bytes, hand: Hand) -> None:
    """408 and the end, whatever trickles in, on a new connection and on a kept one."""
    async with listening(head_seconds=10) as stand, client_of(stand) as client:
        if first:
            await client.send(first)
            await client.response()
        await eventually(lambda: stand.listener.connections)
        (connection,) = stand.listener.connections
        await client.send(b"GET / HTTP/1.1\r\n")
        await eventually(lambda: not connection.idle)
        for _ in range(15):
            await client.send(b"X: a\r\n")
            hand.goes(1)
        answer = await client.response()
        assert (answer.status, answer.value(b"connection")) == (408, b"close")
        assert await ends(client)


async def test_waiting_is_not_slow(hand: Hand) -> None:
    """A connection on which no request has begun is kept for longer than a head may take."""
    async with listening(head_seconds=5.0) as stand, client_of(stand) as client:
        for _ in range(3):
            hand.goes(15.0)
            assert (await client.get("/")).status == 200


async def test_a_head_in_pieces_is_whole_in_time() -> None:
    """Pieces are no fault by themselves."""
    async with listening(head_seconds=60.0) as stand, client_of(stand) as client:
        for at in range(0, len(GET), 7):
            await client.send(GET[at : at + 7])
            await asyncio.sleep(0.005)
        assert (await client.response()).status == 200


async def test_an_idle_connection_is_closed(hand: Hand) -> None:
    """After a while, whether it ever carried a request or not, and without a word."""
    async with listening(keep_alive=60.0) as stand, client_of(stand) as used, client_of(stand) as unused:
        await used.get("/")
        await eventually(lambda: len(stand.listener.connections) == 2)
        hand.goes(120.0)
        assert await used.rest() == b""
        assert await unused.rest() == b""


async def test_closing_what_is_idle_spares_whoever_is_about_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that has just been answered may have a request on the way, which could not be sent twice."""
    async with listening() as stand, client_of(stand) as client:
        monkeypatch.setattr(connections, "NEXT_REQUEST", math.inf)
        await client.get("/")
        assert stand.listener.close_idle() == 1
        assert (await client.get("/")).status == 200
        monkeypatch.setattr(connections, "NEXT_REQUEST", -math.inf)
        stand.listener.close_idle()
        assert await client.rest() == b""


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 100000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"]
)
async def test_a_body_that_drips_is_cut_off(framing: bytes, hand: Hand) -> None:
    """Less than the rate within a window is too slow, however it is framed."""
    async with (
        listening(body_window=0.15, body_rate=10_000) as stand,
        client_of(stand) as client,
    ):
        await client.send(POST + framing)
        async with dripping(client, b"1\r\na\r\n"), hand.passing():
            answer = await client.response()
        assert (answer.status, answer.body) == (408, b"too_slow")
        assert await ends(client)


async def test_a_body_that_begins_fast_must_go_on(hand: Hand) -> None:
    """Each window is looked at by itself: a good start buys no time."""
    async with listening(body_window=0.15, body_rate=100) as stand, client_of(stand) as client:
        await client.send(POST + b"Content-Length: 9999999\r\n\r\n" + b"a" * 100_000)
        await eventually(lambda: stand.read == 100_000)
        async with hand.passing():
            assert (await client.response()).status == 408


async def test_a_body_at_the_rate_passes(hand: Hand) -> None:
    """Slow is allowed; too slow is not."""
    async with listening(body_window=10, body_rate=100) as stand, client_of(stand) as client:
        await client.send(POST + b"Content-Length: 20000\r\n\r\n")
        for sent in range(1_000, 21_000, 1_000):
            await client.send(b"a" * 1_000)
            await eventually(lambda sent=sent: stand.read == sent)
            hand.goes(9.0)
        assert (await client.response()).body == b"20000"


async def test_whom_we_hold_back_is_not_slow(hand: Hand) -> None:
    """A body that nobody reads yet stops by itself; the client is not to blame."""
    go_on = asyncio.Event()

    async def late(request: Request) -> Response:
        await go_on.wait()
        return await Stand().handle(request)

    size = 20_000_000
    async with listening(late, body_window=0.1, body_rate=10_000) as stand, client_of(stand) as client:
        sending = asyncio.create_task(client.send(POST + b"Content-Length: %d\r\n\r\n" % size + b"a" * size))
        await eventually(lambda: any(each._held for each in stand.listener.connections))
        hand.goes(5.0)
        assert not sending.done()
        go_on.set()
        assert (await client.response()).body == b"%d" % size
        await sending


async def test_cve_2023_39326_endless_chunk_extensions_are_no_body() -> None:
    """Megabytes on the wire for a few bytes of body are cut off."""
    async with listening(body_window=0.15, body_rate=0) as stand, client_of(stand) as client:
        await client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        await eventually(lambda: stand.begun)
        async with dripping(client, b"1;" + b"a" * 30_000 + b"\r\na\r\n"):
            assert (await client.response()).body == b"broken_body"


async def test_a_broken_body_is_told_to_its_reader() -> None:
    """Whoever reads it hears of it at once, and nothing behind it is read."""
    async with listening() as stand, client_of(stand) as client:
        await client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        await eventually(lambda: stand.begun)
        await client.send(b"zzz\r\n" + GET)
        assert (await client.response()).body == b"broken_body"
        assert await client.rest() == b""
        assert len(stand.faults) == 1


async def test_heads_are_bounded_as_they_come() -> None:
    """431 while a head still grows, although each of its lines is small; nothing waits for its end."""
    async with listening() as stand, client_of(stand) as client:
        await client.send(b"GET / HTTP/1.1\r\n" + b"X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 60)
        await asyncio.sleep(0.02)
        await client.send(b"Y: " + b"a" * 6_000)
        answer = await client.response()
        assert (answer.status, answer.value(b"server")) == (431, b"gateway")
        assert b"aaaa" not in answer.body
        assert await client.rest() == b""


async def test_one_client_has_a_number_of_connections() -> None:
    """One more is closed at once; when one ends there is room again."""
    async with listening(per_client=2, proxies=NOBODY) as stand:
        async with client_of(stand) as first:
            await first.get("/")
            async with client_of(stand) as second, client_of(stand) as third:
                await second.get("/")
                assert await third.rest() == b""
                assert (await first.get("/")).status == 200
        await eventually(lambda: not stand.listener._clients)
        async with client_of(stand) as fourth:
            assert (await fourth.get("/")).status == 200


async def test_this_machine_and_proxies_have_any_number() -> None:
    """A proxy brings everybody's connections."""
    async with listening(per_client=1) as stand, client_of(stand) as first, client_of(stand) as second:
        assert (await first.get("/")).status == (await second.get("/")).status == 200


async def test_a_limit_of_zero_is_none() -> None:
    """Whoever is counted may have as many as they like."""
    async with (
        listening(per_client=0, proxies=NOBODY) as stand,
        client_of(stand) as first,
        client_of(stand) as second,
    ):
        assert (await first.get("/")).status == (await second.get("/")).status == 200


@pytest.mark.parametrize(
    ("peer", "counted"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("192.0.2.9", ""),
        ("::ffff:192.0.2.9", ""),
        ("", ""),
    ],
)
async def test_who_is_one_client(peer: str, counted: str) -> None:
    """An IPv4 address, or an IPv6 network of 64 bits; proxies and Unix sockets are nobody."""

    class Connection:
        def __init__(self) -> None:
            self.peer = peer
            self.counted = "?"

        def check(self, _: float) -> None:
            pass

    connection = Connection()
    made = listener(lambda _: None, DoorLimits(8_192, 0, proxies=NOBODY))
    assert made.admit(connection)  # type: ignore[arg-type]  # nothing else is asked of it
    assert connection.counted == counted


async def test_the_sweep_stops_when_nobody_is_there(hand: Hand) -> None:
    """No timer without a connection."""
    async with listening(head_seconds=0.1) as stand:
        async with client_of(stand) as client:
            await client.get("/")
            assert stand.listener.clock._handle is not None
        async with hand.passing():
            await eventually(lambda: stand.listener.clock._handle is None)


async def test_idle_connections_of_whoever_has_most_make_room() -> None:
    """Everybody together has a number too. One that rests goes; who works stays."""
    began = asyncio.Event()
    go_on = asyncio.Event()

    async def slowly(request: Request) -> Response:
        began.set()
        await go_on.wait()
        return Response(body=b"done")

    async with (
        listening(slowly, together=3) as stand,
        client_of(stand) as working,
        client_of(stand) as first,
        client_of(stand) as second,
    ):
        await working.send(GET)
        await began.wait()
        await eventually(lambda: len(stand.listener.connections) == 3)
        async with client_of(stand) as newcomer:
            resting = [asyncio.ensure_future(each.rest()) for each in (first, second)]
            ended, stays = await asyncio.wait(resting, return_when=asyncio.FIRST_COMPLETED)
            assert [each.result() for each in ended] == [b""]
            go_on.set()
            assert (await working.response()).body == b"done"
            assert (await newcomer.get("/")).body == b"done"
            assert len(stand.listener.connections) == 3
            for each in stays:
                each.cancel()
            await asyncio.wait(stays)


async def test_where_nobody_is_idle_the_newcomer_is_refused() -> None:
    """What is under way is not ended for somebody else."""
    began = asyncio.Event()
    go_on = asyncio.Event()

    async def slowly(request: Request) -> Response:
        began.set()
        await go_on.wait()
        return Response(body=b"done")

    async with listening(slowly, together=1) as stand, client_of(stand) as working:
        await working.send(GET)
        await began.wait()
        async with client_of(stand) as newcomer:
            assert await ends(newcomer)
        go_on.set()
        assert (await working.response()).body == b"done"


async def test_the_longest_idle_of_whoever_has_most_go_first() -> None:
    """Not those of somebody who has few, however long they rest, and none that works."""
    closed: list[str] = []

    class Connection:
        counted = ""

        def __init__(self, name: str, peer: str, since: float, *, idle: bool = True) -> None:
            self.name, self.peer, self.resting_since, self.idle = name, peer, since, idle

        def check(self, _: float) -> None:
            pass

        def close(self) -> None:
            closed.append(self.name)

    made = listener(lambda _: None, DoorLimits(8_192, 0, together=4))
    for one in (
        Connection("few", "127.0.0.9", 1.0),
        Connection("works", "127.0.0.1", 2.0, idle=False),
        Connection("later", "127.0.0.1", 4.0),
        Connection("longest", "127.0.0.1", 3.0),
        Connection("newcomer", "127.0.0.1", 5.0),
    ):
        assert made.admit(one)  # type: ignore[arg-type]  # as much of a connection as is looked at
    assert closed == ["longest"]
    made.clock.close()
