"""The bytes of one client become requests: heads, one after another, and the bodies behind them."""

from __future__ import annotations

from gateway.core.errors import DownstreamError
from gateway.core.http.inbox import Inbox
from gateway.core.http.request_head import RequestHead
from gateway.web.body import Body, BodyClient
from gateway.web.door.limits import DoorLimits

AHEAD = 65_536
"""Bytes that a client may send ahead of the answer it waits for."""


class RequestReader:
    """What has come and is not read yet, and the body that is still coming.

    :param client: held back while a body that nobody reads piles up.
    :ivar ahead: what waits for its turn. :ivar body: the one that is still coming.
    """

    __slots__ = ("_came", "_client", "_limits", "_window", "ahead", "body")

    def __init__(self, client: BodyClient, limits: DoorLimits) -> None:
        self._client = client
        self._limits = limits
        self.ahead = Inbox()
        self.body: Body | None = None
        self._window = 0.0
        self._came = 0

    def next(self) -> tuple[RequestHead, Body | None] | None:
        """The first request of those that have come; None when it is not there yet.

        :raises DownstreamError: it is none.
        """
        head = self.ahead.head(self._limits.header)
        if head is None:
            return None
        block = head.block
        if not (block.chunked or block.length):
            return head, None
        body = Body(self._client, None if block.chunked else block.length, expected=head.expects)
        self._window = 0.0
        self.ahead.feed(body)
        if not body.complete:
            self.body = body
        return head, body

    def feed(self, body: Body, data: bytes) -> bytes:
        """Bytes for the body that is still coming; what of them is behind it.

        :raises DownstreamError: it is not framed as it said.
        """
        at = body.feed(data)
        if body.complete:
            self.body = None
        return data[at:]

    def give_up(self, error: DownstreamError) -> bool:
        """The rest of the body is not waited for, which is told to whoever reads it; False when there is none."""
        body, self.body = self.body, None
        if body is not None:
            body.fail(error)
        return body is not None

    def pace(self, *, waiting: bool) -> None:
        """Hold back a client that is too far ahead of its answers; let it go on when it is not, or no more.

        :param waiting: what has come must wait.
        """
        if waiting and self.ahead.size > AHEAD:
            self._client.hold()
        elif self.body is None or not self.body.holding:
            self._client.go_on()

    def too_slow(self, body: Body, now: float) -> bool:
        """Whether the body under way does not come fast enough; each window is looked at by itself."""
        limits = self._limits
        if body.holding or body.expected or not self._window:  # whoever waits for us is not slow
            self._window, self._came = now, body.size
        elif now - self._window >= (body.within or limits.body_window):
            slow = body.size - self._came < max(1, (now - self._window) * limits.body_rate)
            self._window, self._came = now, body.size
            return slow
        return False
