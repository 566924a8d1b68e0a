"""One request and its response on an upstream connection.

A response that is whole when its head has come is handed over in one piece (``complete_response``); any other is
written to the downstream as it arrives. Surplus bytes make the connection unfit for another exchange (rule R36).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway.core.errors import DownstreamError, GatewayError, UpstreamError
from gateway.core.http.response_headers import CHUNKED, LENGTH, UNTIL_CLOSE, switching_head
from gateway.core.http.sse import LOGGED_OUT
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.deadlines import Deadlines
from gateway.proxy.response import Asker, ResponseReader
from gateway.proxy.signal import Signal

_NEVER = float("inf")


class Downstream(Asker, Protocol):
    """What an exchange needs of the client connection it answers on.

    :ivar websocket: the request asks for an upgrade.
    """

    websocket: bool

    @property
    def gone(self) -> bool:
        """The client has left."""

    @property
    def blocked(self) -> bool:
        """More is waiting to be sent than should be."""

    @property
    def unsent(self) -> int:
        """Bytes waiting to be sent."""

    def stream_begins(self, exchange: Exchange) -> bool:
        """A response that is not whole begins; False when its session has ended meanwhile."""

    def bind(self, connection: UpstreamConnection) -> None:
        """The upstream has authenticated ``connection``, or is about to: it is this client's alone."""

    def abort(self) -> None:
        """Break the client connection so that the response is seen to be incomplete."""


class Limits(Protocol):
    """How long is waited for an upstream: its route; see :class:`gateway.core.http.routes.Route`."""

    @property
    def first_byte(self) -> float:
        """Seconds until its answer begins."""

    @property
    def idle(self) -> float:
        """Seconds without a byte within a message."""

    @property
    def stream(self) -> float:
        """The same in what lasts by its nature."""


class StaleConnectionError(UpstreamError):
    """A reused connection was closed before any byte of a response: the request may be sent again if it is safe."""


class Exchange(ResponseReader[Downstream]):
    """See the module.

    :ivar complete_response: the entire response, when it came at once.
    :ivar switched: head of a 101 and what came behind it. :ivar error: why there is no response.
    :ivar over: nothing more will happen.
    :ivar on_change: called when it is over, has switched, or the downstream is blocked; :meth:`changed` sets it.
    """

    __slots__ = (
        "_began", "_connection", "_deadline", "_deadlines", "_limits", "_unsent",
        "complete_response", "error", "on_change", "over", "reading_paused", "sent", "started", "switched",
    )  # fmt: skip

    def __init__(self, downstream: Downstream, deadlines: Deadlines, limits: Limits) -> None:
        super().__init__(downstream)
        self._deadlines = deadlines
        self._limits = limits
        self.on_change: Callable[[], None] | None = None
        self._connection: UpstreamConnection | None = None
        self.reading_paused = False
        self._unsent = 0
        self._deadline = _NEVER
        self._began = 0.0
        self.sent = True
        self.complete_response: bytes | None = None
        self.switched: tuple[bytes, bytes] | None = None
        self.error: GatewayError | None = None
        self.started = False
        self.over = False

    # The request side

    def begin(self, connection: UpstreamConnection, head: bytes, *, sent: bool = True) -> None:
        """Send the request's head (and body, as far as it is at hand) and listen.

        :param sent: the whole request is in ``head``; else :meth:`body_progress` and :meth:`body_sent` follow.
        """
        self._connection = connection
        self.sent = sent
        deadlines = self._deadlines
        deadlines.watch(self)
        self._began = deadlines.now
        self._deadline = deadlines.after(self._limits.first_byte if sent else self._limits.idle)
        connection.begin(self, head)

    def body_progress(self, *, waiting_for: str) -> None:
        """A piece of the request body has moved; ``waiting_for`` ("client" or "upstream") is whose turn it is.

        How long a client may take is the door's business, for it sees every byte (``timeouts.client_body``).
        """
        self._deadline = _NEVER if waiting_for == "client" else self._silence()

    def body_sent(self) -> None:
        """The request is complete."""
        self.sent = True
        self._deadline = (
            self._deadlines.after(self._limits.first_byte) if self.head is None else self._silence()
        )

    @property
    def waited(self) -> bool:
        """Whether time has passed since the request was sent: a tick or more."""
        return self._deadlines.now != self._began

    async def changed(self) -> None:
        """Wait until the exchange is over, has switched protocols, or the downstream is blocked."""
        if self.over or self.switched or self.reading_paused:
            return
        woken = Signal()
        self.on_change = woken.wake
        await woken.wait()

    # Bytes from the upstream

    def received(self, data: bytes) -> None:
        """Bytes of the response (:class:`Receiver`)."""
        head = self.head
        if head is None:
            if self._head_bytes or not self._read_plain(data):
                self._parse(data)
        elif head.framing == CHUNKED:
            self._parse(data)
        elif head.framing == LENGTH:
            self._count(data)
        else:
            self._body.append(data)
            self._flush()

    def ended(self) -> bool:
        """A response that has ended needs nothing more of its request (:class:`Receiver`)."""
        return False

    def lost(self, error: Exception | None) -> None:
        """The upstream connection ended (:class:`Receiver`)."""
        if self.head is not None and self.head.framing == UNTIL_CLOSE and error is None:
            self.complete = True
            self._flush()
            return
        fresh = self._connection is None or self._connection.served <= 1
        if self.head is None and self._head_bytes == 0 and not fresh:
            self.fail(StaleConnectionError("broken_response", "The application closed the connection."))
        else:
            self.fail(UpstreamError("broken_response", self._broken_off(), fix="Try again shortly."))

    def _broken_off(self) -> str:
        if self.head is None:
            return f"The application broke off {'within' if self._head_bytes else 'before'} the head of its response."
        return "The application broke off within the body of its response."

    def writable(self) -> None:
        """The upstream takes more (:class:`Receiver`); whoever sends the body waits for it by itself."""

    def _switch(self, rest: bytes) -> None:
        if not self.downstream.websocket or self.head is not None:
            self.fail(UpstreamError("broken_response", "The application switched protocols unasked."))
            return
        try:
            head = switching_head(self._reason, self._fields, self.downstream.set_cookies)
        except UpstreamError as error:
            self.fail(error)
            return
        self._deadlines.unwatch(self)
        self._parser = None
        if self._connection is not None:
            # Whatever follows at once must wait until the tunnel stands.
            self._connection.transport.pause_reading()
        self.switched = (head, rest)
        self._wake()

    # Towards the client

    def _flush(self) -> None:
        head = self.head
        assert head is not None
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        piece = self._framed(head, body)
        if not self.started:
            piece = head.raw + piece
            if self.complete:
                self.complete_response = piece
                self._finish()
                return
            self.started = True
            if head.lasts and self._connection is not None:
                self._connection.disown()
            if not self.downstream.stream_begins(self):
                self.fail(UpstreamError("session_ended", "The session ended meanwhile."))
                return
        if self._tracker is not None:
            self._tracker.advance(body)
        if piece:
            self.downstream.write(piece)
        if self.complete:
            self._finish()
            return
        self._deadline = self._silence()
        if self.downstream.blocked:
            self._pause()

    def _pause(self) -> None:
        if not (self.reading_paused or self._connection is None or self._connection.transport.is_closing()):
            self.reading_paused = True
            self._unsent = self.downstream.unsent
            self._deadline = self._deadlines.after(self._limits.idle)
            self._connection.transport.pause_reading()
            self._wake()

    def unblocked(self) -> None:
        """The downstream has taken what waited: read on."""
        self.reading_paused = False
        if self._connection is not None and not self.over:
            self._deadline = self._silence()
            self._connection.transport.resume_reading()

    def _silence(self) -> float:
        """Until when nobody need say anything."""
        limits = self._limits
        return self._deadlines.after(
            limits.stream if self.head is not None and self.head.lasts else limits.idle
        )

    # Ends

    def check(self, now: float) -> None:
        """A tick (:class:`HasDeadline`)."""
        if self.downstream.gone:
            self.cancel()
        elif now >= self._deadline:
            if self.reading_paused and self.downstream.unsent < self._unsent:
                self._unsent = self.downstream.unsent
                self._deadline = self._deadlines.after(self._limits.idle)
                return
            self.fail(self._too_late())

    def _too_late(self) -> GatewayError:
        if self.head is not None:
            if self.reading_paused:
                return DownstreamError("too_slow")
            silent = self._limits.stream if self.head.lasts else self._limits.idle
            return UpstreamError("idle_timeout", f"No byte of the response for {silent:g} s.")
        if self.sent:
            return UpstreamError("first_byte_timeout", f"No response within {self._limits.first_byte:g} s.")
        return UpstreamError(
            "idle_timeout", f"No byte of the request's body was taken for {self._limits.idle:g} s."
        )

    def leave(self) -> None:
        """The gateway stops: an event stream ends between two events, so that its reader connects anew elsewhere."""
        self.end("the gateway is restarting", last=b"")

    def end(self, reason: str, *, last: bytes = LOGGED_OUT) -> None:
        """Its session has ended (rule R22): an event stream gets a last event where one may stand, all else breaks."""
        tracker, head = self._tracker, self.head
        if tracker is not None and head is not None and tracker.at_boundary and (head.chunk or head.close):
            self.complete = True
            self._surplus = True
            self.downstream.write(self._framed(head, last))
            self._finish()
        else:
            self.fail(UpstreamError("session_ended", reason))

    def fail(self, error: GatewayError) -> None:
        """There will be no (complete) response: an unsent one is reported, a begun one is broken off visibly."""
        if self.over:
            return
        self.error = error
        if self.started:
            self.downstream.abort()
        self.cancel()

    def cancel(self) -> None:
        """Drop the upstream connection; what was under way is of no use any more."""
        self._surplus = True
        self._finish()

    def _finish(self) -> None:
        if self.over:
            return
        self.over = True
        self._deadlines.unwatch(self)
        self._parser = None
        connection, self._connection = self._connection, None
        if connection is not None:
            if self.head is not None and self.head.binds:
                self.downstream.bind(connection)
            connection.release(reusable=self._reusable and self.complete and self.sent and not self._surplus)
        self._wake()

    def detach(self) -> UpstreamConnection:
        """The connection of a switched exchange, which is no longer the exchange's."""
        connection, self._connection = self._connection, None
        assert connection is not None
        self.over = True
        return connection

    def _wake(self) -> None:
        if self.on_change is not None:
            self.on_change()
