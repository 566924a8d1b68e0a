"""How exchanges end when something goes wrong: upstreams that break, stall or lie, clients that leave or stall."""

from __future__ import annotations

import asyncio

import pytest

from gateway.core.http.routes import Route
from tests.fakes.door import Door, comes_to_rest, eventually, open_lab, session
from tests.fakes.patience import PATIENCE
from tests.fakes.upstream import always, reply

lab = pytest.fixture(open_lab)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_an_unreachable_upstream_is_an_error_before_the_head():
    """Nobody listens: connect_failed, and the client connection goes on."""
    door = await Door(Route("/", "http://127.0.0.1:1")).start()
    client = await door.client()

    answer = await client.get("/")

    assert (answer.status, answer.body) == (502, b"connect_failed")
    assert (await client.get("/again")).status == 502
    await client.close()
    await door.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_a_stale_connection_is_retried_once(lab, method):
    """An upstream that closed a kept connection costs an idempotent request nothing."""

    async def one_each(call):
        await call.send(
            reply(b"ok")
            if call.request_line[:4] != b"HEAD"
            else b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        )
        await call.reader.readuntil(b"\r\n\r\n")  # the next request arrives, and is never answered
        return "close"

    door, upstream, client = await lab(one_each)

    answers = [await client.get("/", method=method) for _ in range(3)]

    assert [answer.status for answer in answers] == [200] * 3
    assert not door.errors
    assert upstream.connections == 3


async def test_a_request_that_may_not_be_repeated_is_not(lab):
    """POST on a connection that turns out stale is an error, sent once."""
    seen = []

    async def one_each(call):
        await call.send(reply(b"ok"))
        seen.append(await call.reader.readuntil(b"\r\n\r\n"))
        return "close"

    _, upstream, client = await lab(one_each)
    await client.get("/")

    answer = await client.get("/", "Content-Length: 0", method="POST")

    assert (answer.status, answer.body) == (502, b"broken_response")
    assert (len(seen), upstream.connections) == (1, 1)


async def test_a_fresh_connection_that_closes_is_not_retried(lab):
    """Only a kept connection can be stale: an upstream that always closes is asked once."""

    async def close(call):
        return "close"

    _, upstream, client = await lab(close)

    assert (await client.get("/")).body == b"broken_response"
    assert len(upstream.calls) == 1


async def test_a_request_that_may_not_be_repeated_takes_no_old_connection(lab, monkeypatch):
    """POST opens a connection of its own rather than one that was free for long."""
    monkeypatch.setattr("gateway.proxy.pool.FRESH_SECONDS", 0.0)
    _, upstream, client = await lab(always(reply()))
    await client.get("/")

    await client.get("/", "Content-Length: 0", method="POST")

    assert upstream.connections == 2


@pytest.mark.parametrize(
    "lie",
    [
        b"not http at all\r\n\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
        CHUNKED[:-2] + b"\r\nzz\r\n",
    ],
)
async def test_a_response_that_is_not_http_is_an_error(lab, lie):
    """Whatever two parsers could read differently is refused whole, and its connection is not kept."""
    door, _, client = await lab(always(lie))

    answer = await client.get("/")

    assert (answer.status, answer.body) == (502, b"broken_response")
    assert [error.code for error in door.errors] == ["broken_response"]


async def test_no_first_byte_in_time(lab, hand):
    """An upstream that says nothing is a gateway timeout, and it sees its client leave."""
    ended = asyncio.Event()

    async def silent(call):
        await call.client_gone()
        ended.set()
        return "close"

    door, upstream, client = await lab(silent, first_byte=10)
    await client.ask("/")
    await eventually(lambda: upstream.calls)
    hand.goes(20)

    assert (await client.response()).status == 504
    assert [error.code for error in door.errors] == ["first_byte_timeout"]
    await asyncio.wait_for(ended.wait(), PATIENCE)


async def test_a_head_that_drips_is_no_first_byte(lab, hand):
    """Sending the head byte by byte does not move the limit."""

    async def dripping(call):
        for byte in reply()[:12]:
            await call.send(b"%c" % byte)
            await asyncio.sleep(0.01)
            hand.goes(1.0)
        await call.client_gone()
        return "close"

    door, _, client = await lab(dripping, first_byte=10)

    assert (await client.get("/")).status == 504
    assert [error.code for error in door.errors] == ["first_byte_timeout"]


@pytest.mark.parametrize(
    "begin",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        CHUNKED + b"3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nabc",
    ],
)
async def test_a_response_that_stalls_is_broken_off_visibly(lab, begin, hand):
    """After the idle limit the client sees a broken message, never a complete one."""

    async def stall(call):
        await call.send(begin)
        await call.client_gone()
        return "close"

    _, upstream, client = await lab(stall, idle=10)

    await client.ask("/")
    await eventually(lambda: b"abc" in client.reader._buffer)
    hand.goes(30)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.response()
    await eventually(upstream.calls[0].ended.is_set)


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize(
    "begin", [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", CHUNKED + b"3\r\nabc\r\n"]
)
async def test_an_upstream_that_breaks_off_is_seen_to(lab, begin, reset, version):
    """A response cut short upstream is cut short for the client, whatever framing the client has."""

    async def broken(call):
        await call.send(begin)
        await asyncio.sleep(0.05)
        if reset:
            call.reset()
        return "close"

    _, _, client = await lab(broken)

    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.get("/", version=version)


async def test_a_client_that_leaves_cancels_the_upstream(lab, hand):
    """In mid-response and while waiting for the first byte alike."""

    async def endless(call):
        if b"stream" in call.request_line:
            await call.send(CHUNKED + b"3\r\nabc\r\n")
        await call.client_gone()
        return "close"

    door, upstream, client = await lab(endless)
    other = await door.client()
    await client.ask("/wait")
    await other.ask("/stream")
    await other.head()
    await eventually(lambda: len(upstream.calls) == 2)

    await client.close()
    await other.close()

    async with hand.passing():
        await eventually(lambda: all(call.ended.is_set() for call in upstream.calls))
    assert not door.errors


async def test_a_slow_client_holds_the_upstream_back(lab):
    """A download that nobody reads stops the upstream: memory is bounded by the transport's marks."""
    sent = 0

    async def flood(call):
        nonlocal sent
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(10_000):
            await call.send(b"x" * 100_000)
            sent += 100_000

    _, _, client = await lab(flood)
    await client.ask("/")

    held = await comes_to_rest(lambda: sent)
    assert held < 500_000_000  # kernels take tens of megabytes where they may
    assert len(await asyncio.wait_for(client.reader.readexactly(held + 1_000_000), PATIENCE)) > held


async def test_a_client_that_takes_nothing_is_cut_off(lab, hand):
    """A client that stops reading does not hold an upstream connection for ever."""

    async def flood(call):
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(10_000):
            await call.send(b"x" * 100_000)

    _, upstream, client = await lab(flood, idle=0.2)
    await client.ask("/")
    await eventually(lambda: upstream.calls)

    async with hand.passing():
        await eventually(lambda: not upstream._tasks)


async def test_too_many_requests_wait_and_then_are_refused(lab):
    """Beyond the connection limit requests queue; beyond the queue they are told so; both recover."""
    release = asyncio.Event()

    async def held(call):
        await release.wait()
        await call.send(reply())

    door, upstream, client = await lab(held, connect=PATIENCE)
    pool = next(iter(door.forwarder._pools.values()))
    pool._limit, pool._queue = 1, 1
    second, third = await door.client(), await door.client()
    await client.ask("/1")
    await eventually(lambda: upstream.calls)
    await second.ask("/2")
    await eventually(lambda: pool._waiting)

    refused = await third.get("/3")
    release.set()

    assert (refused.status, refused.body) == (503, b"upstream_busy")
    assert [(await each.response()).status for each in (client, second)] == [200, 200]
    assert upstream.connections == 1
    for each in (second, third):
        await each.close()


async def test_waiting_for_a_connection_has_a_limit(lab):
    """The connect limit covers the queue."""
    door, upstream, client = await lab(always(reply()), connect=0.1)
    pool = next(iter(door.forwarder._pools.values()))
    pool._limit = 1
    await pool.connect(PATIENCE)

    assert (await client.get("/")).body == b"upstream_busy"
    assert not upstream.calls


async def test_a_download_is_broken_off_when_its_session_ends(lab):
    """r22: a streamed response that is no event stream is aborted so that it is visibly incomplete."""

    async def endless(call):
        await call.send(CHUNKED + b"3\r\nabc\r\n")
        await call.client_gone()
        return "close"

    door, upstream, client = await lab(endless, who=session("sid-9"))
    await client.ask("/")
    await client.head()

    assert len(door.live) == 1
    assert door.live.end("sid-9", "signed out") == 1

    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client._chunks(type("Found", (), {"body": b"", "pieces": 0, "trailers": []})())
    await eventually(upstream.calls[0].ended.is_set)
    assert len(door.live) == 0


async def test_a_whole_response_is_never_registered(lab):
    """What is whole at once costs no registration, and a finished stream leaves none behind."""
    door, _, client = await lab(always(reply(b"x" * 3_000_000)), who=session())

    await client.get("/")

    await eventually(lambda: len(door.live) == 0)
    assert len(door.forwarder._deadlines) == 0


async def test_a_session_that_ended_while_waiting_gets_no_stream(lab):
    """A response that begins after its session's end does not begin."""
    _, _, client = await lab(always(CHUNKED + b"3\r\nabc\r\n"), who=session(), alive=lambda session: False)

    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.get("/")


async def test_a_long_poll_that_outlives_its_session_brings_nothing(lab, hand):
    """A response that comes whole, but after the session's end, is not handed over; one without a session is."""
    standing, news = True, asyncio.Event()

    async def poll(call):
        await news.wait()
        await call.send(reply(b"news"))

    door, upstream, client = await lab(poll, who=session(), alive=lambda session: standing, first_byte=60.0)
    news.set()
    assert (await client.get("/")).body == b"news"
    news.clear()
    await client.ask("/")
    await eventually(lambda: len(upstream.calls) == 2)
    hand.goes(10.0)

    standing = False
    news.set()

    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.response()
    door.session = None
    other = await door.client()
    assert (await other.get("/")).body == b"news"
    await other.close()


async def test_a_stream_ends_at_the_sessions_absolute_deadline(lab):
    """A session that has passed its last second has no live stream."""

    async def endless(call):
        await call.send(CHUNKED + b"3\r\nabc\r\n")
        await call.client_gone()
        return "close"

    door, upstream, client = await lab(endless, who=session(absolute_until=1))

    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.get("/")
    await eventually(upstream.calls[0].ended.is_set)
    assert len(door.live) == 0
