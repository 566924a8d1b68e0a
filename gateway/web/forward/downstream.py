"""The client's side of an exchange: its connection behind the interface the proxy layer knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from gateway.core import clock
from gateway.core.http.way_back import WayBack
from gateway.core.session.session import Session
from gateway.proxy.connection import Belonging, UpstreamConnection
from gateway.proxy.exchange import Exchange
from gateway.proxy.live import DOWNLOAD, EVENTS, NO_SESSION, LiveConnections, LiveToken
from gateway.web.messages import Request


class ForwardedClient:
    """One request's client connection (the proxy layer's ``Downstream``).

    :param alive: whether a session still stands; asked when a stream begins, because its request may have waited long.
    :param address: of the client, also behind a proxy in front.
    :ivar way: of redirects.
    :ivar script: path of the script to put into the response if that is an HTML document; empty for none.
    :ivar result: ``ok``, or why the response is not complete; for the books.
    """

    __slots__ = (
        "_address", "_alive", "_connection", "_expiry", "_live", "_session", "_token", "document", "head_only",
        "http10", "keep_alive", "result", "script", "set_cookies", "way", "websocket", "written",
    )  # fmt: skip

    def __init__(
        self,
        request: Request,
        live: LiveConnections,
        session: Session | None,
        *,
        alive: Callable[[Session], bool],
        keep_alive: bool,
        document: bool,
        websocket: bool,
        set_cookies: Sequence[bytes],
        script: str,
        address: str,
        way: WayBack | None = None,
    ) -> None:
        self._connection = request.connection
        self._address = address
        self._live = live
        self._session = session
        self._alive = alive
        self._token: LiveToken | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self.head_only = request.method == "HEAD"
        self.http10 = request.http10
        self.keep_alive = keep_alive
        self.document = document
        self.websocket = websocket
        self.set_cookies = set_cookies
        self.script = script
        self.way = way
        self.written = 0
        self.result = "ok"

    def belonging(self) -> Belonging:
        """Whom an upstream's authenticated connection belongs to; a proxy in front shares its own among clients."""
        session, connection = self._session, self._connection
        return connection, session.sid if session else "" if self._address == connection.peer else None

    @property
    def gone(self) -> bool:
        return self._connection.gone

    @property
    def blocked(self) -> bool:
        return self._connection.writing_paused

    @property
    def unsent(self) -> int:
        return 0 if self._connection.closed else self._connection.transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        if not self.gone:
            self.written += len(data)
            self._connection.write(data)

    async def drain(self) -> None:
        """Wait until the client has taken enough of what was sent, or has gone."""
        await self._connection.drain()

    def bind(self, connection: UpstreamConnection) -> None:
        connection.belongs = self.belonging()

    def stream_begins(self, exchange: Exchange) -> bool:
        if exchange.head is not None and exchange.head.lasts:
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
        self._connection.hold()

    def resume_reading(self) -> None:
        """Go on taking."""
        self._connection.go_on()

    def finish(self) -> None:
        """Send what waits and nothing after it; where TLS cannot do that, nothing happens."""
        if not self.gone and self._connection.transport.can_write_eof():
            self._connection.transport.write_eof()

    def close(self) -> None:
        """Send what waits, then end the connection."""
        self._connection.close()

    def abort(self) -> None:
        """End the connection, so that what was sent is seen to be broken."""
        self._connection.reset()
