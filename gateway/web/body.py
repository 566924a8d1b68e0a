"""The body of a request on its way in: a stream that holds its client back instead of piling up."""

from __future__ import annotations

from typing import Protocol

from gateway.core.errors import DownstreamError
from gateway.core.http.chunks import ChunkReader
from gateway.proxy.signal import Signal

HELD = 65_536
"""Bytes waiting to be forwarded before the client is held back; asyncio's own limit for streams."""
_LEAST = 64
"""What a piece counts at least: however small, it is an object of its own."""


def broken_body() -> DownstreamError:
    """The client broke off, or its body is not framed as it said."""
    return DownstreamError("broken_body")


class BodyClient(Protocol):
    """The connection, as far as a body needs it."""

    def hold(self) -> None:
        """Take no more from the client for now."""

    def go_on(self) -> None:
        """Take more again."""

    def interim(self, data: bytes) -> None:
        """Send what goes before the answer (a 1xx)."""


class Body:
    """One request's body.

    :param length: its bytes; None when it is chunked. :param expected: the client waits for ``100 Continue``.
    :ivar complete: all of it has come. :ivar size: bytes of it that have come. :ivar holding: the client is held back.
    :ivar within: seconds in which it must come on; 0 is what the door has for all.
    """

    __slots__ = (
        "_chunks", "_client", "_discarding", "_error", "_left", "_pieces", "_waiting", "_woken", "chunked",
        "complete", "expected", "holding", "size", "within",
    )  # fmt: skip

    def __init__(self, client: BodyClient, length: int | None, *, expected: bool) -> None:
        self._client = client
        self.chunked = length is None
        self._chunks = ChunkReader() if length is None else None
        self._left = length or 0
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._woken = Signal()
        self._error: DownstreamError | None = None
        self._discarding = False
        self.expected = expected
        self.size = 0
        self.within = 0.0
        self.complete = False
        self.holding = False

    def feed(self, data: bytes, at: int = 0) -> int:
        """Take what begins at ``at``; where the body ends in ``data``, or the end of ``data``.

        :raises DownstreamError: it is not framed as it said.
        """
        if self._chunks is None:
            piece = data[at : at + self._left]
            at += len(piece)
            self._left -= len(piece)
            self.complete = not self._left
        else:
            piece, at = self._chunks.feed(data, at)
            self.complete = self._chunks.complete
        self.size += len(piece)
        if piece and not self._discarding:
            self._keep(piece)
        self._woken.wake()
        return at

    async def read(self) -> bytes:
        """What has come since the last time, once there is something; empty at the end.

        :raises DownstreamError: ``broken_body``, ``too_slow``.
        """
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self.complete:
                return b""
            await self._woken.wait()
        return self._take()

    def at_hand(self) -> bytes | None:
        """The whole body, when all of it has come; else None."""
        return self._take() if self.complete else None

    def accept(self) -> None:
        """Somebody wants it: the client may go on, where it waits to be told so (RFC 9110 §10.1.1)."""
        if self.expected and not self.size:
            self._client.interim(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.expected = False

    def discard(self) -> None:
        """Nobody wants what is still to come."""
        self._discarding = True
        self._take()

    def fail(self, error: DownstreamError) -> None:
        """It will never be whole."""
        self._error = error
        self._woken.wake()

    def _keep(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._waiting += max(len(piece), _LEAST)
        if self._waiting > HELD and not self.complete:
            self.holding = True
            self._client.hold()

    def _take(self) -> bytes:
        pieces, self._pieces, self._waiting = self._pieces, [], 0
        if self.holding:
            self.holding = False
            self._client.go_on()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
