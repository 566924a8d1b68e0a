"""The clients' connections: how many, how long, how slow.

One sweep looks at all of them now and then; no request costs a timer. What it looks for are heads and bodies that begin
and do not go on (slowloris), and connections that are idle for too long.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from gateway.core.addresses import Networks, is_trusted
from gateway.core.errors import DownstreamError
from gateway.proxy.deadlines import Deadlines
from gateway.telemetry.log import get_logger
from gateway.web.connection import Connection
from gateway.web.errors import refuse_error
from gateway.web.messages import Request, Response

NEXT_REQUEST = 0.5
"""Seconds that a connection may take to send something when idle ones are being closed: a client that has just
connected, or has just had an answer, may have its next request on the way, and one that is no GET is not sent twice."""
KEEP_ALIVE = 75.0
"""Seconds an idle client connection is kept: nginx's keepalive_timeout."""
HEAD_SECONDS = 30.0
"""Seconds from a head's first byte to its last: Kestrel's RequestHeadersTimeout; Apache gives 20 to 40, nginx 60."""
BODY_WINDOW = 20.0
"""Seconds in which a body must have come on: Apache's RequestReadTimeout is ``body=20``."""
BODY_RATE = 240
"""Bytes a second within each window: Kestrel's MinRequestBodyDataRate; Apache's MinRate is 500."""
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
"""Who connects from here is a proxy in front of us, or owns the machine."""
LINGER = 2.0
"""Seconds in which the rest of a refused body is thrown away: Apache's SECONDS_TO_LINGER."""
_SWEEP = 1.0
"""Seconds between two looks at all connections, at the most."""
_log = get_logger("door")


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """What a client may take: bytes, seconds, connections.

    :ivar header: bytes of one header line and of all together. :ivar body: bytes; 0 is no limit.
    :ivar head_seconds: for a whole head. :ivar body_window, body_rate: seconds, and bytes a second in each of them.
    :ivar per_client: connections of one address, 0 is no limit; nor is there one for ``proxies`` and this machine.
    """

    header: int
    body: int
    head_seconds: float = HEAD_SECONDS
    body_window: float = BODY_WINDOW
    body_rate: float = BODY_RATE
    per_client: int = 0
    proxies: Networks = LOOPBACK


class Listener:
    """Makes one `Connection` for each accepted connection, and looks after all of them.

    :param begin: called with every request.
    :ivar connections: those that are open. :ivar clock: one for all of them; no request costs a timer.
    """

    def __init__(self, begin: Callable[[Request], None], limits: DoorLimits) -> None:
        self.begin = begin
        self.limits = limits
        self.keep_alive = KEEP_ALIVE
        self.linger = LINGER
        self.clock = Deadlines(
            min(_SWEEP, limits.head_seconds / 4, limits.body_window / 4, self.keep_alive / 4)
        )
        self.connections: set[Connection] = set()
        self._clients: Counter[str] = Counter()
        self._tasks: set[asyncio.Future[None]] = set()
        self._emptied = asyncio.Event()

    def __call__(self) -> Connection:
        """A protocol for one connection."""
        return Connection(self)

    def admit(self, connection: Connection) -> bool:
        """Whether this client may have one more connection."""
        client = self._counted(connection.peer)
        if client:
            if 0 < self.limits.per_client <= self._clients[client]:
                _log.warning("too_many_connections", client=client, limit=self.limits.per_client)
                return False
            self._clients[client] += 1
        connection.counted = client
        self.connections.add(connection)
        self.clock.watch(connection)
        return True

    def _counted(self, peer: str) -> str:
        """The client's address, of IPv6 the part that one client has to itself; empty where they are not counted."""
        if not peer or is_trusted(peer, self.limits.proxies):
            return ""
        address = ip_address(peer.partition("%")[0])
        if isinstance(address, IPv6Address):
            return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
        return str(address)

    def left(self, connection: Connection) -> None:
        """A connection has ended."""
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        self.clock.unwatch(connection)
        if connection.counted:
            self._clients[connection.counted] -= 1
            if not self._clients[connection.counted]:
                del self._clients[connection.counted]
        if not self.connections:
            self._emptied.set()

    def keep(self, answering: Awaitable[None]) -> asyncio.Future[None]:
        """A task that is not lost while it runs."""
        task = asyncio.ensure_future(answering)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def unreadable(self, error: DownstreamError) -> Response:
        """The page for what cannot be read."""
        return refuse_error(None, error)

    def close_idle(self) -> int:
        """Close the connections that have carried no request for a while; how many there still are."""
        latest = asyncio.get_running_loop().time() - NEXT_REQUEST
        for connection in self.connections:
            if connection.idle and connection.resting_since <= latest:
                connection.close()
        return len(self.connections)

    async def shutdown(self, timeout: float) -> None:
        """End every connection, within ``timeout`` seconds."""
        for connection in self.connections:
            connection.cut()
        if self.connections:
            self._emptied.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), timeout)
        for connection in self.connections:
            connection.transport.abort()
        self.clock.close()
