"""One upstream connection."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
import uvloop

from gateway.proxy.address import Address
from gateway.proxy.connection import UpstreamConnection
from tests.fakes.patience import PATIENCE
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

    def ended(self):
        self.heard.append("ended")
        return True

    def received(self, data):
        self.heard.append(data)

    def lost(self, error):
        self.heard.append(error)

    def writable(self):
        self.heard.append("writable")


def connected():
    owner = Owner()
    connection = UpstreamConnection(owner)
    transport: Any = Transport(connection)
    connection.connection_made(transport)
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


def _reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize(
    "happens",
    [lambda peer: peer.sendall(b"x"), lambda peer: peer.close(), _reset],
    ids=["bytes", "end", "reset"],
)
def test_r36_what_waits_in_the_kernel_is_seen_before_the_next_request(run, happens):
    """The loop has not read it yet, and the connection is not used any more."""

    async def main():
        with socket.create_server(("127.0.0.1", 0)) as listening:
            address = Address("127.0.0.1", listening.getsockname()[1])
            connection = await address.connect(lambda: UpstreamConnection(Owner()))
            peer, _ = listening.accept()
        assert connection.usable
        happens(peer)  # without a turn of the loop behind it
        fileno = connection.transport.get_extra_info("socket").fileno()
        assert select.select([fileno], [], [], PATIENCE)[0], "the kernel has not brought it over"
        usable = connection.usable
        connection.abort()
        peer.close()
        return usable

    assert run(main()) is False


def test_a_loss_is_told_once():
    """To the receiver and to the pool."""
    connection, owner = connected()
    ear, error = Ear(), ConnectionResetError()
    connection.begin(ear, b"head")

    connection.connection_lost(error)
    connection.abort()

    assert ear.heard == [error]
    assert owner.events == ["gone"]


class HalfOpen(Transport):
    """One that can be ended one way; TLS cannot."""

    def __init__(self, *, can):
        super().__init__(None)
        self.can, self.finished = can, False

    def can_write_eof(self):
        return self.can

    def write_eof(self):
        self.finished = True


@pytest.mark.parametrize("can", [True, False])
def test_one_way_can_end_before_the_other(can):
    """The receiver decides what an end means for the other way; without one, and where TLS is spoken, it is the end of both."""
    connection, _ = connected()
    connection.transport = HalfOpen(can=can)
    assert not connection.eof_received()
    ear = Ear()
    connection.begin(ear, b"head")

    assert connection.eof_received() is can
    connection.finish()

    assert ear.heard == ["ended"] * can
    assert connection.transport.finished is can

    connection.transport.close()
    connection.transport.finished = False
    connection.finish()

    assert not connection.transport.finished


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
        await asyncio.wait_for(connection.drain(), PATIENCE)
        connection.pause_writing()
        waiting = [asyncio.ensure_future(connection.drain()) for _ in range(2)]
        waiting[0].cancel()
        await asyncio.sleep(0)
        assert not waiting[1].done()

        getattr(connection, wake)()

        await asyncio.wait_for(waiting[1], PATIENCE)
        assert ("writable" in ear.heard) == (wake == "resume_writing")


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_an_early_answer_survives_the_write_that_fails(run):
    """The upstream has answered and closed, the loop has not read it, and the rest of the body meets a reset."""

    async def main():
        with socket.create_server(("127.0.0.1", 0)) as listening:
            address = Address("127.0.0.1", listening.getsockname()[1])
            connection = await address.connect(lambda: UpstreamConnection(Owner()))
            peer, _ = listening.accept()
        gc.collect()  # what other tests have left is not let go of in between
        before = len(list(Path("/proc/self/fd").iterdir()))
        ear = Ear()
        connection.begin(ear, b"head")
        connection.listen_to_the_end()
        connection.transport.pause_reading()  # as a loop that is busy
        connection.write(b"body")
        peer.recv(1)
        peer.sendall(b"HTTP/1.1 413 X\r\n\r\n")
        peer.close()  # with bytes unread: the kernel answers what comes with a reset
        async with asyncio.timeout(PATIENCE):
            while not any(isinstance(each, OSError) for each in ear.heard):
                connection.write(b"more")
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        return ear.heard[0], len(list(Path("/proc/self/fd").iterdir())) - before

    assert run(main()) == (b"HTTP/1.1 413 X\r\n\r\n", -2)


def test_a_socket_is_held_open_no_longer_than_its_exchange():
    """However it ends; and where no descriptor is left the body goes without."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        ends = (lambda one: one.release(reusable=True), UpstreamConnection.abort, UpstreamConnection.close)
        for end in (*ends, lambda one: one.connection_lost(None)):
            connection, _ = connected()
            connection.transport.get_extra_info = {"socket": ours}.get
            connection.begin(Ear(), b"head")
            connection.listen_to_the_end()
            held = connection._spare
            theirs.send(b"x")
            end(connection)
            with pytest.raises(OSError, match="Bad file"):
                os.fstat(held)
