"""One client's connection: requests are begun, and answers go back in the same order.

After an upgrade every byte goes to the tunnel. What cannot be read is answered with a page of ours that repeats
nothing, and ends the connection, for its framing is lost (rule R37).

An end has stages (RFC 9112 §9.6): what waits is sent, our side is closed, and what the client still sends is read over
for a while, because closing at once would make a reset of it, which can cost the client the answer it waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, cast

from gateway.core.errors import DownstreamError
from gateway.proxy.connection import Keeper
from gateway.proxy.signal import Signal
from gateway.web.body import Body, broken_body
from gateway.web.door import resets, stages
from gateway.web.door.arrival import Arrival
from gateway.web.door.request_reader import AHEAD, RequestReader
from gateway.web.door.stages import Stage
from gateway.web.messages import CompleteResponse, Request, Response, UpgradeReceiver

if TYPE_CHECKING:
    from gateway.web.door.connections import Listener

NEVER = float("inf")
# Asked on every request, and Python 3.11 runs Python code for each member of an Enum that is named.
_HEAD, _ANSWERING, _LINGERING = Stage.HEAD, Stage.ANSWERING, Stage.LINGERING


class Connection(asyncio.Protocol):
    """See the module.

    :ivar peer: the client's address, empty on a Unix socket. :ivar counted: for whom it counts.
    :ivar writing_paused: more is waiting to be sent than should be.
    """

    __slots__ = (
        "_advancing", "_asked", "_clock", "_deadline", "_drained", "_half_closed", "_held", "_limits",
        "_lingers_until", "_owner", "_reader", "_receiver", "_stage", "_task", "_unsent", "counted", "peer",
        "pools", "transport", "writing_paused",
    )  # fmt: skip

    def __init__(self, owner: Listener) -> None:
        self._owner = owner
        self._clock = owner.clock
        self._limits = owner.limits
        self._reader = RequestReader(self, owner.limits)
        self._stage = Stage.RESTING
        self._half_closed = False  # the client sends no more
        self._held = False
        self._advancing = False
        self._asked: Request | None = None
        self._receiver: UpgradeReceiver | None = None
        self._task: asyncio.Future[None] | None = None
        self._drained = Signal()
        self._deadline = NEVER  # of whatever is waited for
        self._lingers_until = NEVER
        self._unsent = 0  # when a deadline had passed
        self.peer = ""
        self.counted = ""
        self.pools: frozenset[Keeper] = frozenset()
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.writing_paused = False

    @property
    def idle(self) -> bool:
        """Whether it carries no request, nor a part of one."""
        return self._stage is Stage.RESTING and not self._reader.ahead.size

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._stage >= _LINGERING

    @property
    def gone(self) -> bool:
        """Whether nothing reaches the client any more."""
        return self._stage >= _LINGERING or self.transport.is_closing()

    @property
    def resting_since(self) -> float:
        """Loop time at which an idle one began to be idle, or up to a tick later."""
        arriving = isinstance(self.transport, Arrival)
        return self._deadline - (self._limits.handshake if arriving else self._limits.keep_alive)

    # From the client

    def arriving(self, arrival: Arrival, peer: str) -> Connection:
        """It does not speak HTTP yet, and has a time until it does."""
        self.transport, self.peer = arrival, peer
        self._deadline = self._clock.after(self._limits.handshake)
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        arrived = self.transport is not None
        self.transport = cast("asyncio.Transport", transport)
        if not arrived:
            peer = transport.get_extra_info("peername")
            self.peer = peer[0] if isinstance(peer, tuple) else ""
        if self._stage is Stage.RESTING and (arrived or self._owner.admit(self)):
            self._rest()
        else:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._receiver is not None:
            self._receiver.from_client(data)
            return
        if self._reader.body is not None:
            data = self._feed(self._reader.body, data)
        if self._stage > _ANSWERING:
            self._read_over()
        elif data:
            self._reader.ahead.put(data)
            self._advance()

    def _feed(self, body: Body, data: bytes) -> bytes:
        """Bytes for the body that is still coming; what of them is behind it."""
        try:
            data = self._reader.feed(body, data)
        except DownstreamError:
            if self._stage >= Stage.ASKED:
                self._give_up(broken_body())
            else:  # its answer is out; another would be taken for that to the next request
                self._end(coming=True)
            return b""
        if not body.complete:
            self._read_over()
        elif self._stage is Stage.SURPLUS:
            self._stage = stages.SURPLUS_OVER[self._stage]
            self._rest()
        return data

    def _advance(self) -> None:
        """Begin the requests that have come, one after the other, as long as they are answered at once."""
        if self._advancing:
            return
        self._advancing = True
        ahead = self._reader.ahead
        try:
            while ahead.size and self._stage <= _HEAD and not self.writing_paused and self._begin():
                pass
        except DownstreamError as error:
            self._refuse(error)
        finally:
            self._advancing = False
        if self._half_closed and self._stage <= Stage.SURPLUS and not self.writing_paused:
            self._end(coming=False)
        elif self._held or ahead.size > AHEAD:
            self._reader.pace(waiting=self._stage >= Stage.ASKED or self.writing_paused)

    def _begin(self) -> bool:
        """Begin the first request of those that have come; False when it is not there yet."""
        if (read := self._reader.next()) is None:
            if self._stage is Stage.RESTING and self._reader.ahead.begun:
                self._stage = stages.HEAD_BEGUN[self._stage]
                self._deadline = self._clock.after(self._limits.head_seconds)
            return False
        self._stage = stages.REQUEST_COME[self._stage]
        self._deadline = self._clock.after(self._limits.half_closed) if self._half_closed else NEVER
        request = self._asked = Request(self, read[0], read[1])
        self._owner.begin(request)
        return True

    def _give_up(self, error: DownstreamError) -> None:
        """The rest of the body, if there is one, is not waited for. Whoever forwards it hears of that, and answers."""
        if self._reader.give_up(error):
            self._stage = stages.BODY_GIVEN_UP[self._stage]

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
        if self._stage is Stage.ANSWERING and not self.transport.get_write_buffer_size():
            return False
        if self._stage < Stage.ASKED and not self._reader.ahead.size:
            return False
        self._half_closed = True
        self.sends()
        self._give_up(broken_body())
        self._advance()
        return not self.gone

    def connection_lost(self, exc: Exception | None) -> None:
        self._stage = stages.LOST[self._stage]
        self._owner.left(self)
        for pool in self.pools:
            pool.left(self)
        self._reader.ahead.clear()
        self._reader.give_up(broken_body())
        self._drained.wake()
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.client_lost()
        asked, self._asked = self._asked, None
        if asked is not None and asked.gone is not None:
            asked.gone()

    # To the client

    def wait(self, answering: Awaitable[None]) -> None:
        """Let a task answer the request; it goes on when the client leaves."""
        self._task = self._owner.keep(answering)

    def respond(self, request: Request, response: CompleteResponse) -> None:
        """The answer to ``request``. To a client that has gone, nothing.

        :raises ValueError: it cannot be sent.
        """
        if self._asked is not request:
            return
        body = self._reader.body
        last = self._stage > _ANSWERING
        # Who waits for 100 Continue and gets another answer may send the body or not (RFC 9110 §10.1.1).
        close = response.close or last or not request.keep_alive or (body is not None and body.expected)
        if isinstance(response, Response):
            data = response.wire(head_only=request.method == "HEAD", http10=request.http10, close=close)
        else:
            data = response.data
        self._asked = self._task = None
        # It leads back to the request: without the ring nothing waits for the garbage collector.
        request.gone = None
        if data and not self.transport.is_closing():
            self.transport.write(data)
        if close:
            self._end(coming=body is not None or last)
            return
        if body is not None:
            self._stage = stages.ANSWERED_EARLY[self._stage]
            body.discard()
            self._linger()
        else:
            self._stage = stages.ANSWERED[self._stage]
            self._rest()
        if self._reader.ahead.size or self._half_closed:
            self._advance()

    def write(self, data: bytes) -> None:
        """Send a part of the answer; bounded only if the caller awaits :meth:`drain`."""
        self._stage = stages.PART_SENT[self._stage]
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
        if self._reader.ahead.size or self._half_closed:
            self._advance()

    def hand_over(self, receiver: UpgradeReceiver) -> None:
        """After an upgrade: every byte from the client goes to ``receiver``, and it hears of its end."""
        self._receiver = receiver
        self._stage = stages.UPGRADED[self._stage]
        ahead = self._reader.ahead.clear()
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
        if self._half_closed and not self.gone and resets.has_come(self.transport):
            self.abort()
        elif self._reader.body is not None and Stage.ASKED <= self._stage <= Stage.ANSWERING:
            if self._reader.too_slow(self._reader.body, now):
                self._give_up(DownstreamError("too_slow"))
        elif now >= self._deadline:
            self._too_late()

    def _too_late(self) -> None:
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent:  # the client still takes what waits for it, if slowly
            self._unsent = unsent
            self._deadline = self._clock.after(self._limits.send_seconds if unsent else self._limits.linger)
        elif self._stage >= Stage.ASKED:
            self.abort()
        elif self._stage is Stage.HEAD:
            self._refuse(DownstreamError("too_slow"))
        else:
            self.close()

    def close(self) -> None:
        """Send what waits, then end the connection."""
        self._stage = stages.CLOSED[self._stage]
        self._linger()
        self.transport.close()

    def abort(self) -> None:
        """End it at once, without an answer."""
        self.transport.abort()

    def reset(self) -> None:
        """End it so that an answer that ends with its connection is seen to be broken: a close would make it whole."""
        if not self.closed:
            resets.send(self.transport)

    def cut(self) -> None:
        """End it, whatever is under way."""
        if self._task is not None:
            self._task.cancel()
        if Stage.ANSWERING <= self._stage <= Stage.TUNNEL:
            self.reset()
        else:
            self.close()

    def _refuse(self, error: DownstreamError) -> None:
        """What came is no request, so its framing is lost: say so, and end."""
        response = self._owner.unreadable(self.peer, error)
        if not self.gone:
            self.transport.write(response.wire(head_only=False, http10=False, close=True))
        self._end(coming=True)

    def _end(self, *, coming: bool) -> None:
        """There will be neither a request nor an answer any more.

        :param coming: the client is in the middle of sending something.
        """
        self._reader.body = None
        self._reader.ahead.clear()
        self.go_on()
        half = self.transport.can_write_eof()
        if self._half_closed or self.transport.is_closing() or not (half or coming):
            self.close()
            return
        if half:
            try:
                self.transport.write_eof()
            except OSError:  # the client has reset it, which the event loop has not read yet
                self.close()
                return
        self._stage = stages.OUR_HALF_CLOSED[self._stage]
        self._linger()

    def _rest(self) -> None:
        """Nothing is under way: the time until the next request runs."""
        self._deadline = self._clock.after(self._limits.keep_alive)

    def _linger(self) -> None:
        """Nothing more is wanted: read over what still comes, and not for ever."""
        self._deadline = self._clock.after(self._limits.linger)
        self._lingers_until = self._clock.after(self._limits.linger_most)

    def _read_over(self) -> None:
        """Something unwanted came."""
        if not Stage.ASKED <= self._stage <= Stage.TUNNEL:
            self._deadline = min(self._clock.after(self._limits.linger), self._lingers_until)
