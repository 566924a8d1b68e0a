"""One client's connection: requests are begun, and answers go back in the same order.

After an upgrade every byte goes to the tunnel. What cannot be read is answered with a page of ours that repeats
nothing, and ends the connection, for its framing is lost (rule R37).

An end has stages (RFC 9112 §9.6): what waits is sent, our side is closed, and what the client still sends is read over
for a while, because closing at once would make a reset of it, which can cost the client the answer it waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from gateway.core.errors import DownstreamError
from gateway.core.http.request_head import RequestHead
from gateway.proxy.connection import Keeper
from gateway.proxy.deadlines import Deadlines
from gateway.proxy.signal import Signal
from gateway.web.body import Body, broken_body
from gateway.web.door.limits import DoorLimits
from gateway.web.door.request_reader import RequestReader
from gateway.web.messages import Request, Response, UpgradeReceiver, Whole

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER without time: closing sends RST."""


class Acceptor(Protocol):
    """Whoever accepts connections: the listener."""

    clock: Deadlines
    limits: DoorLimits

    def admit(self, connection: Connection) -> bool:
        """Whether this client may have one more."""

    def left(self, connection: Connection) -> None:
        """A connection has ended."""

    def keep(self, answering: Awaitable[None]) -> asyncio.Future[None]:
        """A task that is not lost."""

    @property
    def begin(self) -> Callable[[Request], None]:
        """To be called when a request has come."""

    @property
    def unreadable(self) -> Callable[[str, DownstreamError], Response]:
        """Gives the answer to what cannot be read, by its client and its fault."""


class Connection(RequestReader, asyncio.Protocol):
    """See the module.

    :ivar peer: the client's address, empty on a Unix socket.
    :ivar counted: for whom it counts. :ivar closed: nothing can be sent any more.
    """

    __slots__ = (
        "_answering", "_asked", "_drained", "_owner", "_receiver", "_task", "_unsent", "closed", "counted", "peer",
        "pools", "transport",
    )  # fmt: skip

    def __init__(self, owner: Acceptor) -> None:
        super().__init__(owner.limits, owner.clock)
        self._owner = owner
        self._asked: Request | None = None
        self._answering = False  # a part of the answer is out
        self._receiver: UpgradeReceiver | None = None
        self._task: asyncio.Future[None] | None = None
        self._drained = Signal()
        self._unsent = 0  # when a deadline had passed
        self.peer = ""
        self.counted = ""
        self.pools: frozenset[Keeper] = frozenset()
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.closed = True

    @property
    def idle(self) -> bool:
        """Whether it carries no request, nor a part of one."""
        used = self._busy or self._receiver is not None or self._body is not None or self._ending
        return not (used or self._ahead.size)

    @property
    def gone(self) -> bool:
        """Whether nothing reaches the client any more."""
        return self.closed or self.transport.is_closing()

    @property
    def resting_since(self) -> float:
        """Loop time at which an idle one began to be idle, or up to a tick later."""
        return self._deadline - self._limits.keep_alive

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

    def eof_received(self) -> bool:
        """The client sends no more: what it has asked for it still gets.

        One that has left looks the same until it refuses what is sent to it. So something has to be sent now and then,
        and whoever ends in a pause of its answer has left.

        :returns: whether our side stays open, which TLS cannot do.
        """
        if not self.transport.can_write_eof():
            return False
        if self._receiver is not None:
            return self._receiver.client_ended()
        if self._answering and not self.transport.get_write_buffer_size():
            return False
        if not (self._busy or self._ahead.size):
            return False
        self._half_closed = True
        self.sends()
        if self._body is not None:
            self._give_up(self._body, broken_body())
        self._advance()
        return not self.gone

    def _begin(self, head: RequestHead, body: Body | None) -> None:
        request = self._asked = Request(self, head, body)
        self._owner.begin(request)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._ending = True
        self._owner.left(self)
        for pool in self.pools:
            pool.left(self)
        self._ahead.clear()
        self._drained.wake()
        if self._body is not None:
            self._body.fail(broken_body())
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
        """The answer to ``request``. To a client that has gone, nothing.

        :raises ValueError: it cannot be sent.
        """
        if self._asked is not request:
            return
        body = self._body
        # Who waits for 100 Continue and gets another answer may send the body or not (RFC 9110 §10.1.1).
        close = (
            response.close or self._ending or not request.keep_alive or (body is not None and body.expected)
        )
        if isinstance(response, Response):
            data = response.wire(head_only=request.method == "HEAD", http10=request.http10, close=close)
        else:
            data = response.data
        self._asked = None
        self._busy = self._answering = False
        self._task = None
        # It leads back to the request: without the ring nothing waits for the garbage collector.
        request.gone = None
        if data and not self.transport.is_closing():
            self.transport.write(data)
        if close:
            self._end(coming=body is not None or self._ending)
            return
        if body is not None:
            self._discard(body)
        else:
            self._rest()
        if self._ahead.size or self._half_closed:
            self._advance()

    def write(self, data: bytes) -> None:
        """Send a part of the answer; bounded only if the caller awaits :meth:`drain`."""
        self._answering = True
        self.interim(data)

    def interim(self, data: bytes) -> None:
        """Send what goes before the answer (a 1xx)."""
        if not self.gone:
            self.transport.write(data)
            self.sends()

    def sends(self) -> None:
        """Something goes out to the client, be it past this connection."""
        if self._half_closed:
            self._deadline = self._clock.after(self._limits.half_closed)

    async def drain(self) -> None:
        """Wait until the client has taken enough of what was sent, or has gone."""
        if self.writing_paused and not self.closed:
            await self._drained.wait()

    def pause_writing(self) -> None:
        self.writing_paused = True

    def resume_writing(self) -> None:
        self.writing_paused = False
        self._drained.wake()
        if self._ahead.size or self._half_closed:
            self._advance()

    def hand_over(self, receiver: UpgradeReceiver) -> None:
        """After an upgrade: every byte from the client goes to ``receiver``, and it hears of its end."""
        self._receiver = receiver
        ahead = self._ahead.clear()
        self.go_on()
        if ahead:
            receiver.from_client(ahead)
        if self.closed:
            receiver.client_lost()
        elif self._half_closed and not receiver.client_ended():
            self.close()

    def hold(self) -> None:
        """Take no more from the client for now."""
        if not (self._held or self._half_closed or self.transport.is_closing()):
            self._held = True
            self.transport.pause_reading()

    def go_on(self) -> None:
        """Take more again."""
        if self._held and not self.transport.is_closing():
            self._held = False
            self.transport.resume_reading()

    # Ends

    def check(self, now: float) -> None:
        """A look at the clock (:class:`gateway.proxy.deadlines.HasDeadline`)."""
        if self._half_closed and not self.gone and self._reset:
            self.abort()
        elif self._body is not None and self._busy:
            self._check_body(self._body, now)
        elif now >= self._deadline:
            self._too_late()

    @property
    def _reset(self) -> bool:
        """Whether a client that sends no more has refused what was sent to it; nobody reads, so nobody is told."""
        sock = self.transport.get_extra_info("socket")
        return sock is not None and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def _too_late(self) -> None:
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent:  # the client still takes what waits for it, if slowly
            self._unsent = unsent
            self._deadline = self._clock.after(self._limits.send_seconds if unsent else self._limits.linger)
        elif self._ending or self._busy:
            self.abort()
        elif self._head_begun:
            self._refuse(DownstreamError("too_slow"))
        else:
            self.close()

    def close(self) -> None:
        """Send what waits, then end the connection."""
        self._ending = True
        self._linger()
        self.transport.close()

    def abort(self) -> None:
        """End it at once, without an answer."""
        self.transport.abort()

    def reset(self) -> None:
        """End it so that an answer that ends with its connection is seen to be broken: a close would make it whole."""
        if self.closed:
            return
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):  # closed already: then the client has seen the end
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def cut(self) -> None:
        """End it, whatever is under way."""
        if self._task is not None:
            self._task.cancel()
        if self._answering:
            self.reset()
        else:
            self.close()

    def _refuse(self, error: DownstreamError) -> None:
        """What came is no request, so its framing is lost: say so, and end."""
        self._busy = self._head_begun = False
        response = self._owner.unreadable(self.peer, error)
        if not self.gone:
            self.transport.write(response.wire(head_only=False, http10=False, close=True))
        self._end(coming=True)

    def _end(self, *, coming: bool) -> None:
        """There will be neither a request nor an answer any more.

        :param coming: the client is in the middle of sending something.
        """
        self._ending = True
        self._body = None
        self._ahead.clear()
        self.go_on()
        stages = self.transport.can_write_eof()
        if self._half_closed or self.transport.is_closing() or not (stages or coming):
            self.close()
            return
        if stages:
            self.transport.write_eof()
        self.closed = True
        self._linger()
