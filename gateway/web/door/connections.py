"""The clients' connections: how many, how long, how slow.

One sweep looks at all of them now and then; no request costs a timer. What it looks for are heads and bodies that begin
and do not go on (slowloris), and connections that are idle for too long.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from ipaddress import IPv6Address, ip_address, ip_network

from gateway.core.errors import DownstreamError
from gateway.core.http.addresses import UNKNOWN, is_trusted
from gateway.proxy.deadlines import Deadlines
from gateway.telemetry.log import get_logger
from gateway.telemetry.seldom import Seldom
from gateway.web.door.connection import Connection
from gateway.web.door.limits import DoorLimits
from gateway.web.messages import Request, Response

NEXT_REQUEST = 0.5
"""Seconds that a connection may take to send something when idle ones are being closed: a client that has just
connected, or has just had an answer, may have its next request on the way, and one that is no GET is not sent twice."""
_log = get_logger("door")


class Listener:
    """Makes one `Connection` for each accepted connection, and looks after all of them.

    :param begin: called with every request. :param unreadable: answers what is none, by its client and its fault.
    :ivar connections: those that are open. :ivar clock: one for all of them; no request costs a timer.
    """

    def __init__(
        self,
        begin: Callable[[Request], None],
        limits: DoorLimits,
        unreadable: Callable[[str, DownstreamError], Response],
    ) -> None:
        self.begin = begin
        self.unreadable = unreadable
        self.limits = limits
        self.clock = Deadlines(limits.tick)
        self.connections: set[Connection] = set()
        self._clients: Counter[str] = Counter()
        self._seldom = Seldom()
        self._tasks: set[asyncio.Future[None]] = set()
        self._emptied = asyncio.Event()

    def __call__(self) -> Connection:
        """A protocol for one connection."""
        return Connection(self)

    def admit(self, connection: Connection) -> bool:
        """Whether there is room for one more connection, and its client may have it."""
        if 0 < self.limits.together <= len(self.connections) and not self._make_room():
            self.warn("connections_exhausted", connections=self.limits.together)
            return False
        if not self.count(connection):
            return False
        self.connections.add(connection)
        self.clock.watch(connection)
        return True

    def count(self, connection: Connection) -> bool:
        """Count it for its client, as soon as it is known who that is; whether that may have one more."""
        client = self._counted(connection.peer)
        if client:
            if 0 < self.limits.per_client <= self._clients[client]:
                self.warn("too_many_connections", client=client, limit=self.limits.per_client)
                return False
            self._clients[client] += 1
        connection.counted = client
        return True

    def _make_room(self) -> bool:
        """End idle connections of whoever has most of them, those that rest longest first; whether there was one.

        An eighth of all at a time, so that a flood of new ones does not mean a look at all of them for each.
        """
        idle: dict[str, list[Connection]] = {}
        for connection in self.connections:
            if connection.idle:
                idle.setdefault(connection.peer, []).append(connection)
        if not idle:
            return False
        most = max(idle.values(), key=len)
        most.sort(key=lambda each: each.resting_since)
        for connection in most[: max(1, self.limits.together // 8)]:
            connection.close()
            self.left(connection)  # its end is told only after the newcomer's beginning
        self.warn("idle_connections_closed", client=most[0].peer, connections=self.limits.together)
        return True

    def warn(self, event: str, **what: object) -> None:
        """A line in the log, once a second for each ``event`` of a closed set."""
        if times := self._seldom.due(event):
            _log.warning(event, **what, times=times)

    def _counted(self, peer: str) -> str:
        """The client's address, of IPv6 the part that one client has to itself; empty where they are not counted."""
        if not peer or is_trusted(peer, self.limits.proxies):
            return ""
        if peer == UNKNOWN:
            return peer
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
