"""The client's side of an exchange: aiohttp's request and transport behind the interface the proxy layer knows."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from gateway.core import clock
from gateway.core.session import Session
from gateway.proxy.exchange import Exchange
from gateway.proxy.live import DOWNLOAD, EVENTS, NO_SESSION, LiveConnections, LiveToken

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER without time: closing sends RST, so that a response that ends with its connection is seen to be broken."""


class Sent(web.StreamResponse):
    """A response whose bytes are already made, or already gone.

    aiohttp reads ``keep_alive``, ``status`` and ``body_length`` of a response and awaits ``prepare`` and ``write_eof``;
    the base class's own state (a header map, a body writer) is not made, because nothing would read it.

    :param data: what is still to be sent; empty when all is gone.
    """

    def __init__(self, status: int, data: bytes, *, keep_alive: bool, length: int = 0) -> None:
        self._sent_status = status
        self._bytes = data
        self._stays = keep_alive
        self._length = length or len(data)
        self._headers: CIMultiDict[str] | None = None  # type: ignore[assignment]  # the base wants a map

    @property
    def status(self) -> int:
        return self._sent_status

    @property
    def prepared(self) -> bool:
        return True

    @property
    def keep_alive(self) -> bool | None:
        return self._stays

    @property
    def body_length(self) -> int:
        """Bytes sent, head included."""
        return self._length

    @property
    def headers(self) -> CIMultiDict[str]:
        """Empty: the bytes are made."""
        return CIMultiDict()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        data, self._bytes = self._bytes, b""
        if data:
            transport = request.transport
            if transport is None or transport.is_closing():
                raise ConnectionResetError("the client has gone")
            transport.write(data)
            if request.protocol.writing_paused:
                await request.writer.drain()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


class ClientSide:
    """One request's client connection (the proxy layer's ``Downstream``).

    :param alive: whether a session still stands; asked when a stream begins, because its request may have waited long.
    :ivar result: ``ok``, or why the response is not complete; for the books.
    """

    __slots__ = (
        "_alive", "_expiry", "_live", "_protocol", "_session", "_token", "document", "head_only", "http10",
        "keep_alive", "result", "set_cookies", "websocket", "written",
    )  # fmt: skip

    def __init__(
        self,
        request: web.BaseRequest,
        live: LiveConnections,
        session: Session | None,
        *,
        alive: Callable[[Session], bool],
        keep_alive: bool,
        document: bool,
        websocket: bool,
        set_cookies: Sequence[bytes],
    ) -> None:
        self._protocol = request.protocol
        self._live = live
        self._session = session
        self._alive = alive
        self._token: LiveToken | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self.head_only = request.method == hdrs.METH_HEAD
        self.http10 = request.version < HttpVersion11
        self.keep_alive = keep_alive
        self.document = document
        self.websocket = websocket
        self.set_cookies = set_cookies
        self.written = 0
        self.result = "ok"

    @property
    def gone(self) -> bool:
        transport = self._protocol.transport
        return transport is None or transport.is_closing()

    @property
    def blocked(self) -> bool:
        return self._protocol.writing_paused

    @property
    def unsent(self) -> int:
        transport = self._protocol.transport
        return 0 if transport is None else transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        transport = self._protocol.transport
        if transport is not None and not transport.is_closing():
            self.written += len(data)
            transport.write(data)

    def stream_begins(self, exchange: Exchange) -> bool:
        if exchange.head is not None and exchange.head.events:
            return self.register(exchange.end, kind=EVENTS, leave=exchange.leave)
        return self.register(exchange.end)

    @property
    def stands(self) -> bool:
        """Whether the session has not ended since the request was let through."""
        return self._session is None or self._alive(self._session)

    def register(
        self, end: Callable[[str], None], *, kind: str = DOWNLOAD, leave: Callable[[], None] | None = None
    ) -> bool:
        """Let ``end`` be called when the session ends, ``leave`` when the gateway stops. False: it is over."""
        session = self._session
        if not self.stands:
            return False
        if session is None:
            self._token = self._live.add(NO_SESSION, end, kind=kind, leave=leave)
            return True
        self._token = self._live.add(session.sid, end, session=session, kind=kind, leave=leave)
        left = max(0, session.absolute_until - clock.now())
        self._expiry = asyncio.get_running_loop().call_later(left, end, "session expired")
        return True

    def over(self) -> None:
        """Nothing of this request lives on."""
        token, self._token = self._token, None
        if token is not None:
            self._live.discard(token)
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def pause_reading(self) -> None:
        """Take no more from the client for now (tunnels)."""
        transport = self._protocol.transport
        if transport is not None:
            transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on taking."""
        transport = self._protocol.transport
        if transport is not None and not transport.is_closing():
            transport.resume_reading()

    def close(self) -> None:
        """Send what waits, then end the connection."""
        transport = self._protocol.transport
        if transport is not None:
            transport.close()

    def abort(self) -> None:
        transport = self._protocol.transport
        if transport is None:
            return
        sock = transport.get_extra_info("socket")
        if sock is not None:
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            except OSError:
                pass  # closed already: then the client has seen the end
        transport.abort()
