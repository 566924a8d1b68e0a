"""What is kept of upstreams and of responses on their way, filled with the largest that gets in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from gateway.core.errors import UpstreamError
from gateway.core.http.header_names import SPELLINGS
from gateway.core.http.routes import Route
from gateway.oidc.jose.signing_key import SigningKey
from gateway.proxy.address import _tls_context
from gateway.proxy.connection import Keeper, UpstreamConnection
from gateway.proxy.deadlines import Deadlines
from gateway.proxy.exchange import Exchange
from gateway.proxy.live import EVENTS, Endings, LiveConnections
from gateway.proxy.pool import Pool
from gateway.proxy.response import MAX_FIELDS, MAX_HEAD
from gateway.proxy.tunnel import Tunnel
from gateway.web.forward.assertions import HEADER, Assertions
from gateway.web.forward.forwarder import Forwarder
from tests.bounds.listed import fill, fills, resident, stated
from tests.fakes.door import session
from tests.proxy.test_exchange import Client, Transport
from tests.proxy.test_pool import Listener

Measured = Callable[[], int]
READING = 262_144
"""Bytes that asyncio reads at once, the most of any loop."""
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

MAX_CONNECTIONS, MAX_QUEUED = Route("/", "").connections, Route("/", "").queue


class Held:
    """A client's connection, to which one to the upstream belongs."""

    gone = False
    pools: frozenset[Keeper] = frozenset()


class Answering:
    """Exchanges, each on a connection of its own."""

    def __init__(self) -> None:
        self.deadlines = Deadlines(1_000.0)
        self.pool: Any = None
        self.exchanges: list[Exchange] = []

    def __call__(self, *readings: bytes) -> Exchange:
        connection = UpstreamConnection(self)
        connection.transport = cast("asyncio.Transport", Transport())
        client: Any = Client()
        exchange = Exchange(client, self.deadlines, Route("/", ""))
        exchange.begin(connection, b"GET / HTTP/1.1\r\n\r\n")
        for reading in readings:
            if not exchange.over:
                connection.data_received(reading)
        self.exchanges.append(exchange)
        return exchange

    def released(self, connection: UpstreamConnection) -> None:
        """It is free."""

    def gone(self, connection: UpstreamConnection) -> None:
        """It has ended."""

    def close(self) -> None:
        for exchange in self.exchanges:
            exchange.cancel()
        self.deadlines.close()


@fills("proxy/response.py _fields")
@pytest.mark.parametrize("size", [1, 200, 60_000])
async def test_header_lines_of_responses(size: int, measured: Measured) -> None:
    """Heads that do not end: of many small lines, of as many as there may be, of one long one."""
    answering = Answering()
    lines = b"".join(b"n%d:%b\r\n" % (n, b"v" * size) for n in range(60_000 // (size + 7)))[:64_000]
    answering(b"HTTP/1.1 200 OK\r\n", lines)
    before = measured()
    for _ in range(50):
        answering(b"HTTP/1.1 200 OK\r\n", lines, b"more:")
    assert measured() - before <= 50 * stated("proxy/response.py _fields")
    answering.close()


async def test_more_lines_than_a_head_may_have_are_not_kept(measured: Measured) -> None:
    """Of those that come with one reading as well."""
    answering = Answering()
    exchange = answering(b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * 60_000)
    assert isinstance(exchange.error, UpstreamError)
    assert len(exchange._fields) <= MAX_FIELDS + 1
    answering.close()


@pytest.mark.parametrize(
    "endless", [b"x", b"x: y\r\n", b"5;e=" + b"e" * 100], ids=["name", "lines", "extension"]
)
async def test_what_comes_behind_a_body_has_an_end(endless: bytes, measured: Measured) -> None:
    """Trailers, and the line before a chunk, as long as a head at the most; else the response is cut off."""
    answering = Answering()
    before = measured()
    exchange = answering(
        CHUNKED, b"0\r\n" if endless[:1] == b"x" else b"5;e=", *([endless * (60_000 // len(endless))] * 200)
    )
    assert exchange.over
    assert isinstance(exchange.error, UpstreamError)
    assert measured() - before < 4 * MAX_HEAD
    answering.close()


@fills("proxy/response.py _body")
async def test_a_response_that_nobody_takes(measured: Measured) -> None:
    """One reading, and then the upstream waits."""
    answering = Answering()
    before = measured()
    for _ in range(20):
        exchange = answering(CHUNKED)
        exchange._body.append(bytes(READING))
    assert (
        20 * READING
        < measured() - before
        <= 20 * (stated("proxy/response.py _body") + stated("proxy/response.py _fields"))
    )
    answering.close()


@fills(
    "proxy/pool.py _held", "proxy/pool.py _idle", "proxy/pool.py _open", "proxy/pool.py _waiting",
    "web/forward/forwarder.py _pools",
)  # fmt: skip
async def test_connections_to_upstreams(measured: Measured) -> None:
    """As many as there may be, all free; then all taken and a full queue, behind which nobody gets in."""
    before = measured()
    pool = Pool(Listener(), limit=MAX_CONNECTIONS, queue=MAX_QUEUED, keep_alive=4.0)
    opened = await asyncio.gather(*(pool.connect(60.0) for _ in range(MAX_CONNECTIONS)))
    assert (pool.size, len(pool._open)) == (MAX_CONNECTIONS, MAX_CONNECTIONS)
    assert measured() - before <= MAX_CONNECTIONS * stated("proxy/pool.py _open")
    before = measured()
    waiting = [asyncio.create_task(pool.connect(60.0)) for _ in range(MAX_QUEUED)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(pool._waiting) == MAX_QUEUED
    with pytest.raises(UpstreamError):
        await pool.connect(60.0)
    assert MAX_QUEUED * 500 < measured() - before <= MAX_QUEUED * stated("proxy/pool.py _waiting")
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    before = measured()
    for connection in opened:
        pool.released(connection)
    assert len(pool._idle) == MAX_CONNECTIONS
    assert measured() - before <= MAX_CONNECTIONS * stated("proxy/pool.py _idle")
    pool._idle.clear()
    before = measured()
    for connection in opened:
        connection.belongs = (Held(), "sid")
        pool.released(connection)
    assert len(pool._held) == MAX_CONNECTIONS
    assert measured() - before <= MAX_CONNECTIONS * stated("proxy/pool.py _held")
    await pool.close()
    assert not pool._held
    before = measured()
    routes = [Route(f"/{n}/", f"http://127.0.0.1:{n + 1}") for n in range(100)]
    forwarder = Forwarder(routes, live=LiveConnections())
    assert measured() - before <= 100 * (stated("web/forward/forwarder.py _pools") + 2 * 8 * SPELLINGS)
    await forwarder.close()


@fills("proxy/address.py _tls_context")
def test_tls_settings(measured: Measured) -> None:
    """OpenSSL's part is out of Python's sight: of a hundred it is the resident memory that shows it."""
    _tls_context.cache_clear()
    _tls_context("")
    before = resident()
    made = [_tls_context.__wrapped__("") for _ in range(30)]
    assert resident() - before <= 30 * stated("proxy/address.py _tls_context")
    assert len(made) == 30


@fills("proxy/live.py _by_sid", "proxy/live.py _keys")
async def test_live_connections(measured: Measured) -> None:
    """Each of a session of its own; and as many keys as entries come in one turn of the loop."""
    live = LiveConnections()
    sessions = [session(f"{n:022}") for n in range(1_000)]
    before = measured()
    for one in sessions:
        live.add(one.sid, _end, session=one, kind=EVENTS)
    assert measured() - before <= 1_000 * stated("proxy/live.py _by_sid")
    endings = Endings(live, lambda _: None)
    keys = [f"sid:{n:022}" for n in range(10_000)]
    before = measured()
    for key in keys:
        endings.hear(key)
    assert len(endings._keys) == 10_000
    assert measured() - before <= 10_000 * stated("proxy/live.py _keys")


def _end(_: str) -> None:
    """It is closed."""


@fills("proxy/deadlines.py _watched")
async def test_what_has_a_deadline(measured: Measured) -> None:
    """However many."""
    deadlines, items = Deadlines(1_000.0), [Watched() for _ in range(10_000)]
    before = measured()
    for item in items:
        deadlines.watch(item)
    assert len(deadlines) == 10_000
    assert measured() - before <= 10_000 * stated("proxy/deadlines.py _watched")
    deadlines.close()


class Watched:
    """Never too late."""

    def check(self, now: float) -> None:
        """In time."""


@fills("proxy/tunnel.py _closing")
def test_directions_that_are_closing(measured: Measured) -> None:
    """There are two."""
    tunnels = [Tunnel(None, None, Deadlines(1.0)) for _ in range(1_000)]  # type: ignore[arg-type]  # nothing is sent
    before = measured()
    for tunnel in tunnels:
        tunnel._closing.update((tunnel._to_client, tunnel._to_upstream))
    assert measured() - before <= 2 * 1_000 * stated("proxy/tunnel.py _closing")


@fills("web/forward/forwarder.py _logged_names")
async def test_names_of_dropped_headers(measured: Measured) -> None:
    """Clients choose the names; no more than a hundred are remembered, and not all of a long one."""
    forwarder = Forwarder([Route("/", "http://127.0.0.1:1")], live=LiveConnections())
    before = measured()
    for at in range(1_000):
        forwarder._say_dropped(b"x_forwarded_%d" % at + b"n" * 30_000)
    assert measured() - before <= stated("web/forward/forwarder.py _logged_names")
    await forwarder.close()


@fills("web/forward/assertions.py _made")
def test_assertions_that_are_sent_again(measured: Measured) -> None:
    """Of everybody, each with an identity as long as a session may have it."""
    made = Assertions("https://app.example.com", [SigningKey.new()])
    before = measured()
    memory = made._made

    def add(at: int) -> None:
        identity = ((b"X-Auth-Request-User", b"%d" % at), (b"X-Auth-Request-Groups", b"g" * 4_000))
        memory.keep((identity, f"/{at}", at), (HEADER, b"%d" % at + b"t" * 6_000))

    fill(memory, add, 6_200)
    assert memory.kept > 8
    assert measured() - before <= memory.taken <= memory.size == stated("web/forward/assertions.py _made")
