"""Connections to one upstream: reuse, limits, the queue, and who gets what when somebody gives up."""

from __future__ import annotations

import asyncio
import select
import socket
import ssl

import pytest

from gateway.core.errors import UpstreamError
from gateway.proxy.address import Address
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.pool import Pool
from tests.fakes.patience import PATIENCE


class Listener(Address):
    """An address whose connections go nowhere, made without a network."""

    __slots__ = ("delay", "made", "refuse")
    delay: float
    made: list[UpstreamConnection]
    refuse: Exception | None

    def __init__(self):
        super().__init__("nowhere", 1)
        object.__setattr__(self, "made", [])
        object.__setattr__(self, "delay", 0.0)
        object.__setattr__(self, "refuse", None)

    def set(self, **values):
        for name, value in values.items():
            object.__setattr__(self, name, value)

    async def connect(self, factory):
        await asyncio.sleep(self.delay)
        if self.refuse is not None:
            raise self.refuse
        connection = factory()
        connection.connection_made(Transport(connection))
        self.made.append(connection)
        return connection


class Transport:
    def __init__(self, protocol):
        self.protocol, self.closed = protocol, False

    def get_extra_info(self, name):
        return None

    def is_closing(self):
        return self.closed

    def write(self, data):
        pass

    def abort(self):
        self.closed = True

    close = abort

    def get_write_buffer_size(self):
        return 0


class Nobody:
    def received(self, data):
        pass

    def lost(self, error):
        pass

    def writable(self):
        pass


@pytest.fixture
async def pool():
    made = Pool(Listener(), limit=2, queue=1, keep_alive=4.0)
    yield made
    await made.close()


async def busy(pool):
    connection = pool.take(replayable=True) or await pool.connect(PATIENCE)
    connection.begin(Nobody(), b"")
    return connection


async def test_the_last_one_freed_is_the_first_one_taken(pool):
    """So that those not needed become idle and are closed."""
    first, second = await busy(pool), await busy(pool)
    first.release(reusable=True)
    second.release(reusable=True)

    assert pool.take(replayable=True) is second
    assert pool.take(replayable=True) is first
    assert pool.take(replayable=True) is None


async def test_closed_connections_are_never_taken(pool):
    """Neither one that was lost while idle nor one that is closing."""
    first, second = await busy(pool), await busy(pool)
    first.release(reusable=True)
    second.release(reusable=True)
    second.transport.closed = True
    first.connection_lost(None)

    assert pool.take(replayable=True) is None


async def test_r36_a_connection_with_unread_bytes_is_closed_and_passed_over(pool):
    """Nobody gets it: neither who takes a free one, nor who waits, nor the next after who gave up."""

    async def unusable(connection):
        ours, theirs = socket.socketpair()
        connection._poll.register(ours.fileno(), select.POLLIN)
        theirs.send(b"x")
        return ours, theirs

    first, second = await busy(pool), await busy(pool)
    first.release(reusable=True)
    pair = await unusable(first)
    assert pool.take(replayable=True) is None
    assert first.transport.closed

    third = await busy(pool)
    waiting = asyncio.ensure_future(pool.connect(PATIENCE))
    await asyncio.sleep(0)
    other = await unusable(second)
    second.release(reusable=True)
    assert await waiting not in {first, second, third}
    assert second.transport.closed

    waiting = asyncio.ensure_future(pool.connect(PATIENCE))
    await asyncio.sleep(0)
    third.release(reusable=True)
    last = await unusable(third)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert third.transport.closed
    for sock in (*pair, *other, *last):
        sock.close()


async def test_the_queue_is_served_in_order_and_has_an_end(pool):
    """The limit makes requests wait, the queue's end refuses, a freed connection goes to the first in line."""
    first = await busy(pool)
    await busy(pool)
    waiting = asyncio.ensure_future(pool.connect(PATIENCE))
    await asyncio.sleep(0)

    with pytest.raises(UpstreamError, match="upstream_busy"):
        await pool.connect(PATIENCE)
    first.release(reusable=True)

    assert await waiting is first
    assert len(pool.address.made) == 2


async def test_a_connection_that_ends_makes_room(pool):
    """Whoever waits opens a new one; so does a connection that is taken over by something that lives long."""
    for leave in ("abort", "disown"):
        first = await busy(pool)
        await busy(pool)
        waiting = asyncio.ensure_future(pool.connect(PATIENCE))
        await asyncio.sleep(0)
        getattr(first, leave)()

        fresh = await waiting

        assert fresh is pool.address.made[-1]
        for connection in tuple(pool._open):
            connection.abort()


async def test_a_connection_that_is_lost_at_once_takes_no_room(pool, monkeypatch):
    """Gone before the pool has heard of it."""
    connect = Listener.connect

    async def lost(self, factory):
        connection = await connect(self, factory)
        connection.transport.abort()
        connection.connection_lost(None)
        return connection

    monkeypatch.setattr(Listener, "connect", lost)
    for _ in range(3):
        with pytest.raises(UpstreamError, match="connect_failed"):
            await pool.connect(PATIENCE)
    assert pool.size == 0


async def test_room_is_kept_for_whoever_waited(pool):
    """A connection ends, and in the same moment somebody new comes: the queue goes first, also after a failure."""
    first, second = await busy(pool), await busy(pool)
    waiting = asyncio.ensure_future(pool.connect(PATIENCE))
    await asyncio.sleep(0)
    first.abort()
    newcomer = asyncio.ensure_future(pool.connect(PATIENCE))

    assert await waiting is pool.address.made[-1]
    assert not newcomer.done()

    pool.address.set(refuse=ConnectionRefusedError())
    second.abort()
    with pytest.raises(UpstreamError, match="connect_failed"):
        await newcomer
    pool.address.set(refuse=None)
    assert await busy(pool)
    assert pool.size == 2


async def test_whoever_gives_up_a_place_that_was_kept_gives_it_to_the_next(pool):
    """Cancelled between being told of the room and using it."""
    pool._queue = 2
    first, _ = await busy(pool), await busy(pool)
    waiting = [asyncio.ensure_future(pool.connect(PATIENCE)) for _ in range(2)]
    await asyncio.sleep(0)
    first.abort()
    waiting[0].cancel()

    assert await waiting[1] is pool.address.made[-1]
    assert pool.size == 2


async def test_giving_up_in_the_queue_loses_nothing(pool):
    """A cancelled waiter's connection goes to the next, or back to the pool."""
    first, _ = await busy(pool), await busy(pool)
    waiting = asyncio.ensure_future(pool.connect(PATIENCE))
    await asyncio.sleep(0)
    first.release(reusable=True)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert pool.take(replayable=True) is first

    first.begin(Nobody(), b"")
    waiting = asyncio.ensure_future(pool.connect(PATIENCE))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not pool._waiting


@pytest.mark.parametrize(
    ("refuse", "delay", "limit", "code"),
    [
        (ConnectionRefusedError(), 0.0, PATIENCE, "connect_failed"),
        (OSError("no route"), 0.0, PATIENCE, "connect_failed"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), 0.0, PATIENCE, "tls_failed"),
        (None, 2 * PATIENCE, 0.05, "connect_timeout"),
    ],
)
async def test_connecting_fails_by_name(pool, refuse, delay, limit, code):
    """And a failed attempt does not count against the limit."""
    pool.address.set(refuse=refuse, delay=delay)
    for _ in range(3):
        with pytest.raises(UpstreamError, match=f"{code}: http://nowhere:1"):
            await pool.connect(limit)

    pool.address.set(refuse=None, delay=0.0)
    assert await busy(pool)
    assert await busy(pool)


async def test_waiting_too_long_is_busy(pool):
    """The time limit covers the queue."""
    await busy(pool)
    await busy(pool)

    with pytest.raises(UpstreamError, match="upstream_busy"):
        await pool.connect(0.05)


async def test_a_request_that_may_not_be_repeated_wants_a_fresh_connection(pool):
    """One that has been free for a while is closed instead."""
    first = await busy(pool)
    first.release(reusable=True)
    assert pool.take(replayable=False) is first
    first.begin(Nobody(), b"")
    first.release(reusable=True)
    first.idle_since -= 2.0

    assert pool.take(replayable=False) is None
    assert first.transport.closed


async def test_a_closed_pool_opens_nothing(pool):
    """A connection that comes up while closing is closed."""
    await pool.close()

    with pytest.raises(UpstreamError, match="connect_failed"):
        await pool.connect(PATIENCE)
    assert pool.address.made[-1].transport.closed
