"""What one client has sent and nobody has read yet: heads are taken from its front, bodies are fed from it.

However it comes, each byte is looked at a few times at the most: a head that drips in byte by byte, or thousands of
requests at once, cost in proportion to their length.
"""

from __future__ import annotations

from typing import Protocol

from gateway.core.http.request_head import RequestHead, check_beginning, read_head


class Eater(Protocol):
    """Takes the bytes of a body."""

    def feed(self, data: bytes, at: int) -> int:
        """Take what begins at ``at``; where the body ends in ``data``, or the end of ``data``."""


class Inbox:
    """See the module.

    :ivar size: bytes that are there.
    """

    __slots__ = ("_at", "_checked", "_data", "size")

    def __init__(self) -> None:
        self.size = 0
        self._data = b""
        self._at = 0
        self._checked = 0  # how far the beginning of a head has been found good

    def put(self, data: bytes) -> None:
        """More has come."""
        if self.size:
            data = self._data[self._at :] + data
            self._checked = max(0, self._checked - self._at)
        self._data = data
        self._at = 0
        self.size = len(data)

    def clear(self) -> bytes:
        """All of it; then it is empty."""
        data = self._data[self._at :]
        self._go_to(len(self._data))
        return data

    def feed(self, body: Eater) -> None:
        """Let ``body`` take what belongs to it."""
        self._go_to(body.feed(self._data, self._at))

    def head(self, longest: int) -> RequestHead | None:
        """The next request's head; None while it is not whole, but can still become one.

        :param longest: bytes of its first line, and of all its header lines.
        :raises DownstreamError: ``malformed_request``, ``ambiguous_header``, ``headers_too_large``.
        """
        data, at = self._data, self._at
        while data.startswith(b"\r\n", at):  # RFC 9112 §2.2: an empty line before a request is none
            at += 2
        end = data.find(b"\r\n\r\n", self._checked - 3 if self._checked > at + 3 else at)
        if end >= 0:
            self._go_to(end + 4)
            return read_head(data[at:end], longest)
        check_beginning(data, at, self._checked, longest)
        self._checked = len(data)
        self._go_to(at)
        return None

    @property
    def begun(self) -> bool:
        """Whether a head has begun: there is something, and more than one half of an empty line."""
        return self.size > 1 or (self.size == 1 and not self._data.endswith(b"\r"))

    def _go_to(self, at: int) -> None:
        self.size = len(self._data) - at
        if self.size:
            self._at = at
        else:  # what has been read is not kept
            self._data, self._at, self._checked = b"", 0, 0
