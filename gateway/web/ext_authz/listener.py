"""The listener for questions over gRPC: its connections, how many there may be, and how it stops."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

from gateway.proxy.deadlines import Deadlines
from gateway.telemetry.log import get_logger
from gateway.telemetry.seldom import Seldom
from gateway.web.door.access_log import AccessLog
from gateway.web.ext_authz.call import INTERNAL, GrpcCall
from gateway.web.ext_authz.connection import LINGER, CallerConnection

CONNECTIONS = 256
"""Callers' connections; Envoy opens one for each of its threads."""
HANDSHAKE = 10.0
"""Seconds for a TLS handshake."""
_TICK = 1.0
_LOOK = 0.05
_LEAVES_AFTER = 0.5
"""Seconds in which a call may come that was under way when its connection was asked to leave."""
_log = get_logger("ext_authz")


class QuestionListener:
    """Makes a `CallerConnection` for each that is accepted.

    :param ask: told of every call. :param longest: bytes of a message.
    :param seconds: that a message may take to come, or an answer to be taken. :param keep_alive: that a connection
        is kept while nothing is asked; then its caller is asked to open another one.
    :ivar clock: one for all connections.
    """

    def __init__(
        self,
        ask: Callable[[GrpcCall], None],
        books: AccessLog,
        *,
        longest: int,
        seconds: float,
        keep_alive: float,
    ) -> None:
        self._ask = ask
        self._books = books
        self._seldom = Seldom()
        self._server: asyncio.Server | None = None
        self.longest = longest
        self.seconds = seconds
        self.keep_alive = keep_alive
        self.connections: set[CallerConnection] = set()
        self.clock = Deadlines(_TICK)

    async def listen(self, sock: socket.socket, tls: ssl.SSLContext | None, backlog: int) -> None:
        """Take connections from now on."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: CallerConnection(self),
            sock=sock,
            ssl=tls,
            backlog=backlog,
            ssl_handshake_timeout=None if tls is None else HANDSHAKE,
        )

    def admit(self, connection: CallerConnection) -> bool:
        """Whether there is room for one more."""
        if len(self.connections) >= CONNECTIONS:
            self.warn("grpc_connections_exhausted", client=connection.peer, connections=CONNECTIONS)
            return False
        self.connections.add(connection)
        self.clock.watch(connection)
        return True

    def left(self, connection: CallerConnection) -> None:
        """A connection has ended."""
        self.connections.discard(connection)
        self.clock.unwatch(connection)

    def ask(self, call: GrpcCall) -> None:
        """Hand a call on; whatever goes wrong is a status, and never a pass (guarantee 1)."""
        try:
            self._ask(call)
        except Exception as error:  # noqa: BLE001 -- the last line of defence: fail closed, and say so in the log
            self.crashed(error)
            call.fail(INTERNAL, "internal")
            call.settled()

    def unreadable(self, client: str, code: str) -> None:
        """What came is no question: counted, and said now and then."""
        self._books.unreadable(client, code)

    def warn(self, event: str, **what: object) -> None:
        """A line in the log, once a second for each ``event`` of a closed set."""
        if times := self._seldom.due(event):
            _log.warning(event, **what, times=times)

    def crashed(self, error: Exception) -> None:
        """Something of ours is broken."""
        _log.error("question_crashed", exc_info=error)

    async def drain(self, limit: float) -> None:
        """Take no more connections, ask all callers to leave, let their calls end, within ``limit`` seconds."""
        if self._server is not None:
            self._server.close()
        loop = asyncio.get_running_loop()
        began = loop.time()
        while self.connections and loop.time() < began + limit:
            for connection in tuple(self.connections):
                connection.leave()
                if loop.time() >= began + min(_LEAVES_AFTER, LINGER):
                    connection.close_idle()
            await asyncio.sleep(_LOOK)
        if self.connections:
            _log.warning("grpc_drain_cut", connections=len(self.connections), after=limit)
        for connection in tuple(self.connections):
            connection.cut()
        self.clock.close()
