"""What is read, and what waits; the rest is tested through connections."""

from __future__ import annotations

import pytest

from gateway.core.errors import DownstreamError
from gateway.web.door.limits import DoorLimits
from gateway.web.door.request_reader import AHEAD, RequestReader

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"


class Held:
    """A client that notes whether it is held back."""

    held = False

    def hold(self) -> None:
        self.held = True

    def go_on(self) -> None:
        self.held = False

    def interim(self, data: bytes) -> None:
        raise AssertionError


@pytest.fixture
def client() -> Held:
    return Held()


@pytest.fixture
def reader(client: Held) -> RequestReader:
    return RequestReader(client, DoorLimits(1_000, 0))


@pytest.mark.parametrize("cut", range(1, len(POST) + 3))
def test_bodies_are_for_their_own_request(reader: RequestReader, cut: int) -> None:
    """However the bytes are cut."""
    data = POST + b"abc" + GET + GET[:5]
    reader.ahead.put(data[:cut])
    read = reader.next()
    rest = data[cut:]
    if read is None:
        reader.ahead.put(rest)
        read = reader.next()
    elif reader.body is not None:
        reader.ahead.put(reader.feed(reader.body, rest))
    assert read is not None
    head, body = read
    assert body is not None
    assert (head.method, body.at_hand(), reader.body) == ("POST", b"abc", None)
    second = reader.next()
    assert second is not None
    assert (second[0].method, second[1], reader.next()) == ("GET", None, None)
    reader.ahead.put(GET[5:])
    assert reader.next() is not None
    assert reader.ahead.size == 0


def test_who_is_too_far_ahead_is_held_back(reader: RequestReader, client: Held) -> None:
    """Beyond AHEAD, while what has come must wait; when the rest is less again the client goes on."""
    reader.ahead.put(GET)
    reader.pace(waiting=True)
    assert not client.held
    reader.ahead.put(GET * (AHEAD // len(GET)))
    for waiting in (True, False):
        reader.pace(waiting=waiting)
        assert client.held is waiting
    reader.pace(waiting=True)
    reader.next()
    reader.pace(waiting=True)
    assert not client.held


def test_what_is_no_request_is_told_by_its_fault(reader: RequestReader) -> None:
    """By raising, so that nothing behind it can be read as a request."""
    reader.ahead.put(b"GET / HTTP/1.1\r\n\r\n" + GET)
    with pytest.raises(DownstreamError, match="malformed_request"):
        reader.next()


async def test_a_body_that_is_given_up_is_told_to_whoever_reads_it(reader: RequestReader) -> None:
    """After what has come of it."""
    reader.ahead.put(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    read = reader.next()
    assert read is not None
    body = read[1]
    assert body is not None
    assert reader.body is body
    with pytest.raises(DownstreamError, match="malformed_request"):
        reader.feed(body, b"zz\r\n" + GET)
    assert reader.give_up(DownstreamError("too_slow"))
    assert not reader.give_up(DownstreamError("too_slow"))
    assert await body.read() == b"a"
    with pytest.raises(DownstreamError, match="too_slow"):
        await body.read()
