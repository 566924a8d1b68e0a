"""One stream of ``/oauth2/events``: what is said on it, and when it ends (rules R15 and R22)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from gateway.proxy.deadlines import Deadlines
from gateway.proxy.live import LiveConnections
from gateway.web.endpoints.session.events import SseStream, greeting
from gateway.web.messages import Request
from tests.fakes.door import Client, eventually, listener, session

LAST = b"event: logged-out\ndata: {}\n\n"


@dataclass
class Lab:
    """Streams of one session's, and the requests that opened them."""

    live: LiveConnections
    requests: list[Request]
    opened: Callable[..., object]


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    """``await lab.opened(lifetime=…, every=…)`` is a client that has read the head and the greeting."""
    live, deadlines, requests, clients = LiveConnections(), Deadlines(0.02), [], []
    options = {"lifetime": 3_600.0, "every": 3_600.0}

    def answer(request: Request) -> None:
        requests.append(request)
        SseStream(request, session("s"), live, deadlines, **options)

    door = listener(answer)
    server = await asyncio.get_running_loop().create_server(door, "127.0.0.1", 0)

    async def opened(**changes: float) -> Client:
        options.update(changes)
        client = Client(*await asyncio.open_connection(*server.sockets[0].getsockname()))
        clients.append(client)
        await client.ask("/oauth2/events")
        await client.head()
        await client.reader.readuntil(b"\n\n")
        return client

    yield Lab(live, requests, opened)
    for client in clients:
        await client.close()
    server.close()
    await door.shutdown(0.1)


async def test_r22_the_end_of_the_session_is_the_last_event(lab):
    """Then the connection ends, and nothing of the stream is left."""
    client = await lab.opened()
    assert lab.live.counts["tabs"] == 1

    lab.live.end("s", "logout")

    assert await client.rest() == LAST
    assert (len(lab.live), lab.requests[0].gone) == (0, None)


async def test_r22_the_session_s_own_deadline_ends_it(lab, hand):
    """Nobody has to call: the absolute deadline passes."""
    client = await lab.opened(lifetime=600.0)
    hand.goes(601.0)

    assert await client.rest() == LAST
    assert len(lab.live) == 0


async def test_a_silent_stream_is_kept_open_by_comments(lab, hand):
    """They are no events, and between two of them an event may stand."""
    client = await lab.opened(every=15.0)
    for _ in range(3):
        hand.goes(16.0)
        assert await client.reader.readuntil(b"\n\n") == b":\n\n"


async def test_a_gateway_that_stops_ends_it_without_a_word(lab):
    """So the browser asks again, and gets a stream elsewhere."""
    client = await lab.opened()

    assert lab.live.leave() == 1

    assert await client.rest() == b""


async def test_a_client_that_leaves_takes_everything_along(lab):
    """Neither registry nor clock knows of it any more."""
    client = await lab.opened()
    await client.close()

    await eventually(lambda: len(lab.live) == 0)
    assert lab.requests[0].gone is None


async def test_a_client_that_reads_nothing_is_dropped(lab, hand):
    """What waits for it does not grow."""
    client = await lab.opened(every=15.0)
    lab.requests[0].connection.pause_writing()
    hand.goes(60.0)

    assert LAST not in await client.rest()
    assert len(lab.live) == 0


def test_browsers_come_back_at_different_times():
    """One to three seconds after a broken stream, depending on the session."""
    pauses = {int(greeting(session(f"s{number}")).split()[1]) for number in range(50)}
    assert len(pauses) > 25
    assert (min(pauses) >= 1_000, max(pauses) < 3_000) == (True, True)
