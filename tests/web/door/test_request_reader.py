"""What is read, and what waits; the rest is tested through connections."""

from __future__ import annotations

import pytest

from gateway.core.errors import DownstreamError
from gateway.core.http.request_head import RequestHead
from gateway.proxy.deadlines import Deadlines
from gateway.web.body import Body
from gateway.web.door.limits import DoorLimits
from gateway.web.door.request_reader import AHEAD, RequestReader

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"


class Reader(RequestReader):
    """Notes what it is told; answers when it is told to."""

    def __init__(self, *, at_once: bool) -> None:
        super().__init__(DoorLimits(1_000, 0), Deadlines(1.0))
        self.at_once = at_once
        self.begun: list[tuple[RequestHead, Body | None]] = []
        self.refused: list[str] = []
        self.paused = 0

    def _begin(self, head: RequestHead, body: Body | None) -> None:
        self.begun.append((head, body))
        if self.at_once:
            self.answered()

    def answered(self) -> None:
        self._busy = False
        self._advance()

    def _refuse(self, error: DownstreamError) -> None:
        self.refused.append(error.code)
        self._ending = True

    def _end(self, *, coming: bool) -> None:
        self._ending = True

    def hold(self) -> None:
        self._held = True

    def go_on(self) -> None:
        self._held = False

    def interim(self, data: bytes) -> None:
        raise AssertionError


@pytest.mark.parametrize("at_once", [True, False])
async def test_the_next_request_waits_for_the_answer(at_once: bool) -> None:
    """Bodies are for their own request, however the bytes are cut."""
    reader = Reader(at_once=at_once)
    reader._received(POST + b"abc" + GET + GET[:5])
    assert len(reader.begun) == (2 if at_once else 1)
    body = reader.begun[0][1]
    assert body is not None
    assert body.at_hand() == b"abc"
    reader._received(GET[5:])
    while len(reader.begun) < 3:
        reader.answered()
    assert [head.method for head, _ in reader.begun] == ["POST", "GET", "GET"]
    assert reader._ahead.size == 0


async def test_a_reader_that_waits_holds_its_client_back() -> None:
    """Beyond AHEAD; when the rest is less again the client goes on."""
    reader = Reader(at_once=False)
    reader._received(GET + b"G")
    assert not reader._held
    reader._received(b"ET / HTTP/1.1\r\nHost: a\r\n\r\n" + GET * (AHEAD // len(GET)))
    assert reader._held
    reader.answered()
    assert not reader._held
    assert len(reader.begun) == 2


async def test_after_a_refusal_nothing_is_read() -> None:
    """Not even what would be a request."""
    reader = Reader(at_once=True)
    reader._received(b"GET / HTTP/1.1\r\n\r\n" + GET)
    reader._received(GET)
    assert (reader.refused, reader.begun) == (["malformed_request"], [])


async def test_a_body_that_breaks_while_its_request_is_busy_is_told_to_its_reader() -> None:
    """The request is answered by whoever reads the body; nothing is refused twice."""
    reader = Reader(at_once=False)
    reader._received(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    reader._received(b"zz\r\n" + GET)
    body = reader.begun[0][1]
    assert body is not None
    assert await body.read() == b"a"
    with pytest.raises(DownstreamError, match="broken_body"):
        await body.read()
    assert (reader.refused, reader._ending) == ([], True)
