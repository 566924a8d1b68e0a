"""One client's connection: requests are begun, and answers go back in the same order.

After an upgrade every byte goes to the tunnel. What cannot be read is answered with a page of ours that repeats
nothing, and ends the connection, for its framing is lost (rule R37).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol, cast

from gateway.core.errors import DownstreamError
from gateway.core.request_head import RequestHead
from gateway.proxy.deadlines import Deadlines
from gateway.web.body import Body
from gateway.web.messages import Request, Response, Whole
from gateway.web.request_reader import Limits, RequestReader


class Owner(Protocol):
    """Whoever accepts connections: the listener.

    :ivar keep_alive: seconds of idleness. :ivar linger: seconds for reading over what nobody wants.
    """

    clock: Deadlines
    keep_alive: float
    linger: float

    @property
    def limits(self) -> Limits:
        """What a client may take."""

    def admit(self, connection: Connection) -> bool:
        """Whether this client may have one more."""

    def left(self, connection: Connection) -> None:
        """A connection has ended."""

    def begin(self, request: Request) -> None:
        """A request has come."""

    def keep(self, answering: Awaitable[None]) -> asyncio.Future[None]:
        """A task that is not lost."""

    def unreadable(self, error: DownstreamError) -> Response:
        """The answer to what cannot be read."""


class Receiver(Protocol):
    """Who takes all bytes after an upgrade: a tunnel."""

    def from_client(self, data: bytes) -> None:
        """Bytes have come."""

    def client_ended(self) -> bool:
        """The client sends no more; False when there is nothing left to send to it either."""

    def client_lost(self) -> None:
        """The client has gone."""


class Connection(RequestReader, asyncio.Protocol):
    """See the module.

    :ivar peer: the client's address, empty on a Unix socket.
    :ivar counted: for whom it counts. :ivar closed: nothing can be sent any more.
    """

    __slots__ = (
        "_asked", "_drained", "_owner", "_receiver", "_task", "closed", "counted", "peer", "transport",
    )  # fmt: skip

    def __init__(self, owner: Owner) -> None:
        super().__init__(owner.limits, owner.clock, owner.keep_alive)
        self._owner = owner
        self._asked: Request | None = None
        self._receiver: Receiver | None = None
        self._task: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self.peer = ""
        self.counted = ""
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.closed = True

    @property
    def idle(self) -> bool:
        """Whether it carries no request, nor the rest of one."""
        return not self._busy and self._receiver is None and self._body is None and not self._head_begun

    @property
    def resting_since(self) -> float:
        """Loop time at which an idle one began to be idle, or up to a tick later."""
        return self._deadline - self._keep_alive

    # From the client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.closed = False
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else ""
        if self._owner.admit(self):
            self._rest()
        else:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._receiver is None:
            self._received(data)
        else:
            self._receiver.from_client(data)

    def _begin(self, head: RequestHead, body: Body | None) -> None:
        request = self._asked = Request(self, head, body)
        self._owner.begin(request)

    def eof_received(self) -> bool:
        """The client sends no more. True keeps the connection, which TLS cannot do."""
        return self._receiver is not None and self.transport.can_write_eof() and self._receiver.client_ended()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._owner.left(self)
        self._ahead = b""
        self._wake()
        if self._body is not None:
            self._body.fail(DownstreamError("broken_body", "The client has gone."))
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.client_lost()
        asked, self._asked = self._asked, None
        self._busy = False
        if asked is not None and asked.gone is not None:
            asked.gone()

    # To the client

    def wait(self, answering: Awaitable[None]) -> None:
        """Let a task answer the request; it goes on when the client leaves."""
        self._task = self._owner.keep(answering)

    def respond(self, request: Request, response: Whole) -> None:
        """The answer to ``request``. To a client that has gone, nothing."""
        if self._asked is not request:
            return
        self._asked = None
        self._busy = False
        self._task = None
        request.gone = (
            None  # it leads back to the request: without the ring nothing waits for the garbage collector
        )
        close = response.close or not request.keep_alive
        if isinstance(response, Response):
            close = close or (self._body is not None and self._body.expected)
            data = response.wire(head_only=request.method == "HEAD", http10=request.http10, close=close)
        else:
            data = response.data
        if data:
            self.transport.write(data)
        if close or self._ending:
            self._end()
            return
        if self._body is not None:
            self._body.discard()
            self._deadline = self._clock.after(self._owner.linger)
        else:
            self._rest()
        if self._ahead:
            self._advance()

    def write(self, data: bytes) -> None:
        """Send; bounded only if the caller awaits :meth:`drain`."""
        if not self.transport.is_closing():
            self.transport.write(data)

    async def drain(self) -> None:
        """Wait until the client has taken enough of what was sent, or has gone."""
        if self.writing_paused and not self.closed:
            if self._drained is None:
                self._drained = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._drained)

    def pause_writing(self) -> None:
        self.writing_paused = True

    def resume_writing(self) -> None:
        self.writing_paused = False
        self._wake()
        if self._ahead:
            self._advance()

    def hand_over(self, receiver: Receiver) -> None:
        """After an upgrade: every byte from the client goes to ``receiver``, and it hears of its end."""
        self._receiver = receiver
        ahead, self._ahead = self._ahead, b""
        self.go_on()
        if ahead:
            receiver.from_client(ahead)
        if self.closed:
            receiver.client_lost()

    def hold(self) -> None:
        """Take no more from the client for now."""
        if not self._held and not self.transport.is_closing():
            self._held = True
            self.transport.pause_reading()

    def go_on(self) -> None:
        """Take more again."""
        if self._held and not self.transport.is_closing():
            self._held = False
            self.transport.resume_reading()

    # Ends

    def check(self, now: float) -> None:
        """A look at the clock (:class:`gateway.proxy.deadlines.Watched`)."""
        if self._body is not None and self._busy:
            if not self._ending:
                self._check_body(self._body, now)
        elif now >= self._deadline:
            if self._head_begun:
                self._refuse(DownstreamError("too_slow"))
            elif self._ending:
                self.transport.abort()
            else:
                self.close()

    def close(self) -> None:
        """Send what waits, then end the connection."""
        self._ending = True
        self._deadline = self._clock.after(self._owner.linger)
        self.transport.close()

    def cut(self) -> None:
        """End it, whatever is under way."""
        if self._task is not None:
            self._task.cancel()
        self.close()

    def _refuse(self, error: DownstreamError) -> None:
        """The framing is lost: say so, and end."""
        self._asked = None
        self._busy = False
        response = self._owner.unreadable(error)
        self.write(response.wire(head_only=False, http10=False, close=True))
        self._head_begun = False
        self._body = self._body or Body(self, None, expected=False)  # whatever still comes is to be read over
        self._end()

    def _end(self) -> None:
        """Close, but read over what the client still sends: a reset could cost it the answer it waits for."""
        self._ahead = b""
        if self._body is not None and self.transport.can_write_eof() and not self.transport.is_closing():
            self._body = None
            self._ending = True
            self.go_on()
            self.transport.write_eof()
            self._deadline = self._clock.after(self._owner.linger)
        else:
            self.close()

    def _wake(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)
