"""Bodies on their way in."""

from __future__ import annotations

import asyncio

import pytest

from gateway.core.errors import DownstreamError
from gateway.web.body import HELD, Body, broken_body


class Client:
    """The connection as far as a body needs it."""

    def __init__(self) -> None:
        self.held = 0
        self.sent = b""

    def hold(self) -> None:
        self.held += 1

    def go_on(self) -> None:
        self.held -= 1

    def interim(self, data: bytes) -> None:
        self.sent += data


def body(length: int | None, *, expected: bool = False) -> tuple[Body, Client]:
    client = Client()
    return Body(client, length, expected=expected), client


async def test_a_body_with_a_length_ends_with_its_last_byte() -> None:
    """It says where that is."""
    stream, _ = body(5)
    assert stream.feed(b"he") == 2
    assert (stream.at_hand(), stream.complete) == (None, False)
    assert await stream.read() == b"he"
    assert stream.feed(b"--lloGET", 2) == 5
    assert (stream.complete, stream.size) == (True, 5)
    assert await stream.read() == b"llo"
    assert await stream.read() == b""


async def test_a_chunked_body_is_unchunked() -> None:
    """And at hand when all of it has come."""
    stream, _ = body(None)
    assert stream.feed(b"--3\r\nabc\r\n0\r\n\r\nnext", 2) == 15
    assert stream.at_hand() == b"abc"


async def test_a_reader_waits_and_the_client_is_held_back() -> None:
    """More than HELD bytes are not piled up; reading them lets the client go on."""
    stream, client = body(10 * HELD)
    waiting = asyncio.create_task(stream.read())
    await asyncio.sleep(0)
    stream.feed(b"a")
    assert await waiting == b"a"
    stream.feed(b"a" * HELD)
    assert client.held == 0
    stream.feed(b"a")
    assert (client.held, stream.holding) == (1, True)
    assert len(await stream.read()) == HELD + 1
    assert (client.held, stream.holding) == (0, False)


async def test_a_broken_body_is_never_whole() -> None:
    """Whoever waits for it hears why; what had come is still read first."""
    stream, _ = body(10)
    stream.feed(b"abc")
    stream.fail(broken_body())
    assert await stream.read() == b"abc"
    with pytest.raises(DownstreamError, match="broken_body"):
        await stream.read()
    chunked, _ = body(None)
    waiting = asyncio.create_task(chunked.read())
    await asyncio.sleep(0)
    chunked.fail(broken_body())
    with pytest.raises(DownstreamError, match="broken_body"):
        await waiting


async def test_continue_is_said_once_and_only_to_who_waits() -> None:
    """RFC 9110 §10.1.1: not to a client that has begun to send."""
    for expected, sent in ((True, b"HTTP/1.1 100 Continue\r\n\r\n"), (False, b"")):
        stream, client = body(3, expected=expected)
        stream.accept()
        stream.accept()
        assert client.sent == sent
    stream, client = body(3, expected=True)
    stream.feed(b"a")
    stream.accept()
    assert client.sent == b""


async def test_what_nobody_wants_is_read_over() -> None:
    """Nothing is kept, nobody is held back, and the end is still found."""
    stream, client = body(2 * HELD)
    stream.feed(b"a" * (HELD + 1))
    stream.discard()
    assert client.held == 0
    assert stream.feed(b"a" * (HELD - 1) + b"next") == HELD - 1
    assert await stream.read() == b""
