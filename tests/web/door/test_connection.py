"""A client's connection: requests in, answers out, in order, bounded and in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.web.door.connections import Listener
from gateway.web.door.limits import DoorLimits
from gateway.web.door.request_reader import AHEAD
from gateway.web.messages import Answer, Request, Response, Sent
from tests.fakes.door import Client, eventually, listener, narrow

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Stand:
    """A listener, and clients of it."""

    def __init__(self, doors: Listener, server: asyncio.Server) -> None:
        self.doors = doors
        self.server = server
        self.clients: list[Client] = []

    async def client(self) -> Client:
        client = Client(*await asyncio.open_connection(*self.server.sockets[0].getsockname()))
        narrow(client.writer.get_extra_info("socket"))
        self.clients.append(client)
        return client


Lab = Callable[..., "asyncio.Future[Stand]"]


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    stands: list[Stand] = []

    async def build(answer: Callable[[Request], Answer], **limits: float) -> Stand:
        doors = listener(answer, DoorLimits(1_000, 0, **limits))  # type: ignore[arg-type]  # fields of the limits
        server = await asyncio.get_running_loop().create_server(doors, "127.0.0.1", 0)
        narrow(server.sockets[0])
        stands.append(Stand(doors, server))
        return stands[-1]

    yield build  # type: ignore[misc]  # an async fixture
    for stand in stands:
        for client in stand.clients:
            await client.close()
        stand.server.close()
        await stand.doors.shutdown(1)


def target(request: Request) -> Response:
    return Response(body=request.target.encode())


async def slowly(request: Request) -> Response:
    """Later requests are answered sooner."""
    await asyncio.sleep(0.1 / (1 + len(request.target)))
    return target(request)


@pytest.mark.parametrize("answer", [target, slowly])
@pytest.mark.parametrize("step", [0, 1, 17])
async def test_pipelined_requests_are_answered_in_their_order(
    lab: Lab, answer: Callable[[Request], Answer], step: int
) -> None:
    """However they come, and whether they are answered at once or later."""
    stand = await lab(answer)
    client = await stand.client()
    data = b"".join(b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * n) for n in range(5))
    for at in range(0, len(data), step or len(data)):
        await client.send(data[at : at + (step or len(data))])
        await asyncio.sleep(0)
    assert [(await client.response()).body for _ in range(5)] == [b"/" + b"a" * n for n in range(5)]


async def test_what_is_sent_ahead_is_bounded(lab: Lab) -> None:
    """A client that asks on and on while its first answer is out is held back, and served later."""
    go = asyncio.Event()
    asked = 0

    async def answer(request: Request) -> Response:
        nonlocal asked
        asked += 1
        await go.wait()
        return target(request)

    stand = await lab(answer)
    client = await stand.client()
    large = GET[:-2] + b"X: %b\r\n\r\n" % (b"a" * 900)
    count = 12 * AHEAD // len(large)
    sending = asyncio.create_task(client.send(large * count))
    await eventually(lambda: any(each._held for each in stand.doors.connections))
    (connection,) = stand.doors.connections
    assert asked == 1
    assert connection._reader.ahead.size < 8 * AHEAD
    go.set()
    for _ in range(count):
        assert (await client.response()).status == 200
    await sending
    assert asked == count


async def test_a_client_that_reads_nothing_is_not_read_either(lab: Lab) -> None:
    """Its answers wait to be taken, so its requests wait to be read: neither piles up here."""
    stand = await lab(
        lambda _: Sent(200, b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + b"a" * 9_999, close=False)
    )
    client = await stand.client()
    sending = asyncio.create_task(client.send(GET * (200 * AHEAD // len(GET))))
    await eventually(lambda: any(each._held for each in stand.doors.connections))
    (connection,) = stand.doors.connections
    await asyncio.sleep(0.05)
    assert not sending.done()
    assert connection._reader.ahead.size < 8 * AHEAD
    for _ in range(1_000):
        assert len((await client.response()).body) == 9_999
    sending.cancel()
    client.writer.transport.abort()


async def test_a_head_may_be_larger_than_what_may_be_sent_ahead(lab: Lab) -> None:
    """Whoever was held back is let go on when the rest of a head is what is waited for."""
    go = asyncio.Event()

    async def answer(request: Request) -> Response:
        await go.wait()
        return target(request)

    stand = await lab(answer)
    stand.doors.limits = DoorLimits(3 * AHEAD, 0)
    client = await stand.client()
    await client.send(GET)
    sending = asyncio.create_task(client.send(b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * (2 * AHEAD))))
    await eventually(lambda: any(each._held for each in stand.doors.connections))
    go.set()
    assert (await client.response()).body == b"/"
    assert len((await client.response()).body) == 2 * AHEAD + 1
    await sending


async def test_empty_lines_before_a_request_are_ignored(lab: Lab) -> None:
    """RFC 9112 §2.2: some old clients send one behind a body."""
    stand = await lab(target)
    client = await stand.client()
    await client.send(b"\r\n\r\n" + GET)
    assert (await client.response()).status == 200
    await client.send(b"\r\n")
    await asyncio.sleep(0.02)
    await client.send(GET)
    assert (await client.response()).status == 200


@pytest.mark.parametrize(
    ("version", "headers", "stays"),
    [("1.1", (), True), ("1.1", ("Connection: close",), False), ("1.0", (), False), ("1.0", ("Connection: keep-alive",), True)],
)  # fmt: skip
async def test_a_connection_stays_as_its_client_wants(
    lab: Lab, version: str, headers: tuple[str, ...], stays: bool
) -> None:
    """Both versions of HTTP, and both ways to say it."""
    stand = await lab(target)
    client = await stand.client()
    answer = await client.get("/x", *headers, version=version)
    assert answer.body == b"/x"
    if stays:
        assert (await client.get("/y", *headers, version=version)).body == b"/y"
    else:
        assert await client.rest() == b""


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", b"GET /\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/1.1\n\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"GET / HTTP/3.0\r\n\r\n",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"GET /" + b"a" * 2_000,
    ],
)  # fmt: skip
async def test_r37_what_cannot_be_read_is_refused_at_once_and_ends_the_connection(
    lab: Lab, data: bytes
) -> None:
    """Even before all of it has come; what stands behind it is never read as a request."""
    asked: list[str] = []

    async def answer(request: Request) -> Response:
        asked.append(request.target)
        await asyncio.sleep(0)
        return Response()

    stand = await lab(answer)
    client = await stand.client()
    await client.send(data + GET)
    answer_ = await client.response()
    assert 400 <= answer_.status < 500
    assert await client.rest() == b""
    assert asked == []
    await client.close()
    await eventually(lambda: not stand.doors.connections)


async def test_a_body_that_nobody_wants_is_read_over(lab: Lab) -> None:
    """The answer is out before it has come, and the connection goes on behind it."""
    stand = await lab(target)
    client = await stand.client()
    await client.send(b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n")
    assert (await client.response()).body == b"/1"
    await client.send(b"x" * 300_000 + GET)
    assert (await client.response()).body == b"/"


async def test_a_body_that_was_not_asked_for_ends_the_connection(lab: Lab) -> None:
    """Who waits for 100 Continue and gets another answer may send the body or not; nobody could tell (RFC 9110 §10.1.1)."""
    stand = await lab(target)
    client = await stand.client()
    await client.send(b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    answer = await client.response()
    assert (answer.body, answer.value(b"connection")) == (b"/1", b"close")
    assert await client.rest() == b""


async def test_what_is_made_elsewhere_ends_such_a_connection_too(lab: Lab) -> None:
    """The bytes of the answer are an application's, but the body it did not ask for may come or not."""
    stand = await lab(lambda _: Sent(200, b"HTTP/1.1 204 No Content\r\n\r\n", close=False))
    client = await stand.client()
    await client.send(b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    assert (await client.response()).status == 204
    assert await client.rest() == b""


async def test_a_body_that_breaks_after_its_answer_gets_no_second_one(lab: Lab) -> None:
    """It would be taken for the answer to the next request."""
    stand = await lab(target)
    client = await stand.client()
    await client.send(b"POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert (await client.response()).body == b"/1"
    await client.send(b"zz\r\n" + GET)
    assert await client.rest() == b""


async def test_an_answer_is_given_once(lab: Lab) -> None:
    """A second one is dropped; it would be taken for the next request's."""
    kept: list[Request] = []

    def answer(request: Request) -> Answer:
        kept.append(request)
        return Response(body=b"first")

    stand = await lab(answer)
    client = await stand.client()
    assert (await client.get("/")).body == b"first"
    kept[0].connection.respond(kept[0], Sent(200, b"second", close=False))
    assert (await client.get("/")).body == b"first"
