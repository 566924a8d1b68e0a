"""One connection to an upstream: bytes in, bytes out, back-pressure both ways. HTTP is the exchange's business.

A connection carries one exchange at a time. Bytes that arrive while it carries none are nobody's answer, and close it
(rule R36); so does its end. Both may lie in the kernel still when the next request comes, so that is asked before each
one. What arrives between that question and the request cannot be told from an answer by anybody who keeps connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
from typing import Protocol, cast

from gateway.proxy.signal import Signal

_LAST_WORDS = 262_144
"""Bytes that are read of an answer whose upstream would not take the rest of the request."""
_FLUSH_SECONDS = 5.0
"""How long a closed connection may still take to send what waits."""


class Receiver(Protocol):
    """Whoever the bytes of a connection are for: an exchange, or a tunnel after an upgrade."""

    def received(self, data: bytes) -> None:
        """Bytes have come."""

    def ended(self) -> bool:
        """The upstream sends no more; False when there is nothing left to send to it either."""

    def lost(self, error: Exception | None) -> None:
        """The connection has ended; ``error`` is None after an orderly end."""

    def writable(self) -> None:
        """The upstream takes more again."""


class Owner(Protocol):
    """Whoever is told when a connection becomes free or is gone: the pool."""

    def released(self, connection: UpstreamConnection) -> None:
        """It can carry another exchange."""

    def gone(self, connection: UpstreamConnection) -> None:
        """It will never carry another."""


class Keeper(Protocol):
    """Whoever keeps connections for their clients: the pool."""

    def left(self, holder: Holder) -> None:
        """The client has gone: what belongs to it ends."""


class Holder(Protocol):
    """A client's connection, to which upstream connections may belong.

    :ivar pools: those that keep one for it, and must hear of its end.
    """

    pools: frozenset[Keeper]

    @property
    def gone(self) -> bool:
        """Nothing reaches the client any more."""


Belonging = tuple[Holder, str | None]
"""A client's connection, and whose requests on it: a session's id, empty for nobody's, None where nothing tells."""


class UpstreamConnection(asyncio.Protocol):
    """A transport with one receiver.

    :ivar served: exchanges begun on it; a first one cannot have met a stale connection.
    :ivar idle_since: loop time of its last release.
    :ivar belongs: whom the upstream takes all of its requests to be from, once it has authenticated the connection.
    """

    __slots__ = (
        "_drained",
        "_owner",
        "_poll",
        "_receiver",
        "_spare",
        "belongs",
        "idle_since",
        "served",
        "transport",
        "write_paused",
    )

    def __init__(self, owner: Owner) -> None:
        self._owner: Owner | None = owner
        self._receiver: Receiver | None = None
        self._poll = select.poll()
        self._drained = Signal()
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._spare = -1
        self.write_paused = False
        self.served = 0
        self.belongs: Belonging | None = None
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        if sock is None:
            return
        self._poll.register(sock.fileno(), select.POLLIN)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Event streams have no idle limit, so a peer that vanished without a word is found by the kernel.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    @property
    def usable(self) -> bool:
        """Whether an exchange may be begun on it: it carries none, and neither bytes nor its end wait to be read."""
        return self._receiver is None and not self.transport.is_closing() and not self._poll.poll(0)

    def begin(self, receiver: Receiver, head: bytes) -> None:
        """Send the head of a request; what comes back goes to ``receiver``."""
        self._receiver = receiver
        self.served += 1
        self.transport.write(head)

    def listen_to_the_end(self) -> None:
        """A body is about to be sent. An upstream that answers early and closes makes writing fail, and the event loop
        drops what was not read by then: so the socket is held open beside it. TLS cannot be read there.
        """
        sock = self.transport.get_extra_info("socket")
        if sock is not None and self.transport.get_extra_info("sslcontext") is None:
            with contextlib.suppress(OSError):  # no descriptor is left: then it goes without
                self._spare = os.dup(sock.fileno())

    def _last_words(self) -> bytes:
        words = b""
        if self._spare >= 0:
            with contextlib.suppress(OSError):
                while len(words) < _LAST_WORDS and (data := os.read(self._spare, _LAST_WORDS)):
                    words += data
        self._let_go()
        return words

    def _let_go(self) -> None:
        spare, self._spare = self._spare, -1
        if spare >= 0:
            os.close(spare)

    def pass_to(self, receiver: Receiver) -> None:
        """After an upgrade: bytes go to ``receiver`` for good, and the pool no longer counts the connection."""
        self._receiver = receiver
        self.disown()

    def disown(self) -> None:
        """Take it out of its pool: it carries something that lives long, or is about to be closed."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.gone(self)

    def release(self, *, reusable: bool) -> None:
        """The exchange is over."""
        self._receiver = None
        if self._spare >= 0:  # asked on every request
            self._let_go()
        if reusable and self._owner is not None and not self.transport.is_closing():
            self._owner.released(self)
        else:
            self.abort()

    def abort(self) -> None:
        """End it at once; its receiver hears no more."""
        self._receiver = None
        self._let_go()
        self.disown()
        self.transport.abort()
        self._drained.wake()

    def close(self) -> None:
        """Send what waits, then end it; its receiver hears no more."""
        self._receiver = None
        self._let_go()
        self.disown()
        self.transport.close()
        if self.transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.transport.abort)

    def write(self, data: bytes) -> None:
        """Send; bounded only if the caller awaits :meth:`drain`."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def finish(self) -> None:
        """Send what waits and nothing after it; where TLS cannot do that, nothing happens."""
        if not self.transport.is_closing() and self.transport.can_write_eof():
            self.transport.write_eof()

    async def drain(self) -> None:
        """Wait until the upstream has taken enough of what was sent."""
        if self.write_paused and not self.transport.is_closing():
            await self._drained.wait()

    def data_received(self, data: bytes) -> None:
        if self._receiver is None:
            self.abort()
        else:
            self._receiver.received(data)

    def eof_received(self) -> bool:
        """The upstream sends no more. True keeps the connection, which TLS cannot do."""
        return self._receiver is not None and self.transport.can_write_eof() and self._receiver.ended()

    def connection_lost(self, exc: Exception | None) -> None:
        if (words := self._last_words()) and self._receiver is not None:
            self._receiver.received(words)
        receiver, self._receiver = self._receiver, None
        self.disown()
        self._drained.wake()
        if receiver is not None:
            receiver.lost(exc)

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        self._drained.wake()
        if self._receiver is not None:
            self._receiver.writable()
