"""One upstream connection."""

from __future__ import annotations

import asyncio

from gateway.proxy.connection import UpstreamConnection
from tests.proxy.test_pool import Transport


class Owner:
    def __init__(self):
        self.events = []

    def released(self, connection):
        self.events.append("released")

    def gone(self, connection):
        self.events.append("gone")


class Ear:
    def __init__(self):
        self.heard = []

    def received(self, data):
        self.heard.append(data)

    def lost(self, error):
        self.heard.append(error)

    def writable(self):
        self.heard.append("writable")


def connected():
    owner = Owner()
    connection = UpstreamConnection(owner)
    connection.connection_made(Transport(connection))
    return connection, owner


def test_bytes_go_to_the_receiver_and_nowhere_after_it():
    """r36: bytes while idle are nobody's and end the connection."""
    connection, owner = connected()
    ear = Ear()
    connection.begin(ear, b"head")
    connection.data_received(b"one")
    connection.release(reusable=True)

    connection.data_received(b"two")

    assert ear.heard == [b"one"]
    assert owner.events == ["released", "gone"]
    assert connection.transport.closed


def test_a_loss_is_told_once():
    """To the receiver and to the pool."""
    connection, owner = connected()
    ear, error = Ear(), ConnectionResetError()
    connection.begin(ear, b"head")

    connection.connection_lost(error)
    connection.abort()

    assert ear.heard == [error]
    assert owner.events == ["gone"]


def test_a_connection_passed_on_never_returns():
    """After an upgrade the pool does not know it any more."""
    connection, owner = connected()
    connection.begin(Ear(), b"head")
    tunnel = Ear()

    connection.pass_to(tunnel)
    connection.data_received(b"frame")
    connection.release(reusable=True)

    assert tunnel.heard == [b"frame"]
    assert owner.events == ["gone"]
    assert connection.transport.closed


async def test_draining_waits_for_the_upstream():
    """Until it takes more, or is gone."""
    for wake in ("resume_writing", "abort"):
        connection, _ = connected()
        ear = Ear()
        connection.begin(ear, b"head")
        await asyncio.wait_for(connection.drain(), 1)
        connection.pause_writing()
        waiting = [asyncio.ensure_future(connection.drain()) for _ in range(2)]
        waiting[0].cancel()
        await asyncio.sleep(0)
        assert not waiting[1].done()

        getattr(connection, wake)()

        await asyncio.wait_for(waiting[1], 1)
        assert ("writable" in ear.heard) == (wake == "resume_writing")
