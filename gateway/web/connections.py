"""The client's connections: how many, how long, how slow, and what is said where no request could be read.

One sweep looks at all of them now and then; no request costs a timer. aiohttp keeps idle connections for
``KEEP_ALIVE`` and no longer, so what the sweep looks for are heads and bodies that begin and do not go on (slowloris).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.core.addresses import Networks, is_trusted
from gateway.telemetry.log import get_logger
from gateway.web.errors import refuse
from gateway.web.upload import BodyError

MAX_HEADERS = 128
"""As many as aiohttp and nginx's usual buffers admit; Apache's LimitRequestFields is 100."""
FIRST_REQUEST = 0.5
"""Seconds that a new connection may take to send something, when all others are being closed."""
KEEP_ALIVE = 75.0
"""Seconds an idle client connection is kept: nginx's keepalive_timeout."""
HEAD_SECONDS = 30.0
"""Seconds from a head's first byte to its last: Kestrel's RequestHeadersTimeout; Apache gives 20 to 40, nginx 60."""
BODY_WINDOW = 20.0
"""Seconds in which a body must have come on: Apache's RequestReadTimeout is ``body=20``."""
BODY_RATE = 240
"""Bytes a second within each window: Kestrel's MinRequestBodyDataRate; Apache's MinRate is 500."""
OVERHEAD = 16
"""Bytes on the wire for one of a chunked body, over a window of 64 KiB: endless chunk extensions are no body
(CVE-2023-39326). A chunk of one byte takes six.
"""
PER_CLIENT = 1_024
"""Connections of one address and worker: an office behind one address opens six for each browser."""
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
"""Who connects from here is a proxy in front of us, or owns the machine."""
LINGER = 2.0
"""Seconds in which the rest of a refused body is thrown away: Apache's SECONDS_TO_LINGER."""
_FREE_OVERHEAD = 65_536
_NEVER = float("inf")
_log = get_logger("door")


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """What a client may take: bytes, seconds, connections.

    :ivar header: bytes of one header line and of all together. :ivar body: bytes; 0 is no limit.
    :ivar head_seconds: for a whole head. :ivar body_window, body_rate: seconds, and bytes a second in each of them.
    :ivar per_client: connections of one address; of those in ``proxies``, and of this machine, any number.
    """

    header: int
    body: int
    head_seconds: float = HEAD_SECONDS
    body_window: float = BODY_WINDOW
    body_rate: float = BODY_RATE
    per_client: int = PER_CLIENT
    proxies: Networks = LOOPBACK


class Listener(web.Server):
    """Makes one `Connection` for each accepted connection, and looks after all of them."""

    def __init__(self, handler: Callable[[web.BaseRequest], object], limits: DoorLimits) -> None:
        super().__init__(handler)  # type: ignore[arg-type]  # aiohttp's private handler type
        self._limits = limits
        self._interval = min(limits.head_seconds, limits.body_window) / 4
        self._sweeping: asyncio.TimerHandle | None = None
        self._clients: Counter[str] = Counter()

    def __call__(self) -> RequestHandler:
        """A protocol for one connection."""
        return Connection(
            self,
            limits=self._limits,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=KEEP_ALIVE,
            access_log=None,
            max_line_size=self._limits.header,
            max_field_size=self._limits.header,
            max_headers=MAX_HEADERS,
            auto_decompress=False,
            lingering_time=LINGER,
        )

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """aiohttp tells of a new connection."""
        super().connection_made(handler, transport)
        client = cast("Connection", handler).counted = self._counted(transport)
        if client:
            self._clients[client] += 1
            if self._clients[client] > self._limits.per_client:
                _log.warning("too_many_connections", client=client, limit=self._limits.per_client)
                transport.abort()
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(self._interval, self._sweep)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """aiohttp tells of the end of a connection."""
        super().connection_lost(handler, exc)
        client = cast("Connection", handler).counted
        if client:
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]

    def close_idle(self) -> int:
        """Close the connections that carry no request, but for brand-new ones; how many there still are."""
        newest = asyncio.get_running_loop().time() - FIRST_REQUEST
        for connection in self.connections:
            if isinstance(connection, Connection) and connection.idle and connection.born <= newest:
                connection.force_close()
        return len(self.connections)

    def _counted(self, transport: asyncio.Transport) -> str:
        """The client's address, of IPv6 the part that one client has to itself; empty where they are not counted."""
        peer = transport.get_extra_info("peername")
        if not isinstance(peer, tuple) or is_trusted(peer[0], self._limits.proxies):
            return ""
        address = ip_address(peer[0].partition("%")[0])
        if isinstance(address, IPv6Address):
            return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
        return str(address)

    def _sweep(self) -> None:
        self._sweeping = None
        loop = asyncio.get_running_loop()
        for connection in self.connections:
            if isinstance(connection, Connection):
                connection.check(loop.time())
        if self.connections:
            self._sweeping = loop.call_later(self._interval, self._sweep)


class Connection(RequestHandler):
    """One client's connection; what cannot be parsed is answered without repeating any of it.

    Four names of aiohttp are private: ``_waiter``, ``_messages``, ``_current_request`` and ``_request_count`` say
    whether a request is waited for, is waiting, is being answered, has ever come. There are no public ones; tests pin
    each.

    :ivar born: loop time of its making. :ivar counted: for whom it counts.
    :ivar heavy: some head may have been larger than all headers together may be; the door weighs it.
    """

    __slots__ = (
        "_body_from",
        "_head_from",
        "_head_size",
        "_limits",
        "_raw",
        "_window",
        "born",
        "counted",
        "heavy",
    )

    def __init__(
        self, *args: Any, limits: DoorLimits, loop: asyncio.AbstractEventLoop, **options: Any
    ) -> None:
        super().__init__(*args, loop=loop, **options)
        self._limits = limits
        self.born = loop.time()
        self.counted = ""
        self.heavy = False
        self._head_size = 0
        self._head_from = 0.0
        self._raw = 0
        self._window = 0.0
        self._body_from = (0, 0)

    @property
    def idle(self) -> bool:
        """Whether it waits for a request. aiohttp asks itself in the same way before it closes a connection that was
        idle for too long.
        """
        return self._waiter is not None and not self._waiter.done()

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        super().data_received(data)
        size = self._head_size + len(data)
        waiter = self._waiter
        if (not self._request_count) if waiter is None else (not waiter.done()):
            self._head_goes_on(size)
            return
        self._head_size = 0
        self._raw += len(data)
        if size > self._limits.header:
            self.heavy = True
        if self._messages and (self._current_request is not None or len(self._messages) > 1):
            self._give_up_bodies()

    def check(self, now: float) -> None:
        """A sweep looks: is the head, or the body, under way too slow?"""
        if self._head_size:
            if self.idle and now - self._head_from >= self._limits.head_seconds:
                self._refuse("too_slow")
            return
        request, transport = self._current_request, self.transport
        if request is None or transport is None:
            return
        body = request.content
        if body.is_eof() or not transport.is_reading():
            self._window = 0.0  # whoever is held back by us is not slow
        elif not self._window:
            self._window, self._body_from = now, (body.total_bytes, self._raw)
        elif now - self._window >= self._limits.body_window:
            came, raw = body.total_bytes - self._body_from[0], self._raw - self._body_from[1]
            if came < (now - self._window) * self._limits.body_rate:
                body.set_exception(BodyError("too_slow"))
            elif raw > _FREE_OVERHEAD and raw > came * OVERHEAD:
                body.set_exception(BodyError("broken_body"))
            self._window, self._body_from = now, (body.total_bytes, self._raw)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Our own page; the connection is closed after it, for its framing is lost."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun; nothing can be added to it")
        reason = "malformed_request" if status < 500 else "internal"
        if exc is not None and type(exc).__name__ == "LineTooLong":
            reason = "headers_too_large"
        response = refuse(None, reason)
        response.force_close()
        return response

    def _head_goes_on(self, size: int) -> None:
        if not size:
            return
        if not self._head_size:
            self._head_from = asyncio.get_running_loop().time()
        self._head_size = size
        if size > self._limits.header:
            self._refuse("headers_too_large")

    def _give_up_bodies(self) -> None:
        """aiohttp forgets a body whose framing turns out to be broken: whoever reads it would wait for ever.

        A message behind a body that has not ended is the parser's word that it gave that body up.
        """
        bodies = [payload for _, payload in self._messages]
        if self._current_request is not None:
            bodies.insert(0, self._current_request.content)
        for body in bodies[:-1]:
            if not body.is_eof() and body.exception() is None:
                body.set_exception(BodyError("broken_body"))

    def _refuse(self, reason: str) -> None:
        """Say so at once, while no request is under way, and close."""
        if self.transport is not None:
            self.transport.write(last_word(reason))
        self.force_close()


def last_word(reason: str) -> bytes:
    """The answer for ``reason``, as bytes, where there is no request that aiohttp could answer."""
    response = refuse(None, reason)
    body = response.body
    assert isinstance(body, bytes)
    lines = [f"HTTP/1.1 {response.status} {response.reason}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in response.headers.items() if name != "Content-Length"]
    return "\r\n".join((*lines, f"Content-Length: {len(body)}", "", "")).encode("latin-1") + body
