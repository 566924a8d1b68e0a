"""The bytes of one client become requests, one after another, in time.

A request is begun when the answer to the one before it is out; what a client sends ahead (pipelining) waits as bytes,
bounded, and the client is held back beyond that. What becomes of a request is the subclass's business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from gateway.core.errors import DownstreamError
from gateway.core.http.inbox import Inbox
from gateway.core.http.request_head import RequestHead
from gateway.proxy.deadlines import Deadlines
from gateway.web.body import Body, broken_body
from gateway.web.door.limits import DoorLimits

AHEAD = 65_536
"""Bytes that a client may send ahead of the answer it waits for."""
NEVER = float("inf")


class RequestReader(ABC):
    """See the module.

    :param clock: read once in a while.
    :ivar writing_paused: more is waiting to be sent than should be.
    """

    __slots__ = (
        "_advancing", "_ahead", "_body", "_busy", "_came", "_clock", "_deadline", "_ending", "_half_closed",
        "_head_begun", "_held", "_limits", "_lingers_until", "_window", "writing_paused",
    )  # fmt: skip

    def __init__(self, limits: DoorLimits, clock: Deadlines) -> None:
        self._limits = limits
        self._clock = clock
        self._ahead = Inbox()
        self._body: Body | None = None  # one that is still coming
        self._busy = False  # a request is being answered
        self._ending = False  # nothing is a request any more
        self._half_closed = False  # the client sends no more
        self._head_begun = False
        self._held = False
        self._advancing = False
        self._deadline = NEVER  # of whatever is waited for
        self._lingers_until = NEVER
        self._window = 0.0
        self._came = 0
        self.writing_paused = False

    @abstractmethod
    def _begin(self, head: RequestHead, body: Body | None) -> None:
        """A request has come, as far as its body's beginning: answer it."""

    @abstractmethod
    def _refuse(self, error: DownstreamError) -> None:
        """What came is no request: say so, and end."""

    @abstractmethod
    def _end(self, *, coming: bool) -> None:
        """There will be neither a request nor an answer any more.

        :param coming: the client is in the middle of sending something.
        """

    @abstractmethod
    def hold(self) -> None:
        """Take no more from the client for now."""

    @abstractmethod
    def go_on(self) -> None:
        """Take more again."""

    @abstractmethod
    def interim(self, data: bytes) -> None:
        """Send what goes before an answer (a 1xx)."""

    # Bytes

    def _received(self, data: bytes) -> None:
        """Bytes of the client's."""
        if self._body is not None:
            data = data[self._feed(self._body, data) :]
        if self._ending:
            self._read_over()
        elif data:
            self._ahead.put(data)
            self._advance()

    def _advance(self) -> None:
        """Begin the requests that have come, one after the other, as long as they are answered at once."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._ahead.size and not (self._busy or self.writing_paused or self._ending or self._body):
                if not self._next():
                    break
        except DownstreamError as error:
            self._refuse(error)
        finally:
            self._advancing = False
        if self._half_closed and not (self._busy or self.writing_paused or self._ending):
            self._end(coming=False)
        elif self._held or self._ahead.size > AHEAD:
            self._pace()

    def _pace(self) -> None:
        """Hold back a client that is too far ahead of its answers; let it go on when it is not, or no more."""
        if self._ahead.size > AHEAD and (self._busy or self.writing_paused):
            self.hold()
        elif self._body is None or not self._body.holding:
            self.go_on()

    def _next(self) -> bool:
        """Begin the first request of those that have come; False when it is not there yet."""
        head = self._ahead.head(self._limits.header)
        if head is None:
            if not self._head_begun and self._ahead.begun:
                self._head_begun = True
                self._deadline = self._clock.after(self._limits.head_seconds)
            return False
        self._head_begun = False
        self._deadline = self._clock.after(self._limits.half_closed) if self._half_closed else NEVER
        self._busy = True
        block = head.block
        self._begin(head, self._begin_body(head) if block.chunked or block.length else None)
        return True

    def _begin_body(self, head: RequestHead) -> Body:
        block = head.block
        body = self._body = Body(self, None if block.chunked else block.length, expected=head.expects)
        self._window = 0.0
        self._ahead.feed(body)
        if body.complete:
            self._body = None
        return body

    def _feed(self, body: Body, data: bytes) -> int:
        """Bytes for the body that is still coming; where it ends in them, or their end."""
        try:
            at = body.feed(data)
        except DownstreamError:
            if self._busy:
                self._give_up(body, broken_body())
            else:  # its answer is out; another would be taken for that to the next request
                self._end(coming=True)
            return len(data)
        if body.complete:
            self._body = None
            if not self._busy:
                self._rest()
        else:
            self._read_over()
        return at

    def _give_up(self, body: Body, error: DownstreamError) -> None:
        """The rest of the body is not waited for. Whoever forwards it hears of that, and answers."""
        self._ending = True
        self._body = None
        body.fail(error)

    def _discard(self, body: Body) -> None:
        """The answer is out, the rest of the body is not wanted."""
        body.discard()
        self._linger()

    # Time

    def _rest(self) -> None:
        """Nothing is under way: the time until the next request runs."""
        self._deadline = self._clock.after(self._limits.keep_alive)

    def _linger(self) -> None:
        """Nothing more is wanted: read over what still comes, and not for ever."""
        self._deadline = self._clock.after(self._limits.linger)
        self._lingers_until = self._clock.after(self._limits.linger_most)

    def _read_over(self) -> None:
        """Something unwanted came."""
        if not self._busy:
            self._deadline = min(self._clock.after(self._limits.linger), self._lingers_until)

    def _check_body(self, body: Body, now: float) -> None:
        """Whether the body under way comes fast enough; each window is looked at by itself."""
        limits = self._limits
        if body.holding or body.expected or not self._window:  # whoever waits for us is not slow
            self._window, self._came = now, body.size
        elif now - self._window >= limits.body_window:
            if body.size - self._came < (now - self._window) * limits.body_rate:
                self._give_up(body, DownstreamError("too_slow"))
            self._window, self._came = now, body.size
