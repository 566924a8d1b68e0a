"""The bytes of one client become requests, one after another.

A request is begun when the answer to the one before it is out; what a client sends ahead (pipelining) waits as bytes,
bounded, and the client is held back beyond that. What becomes of a request is the subclass's business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from gateway.core.errors import DownstreamError
from gateway.core.request_head import RequestHead, check_incomplete, read_head
from gateway.proxy.deadlines import Deadlines
from gateway.web.body import Body

AHEAD = 65_536
"""Bytes that a client may send ahead of the answer it waits for."""
NEVER = float("inf")


class Limits(Protocol):
    """What a client may take; see :class:`gateway.web.connections.DoorLimits`."""

    @property
    def header(self) -> int: ...

    @property
    def head_seconds(self) -> float: ...

    @property
    def body_window(self) -> float: ...

    @property
    def body_rate(self) -> float: ...


class RequestReader(ABC):
    """See the module.

    :param clock: read once in a while. :param keep_alive: seconds between two requests.
    :ivar writing_paused: more is waiting to be sent than should be.
    """

    __slots__ = (
        "_advancing", "_ahead", "_body", "_busy", "_came", "_clock", "_deadline", "_ending", "_head_begun", "_held",
        "_keep_alive", "_limits", "_window", "writing_paused",
    )  # fmt: skip

    def __init__(self, limits: Limits, clock: Deadlines, keep_alive: float) -> None:
        self._limits = limits
        self._clock = clock
        self._keep_alive = keep_alive
        self._ahead = b""
        self._body: Body | None = None
        self._busy = False
        self._advancing = False
        self._ending = False
        self._head_begun = False
        self._held = False
        self._deadline = NEVER
        self._window = 0.0
        self._came = 0
        self.writing_paused = False

    @abstractmethod
    def _begin(self, head: RequestHead, body: Body | None) -> None:
        """A request has come, as far as its body's beginning: answer it."""

    @abstractmethod
    def _refuse(self, error: DownstreamError) -> None:
        """What came is no request; the framing is lost."""

    @abstractmethod
    def hold(self) -> None:
        """Take no more from the client for now."""

    @abstractmethod
    def go_on(self) -> None:
        """Take more again."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send to the client."""

    def _received(self, data: bytes) -> None:
        """Bytes of the client's."""
        if self._ending:
            return
        if self._body is not None:
            data = self._feed(self._body, data)
        self._ahead = self._ahead + data if self._ahead else data
        if not self._busy:
            self._advance()
        elif len(self._ahead) > AHEAD:
            self.hold()

    def _advance(self) -> None:
        """Begin the requests that have come, one after the other, as long as they are answered at once."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._ahead and not self._busy and self._body is None and not self._ending:
                if self.writing_paused or not self._next():
                    break
        except DownstreamError as error:
            self._refuse(error)
        finally:
            self._advancing = False
        if self._held and len(self._ahead) <= AHEAD and (self._body is None or not self._body.holding):
            self.go_on()

    def _next(self) -> bool:
        """Begin the first request of those that have come; False when it is not there yet."""
        data = self._ahead
        while data.startswith(b"\r\n"):  # RFC 9112 §2.2: an empty line before a request is none
            data = self._ahead = data[2:]
        head = read_head(data, self._limits.header)
        if head is None:
            self._await_head(data)
            return False
        self._ahead = data[head.size :]
        self._head_begun = False
        self._deadline = NEVER
        self._busy = True
        block = head.block
        self._begin(head, self._begin_body(head) if block.chunked or block.length else None)
        return True

    def _await_head(self, data: bytes) -> None:
        if not data:
            return
        check_incomplete(data, self._limits.header)
        if not self._head_begun:
            self._head_begun = True
            self._deadline = self._clock.after(self._limits.head_seconds)

    def _begin_body(self, head: RequestHead) -> Body:
        block = head.block
        body = self._body = Body(self, None if block.chunked else block.length, expected=head.expects)
        self._window = 0.0
        if self._ahead:
            self._ahead = body.feed(self._ahead)
            self._fed(body)
        return body

    def _feed(self, body: Body, data: bytes) -> bytes:
        """Bytes for a body under way; those behind it."""
        try:
            rest = body.feed(data)
        except DownstreamError as error:
            if not self._busy:
                self._refuse(error)
            self._ending = True  # else whoever forwards the body has heard of it, and answers
            return b""
        self._fed(body)
        return rest

    def _fed(self, body: Body) -> None:
        if body.complete:
            self._body = None
            if not self._busy:
                self._rest()

    def _rest(self) -> None:
        """Nothing is under way: the time until the next request runs."""
        self._deadline = self._clock.after(self._keep_alive)

    def _check_body(self, body: Body, now: float) -> None:
        """Whether the body under way comes fast enough; each window is looked at by itself."""
        limits = self._limits
        if body.holding or not self._window:  # whoever is held back by us is not slow
            self._window, self._came = now, body.size
        elif now - self._window >= limits.body_window:
            if body.size - self._came < (now - self._window) * limits.body_rate:
                self._ending = True
                body.fail(DownstreamError("too_slow"))
            self._window, self._came = now, body.size
