"""Files into sockets, past the process; with transports around it in tests/web/test_downloads.py."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from typing import Any

import pytest

from gateway.proxy.sendfile import MOST, FileSender, off_loop
from tests.fakes.door import eventually
from tests.fakes.patience import PATIENCE

CONTENT = bytes(range(256)) * 20_000


class Transport:
    """As much of one as a sender needs."""

    def __init__(self, sock):
        self._sock = sock

    def get_extra_info(self, name):
        return self._sock if name == "socket" else None


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def descriptor(tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    opened = os.open(tmp_path / "file", os.O_RDONLY)
    yield opened
    os.close(opened)


@pytest.fixture
def sender(pair):
    transport: Any = Transport(pair[0])
    made = FileSender(transport, patience=2 * PATIENCE)
    yield made
    made.close()
    made.close()


def reading(theirs, size):
    """Reads ``size`` bytes in a thread."""
    found: list[bytes] = []

    def read():
        while sum(len(each) for each in found) < size:
            found.append(theirs.recv(100_000))

    thread = threading.Thread(target=read)
    thread.start()
    return thread, found


async def test_a_part_of_a_file_goes_out_as_it_is(pair, sender, descriptor):
    """Piece by piece, as the socket takes it, never more than was asked for."""
    thread, found = reading(pair[1], 4_000_000)
    start, size = 1_000_000, 4_000_000
    while size:
        sent = await sender.send(descriptor, start, size)
        assert 0 < sent <= MOST
        start, size = start + sent, size - sent
    await asyncio.to_thread(thread.join)

    assert b"".join(found) == CONTENT[1_000_000:5_000_000]
    assert await sender.send(descriptor, len(CONTENT), 1) == 0


def waits(sender):
    waiter = sender._woken._waiter
    return waiter is not None and not waiter.done()


async def fill(sender, descriptor):
    """Send until the socket takes no more; the sending that waits."""
    while True:
        sending = asyncio.ensure_future(sender.send(descriptor, 0, MOST))
        await eventually(lambda sending=sending: sending.done() or waits(sender))
        if not sending.done():
            return sending


async def test_a_socket_that_takes_nothing_is_not_waited_for_for_ever(sender, descriptor):
    """Only as long as there is patience; and when it is woken, at once and from then on."""
    waiting = await fill(sender, descriptor)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    sender._patience = 0.05
    assert await asyncio.wait_for(sender.send(descriptor, 0, MOST), PATIENCE) == 0

    sender._patience, sender._over = 2 * PATIENCE, False
    waiting = await fill(sender, descriptor)
    sender.wake()

    assert await asyncio.wait_for(waiting, PATIENCE) == 0
    assert await sender.send(descriptor, 0, 1) == 0


async def test_a_socket_that_takes_more_again_is_sent_more(pair, sender, descriptor):
    """As soon as it does."""
    waiting = await fill(sender, descriptor)
    pair[1].setblocking(False)
    while not waiting.done():
        with contextlib.suppress(BlockingIOError):
            pair[1].recv(100_000)
        await asyncio.sleep(0.001)

    assert waiting.result() > 0


async def test_a_client_that_has_gone_is_an_error(pair, sender, descriptor):
    """Which the caller takes for the end."""
    pair[1].close()

    with pytest.raises(OSError, match="Broken pipe"):
        await sender.send(descriptor, 0, 1)


async def test_a_cancellation_waits_for_the_thread():
    """Whoever is cancelled finds it over, and is cancelled at the next await."""
    go, over, seen = threading.Event(), threading.Event(), []

    def work():
        go.wait(PATIENCE)
        over.set()
        return "result"

    async def caller():
        try:
            seen.append(await off_loop(work))
            await asyncio.sleep(60)
        finally:
            seen.append(over.is_set())

    task = asyncio.ensure_future(caller())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.sleep(0.01)
    assert not task.done()
    go.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["result", True]
    assert task.cancelling() == 1


async def test_what_fails_in_the_thread_fails_here():
    """With its own error."""

    def work():
        raise PermissionError("no")

    with pytest.raises(PermissionError, match="no"):
        await off_loop(work)
