"""Server-sent events through the forwarder: unbuffered, unlimited, and ended with their session (rule R22)."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.door import Client, eventually, open_lab, session
from tests.fakes.patience import PATIENCE
from tests.fakes.upstream import always, reply

lab = pytest.fixture(open_lab)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n"
LAST = b"event: logged-out\ndata: {}\n\n"


def stream(*events: bytes, head: bytes = HEAD + b"\r\n", close: bool = False):
    """A script that sends events, then stays silent until the client leaves."""

    async def script(call):
        pieces = [b"%x\r\n%b\r\n" % (len(event), event) if b"chunked" in head else event for event in events]
        await call.send(head, *pieces, pause=0.02)
        await call.client_gone()
        return "close"

    return script


async def chunk(client: Client) -> bytes:
    size = int(await asyncio.wait_for(client.reader.readuntil(b"\r\n"), PATIENCE), 16)
    data: bytes = await client.reader.readexactly(size + 2)
    return data[:-2]


async def test_events_pass_at_once(lab, hand):
    """Each event arrives when it is sent, nothing in front is told to buffer, and no limit ends a silent stream."""
    seen = asyncio.Event()

    async def script(call):
        await call.send(HEAD + b"\r\n", b"9\r\ndata: 1\n\n\r\n")
        await seen.wait()
        await call.send(b"9\r\ndata: 2\n\n\r\n")
        await call.client_gone()
        return "close"

    _, _, client = await lab(script, idle=10, first_byte=10)
    await client.ask("/events")

    head = await client.head()

    assert b"X-Accel-Buffering: no" in head
    assert await chunk(client) == b"data: 1\n\n"
    seen.set()
    assert await chunk(client) == b"data: 2\n\n"
    hand.goes(1_000)
    await asyncio.sleep(0.05)
    assert not client.reader.at_eof()


async def test_r22_the_last_event_says_logged_out(lab):
    """At an event boundary the stream gets a last event and a clean end."""
    door, upstream, client = await lab(stream(b"data: 1\r\n\r\n"), who=session("s"))
    await client.ask("/events")
    await client.head()
    await chunk(client)

    door.live.end("s", "signed out")

    assert await chunk(client) == LAST
    assert await asyncio.wait_for(client.reader.readexactly(5), PATIENCE) == b"0\r\n\r\n"
    await eventually(upstream.calls[0].ended.is_set)


async def test_r22_an_http10_client_gets_the_last_event_too(lab):
    """Without chunks the event is followed by the end of the connection."""
    door, _, client = await lab(stream(b"data: 1\n\n"), who=session("s"))
    await client.ask("/events", version="1.0")
    await client.reader.readuntil(b"data: 1\n\n")

    door.live.end("s", "signed out")

    assert await client.rest() == LAST


@pytest.mark.parametrize(
    ("head", "event"),
    [
        (HEAD + b"\r\n", b"data: half an ev"),
        (HEAD + b"Content-Encoding: gzip\r\n\r\n", b"data: 1\n\n"),
        (HEAD.replace(b"Transfer-Encoding: chunked", b"Content-Length: 100") + b"\r\n", b"data: 1\n\n"),
    ],
)
async def test_r22_elsewhere_the_stream_is_aborted(lab, head, event):
    """Within an event, compressed, or with a length: nothing is added, and the end is visibly not one."""
    door, _, client = await lab(stream(event, head=head), who=session("s"))
    await client.ask("/events")
    await client.head()
    await client.reader.read(100)

    door.live.end("s", "signed out")

    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.reader.readuntil(b"0\r\n\r\n")


async def test_sse_does_not_count_against_the_connection_limit(lab):
    """Many open event streams leave room for requests."""

    async def script(call):
        if b"events" in call.request_line:
            await stream(b"data: 1\n\n")(call)
            return "close"
        await call.send(reply(b"ok"))
        return None

    door, _, client = await lab(script)
    next(iter(door.forwarder._pools.values()))._limit = 1
    others = [await door.client() for _ in range(3)]
    for other in others:
        await other.ask("/events")
        await other.head()

    assert (await client.get("/")).body == b"ok"
    for other in others:
        await other.close()


async def test_a_client_that_leaves_an_idle_stream_is_noticed(lab):
    """The upstream sees the end although it says nothing itself."""
    door, upstream, client = await lab(stream(b"data: 1\n\n"), who=session("s"))
    await client.ask("/events")
    await client.head()

    await client.close()

    await eventually(upstream.calls[0].ended.is_set)
    await eventually(lambda: len(door.live) == 0)


async def test_a_finished_stream_is_clean(lab):
    """An event stream that ends by itself ends by itself."""
    _, upstream, client = await lab(always(HEAD + b"\r\n", b"3\r\n: x\r\n0\r\n\r\n", pause=0.02))

    answers = [await client.get("/events") for _ in range(2)]

    assert [answer.body for answer in answers] == [b": x", b": x"]
    assert upstream.connections == 2
