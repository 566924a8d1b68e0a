"""Connections to one upstream: reused last-in-first-out, limited in number, with a bounded queue behind the limit.

One that the upstream has authenticated (NTLM, Negotiate) serves the client connection it belongs to, and ends with it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable

from gateway.core.errors import UpstreamError
from gateway.proxy.address import Address
from gateway.proxy.connection import Belonging, Holder, UpstreamConnection

FRESH_SECONDS = 1.0
"""A request that may not be sent twice takes no connection that was free for longer: less than any server keeps one."""


class Pool:
    """All connections to one address.

    :param limit: connections open at once; those taken over by event streams and tunnels no longer count.
    :param queue: requests that may wait when the limit is reached.
    :param keep_alive: seconds that a free connection is kept.
    """

    def __init__(self, address: Address, *, limit: int, queue: int, keep_alive: float) -> None:
        self.address = address
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._queue = queue
        self._keep_alive = keep_alive
        self._open: set[UpstreamConnection] = set()
        self._connecting = 0
        self._idle: list[UpstreamConnection] = []
        self._held: dict[Holder, UpstreamConnection] = {}
        self._waiting: deque[asyncio.Future[UpstreamConnection | None]] = deque()
        self._pruning: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def size(self) -> int:
        """Connections open for exchanges, busy and free."""
        return len(self._open)

    def take(
        self, *, replayable: bool, belonging: Callable[[], Belonging] | None = None
    ) -> UpstreamConnection | None:
        """A free connection, or None.

        :param replayable: the request may be sent again should the connection turn out to be stale.
        :param belonging: whom it is for, who gets the one that belongs to it, if there is one.
        """
        if self._held and belonging is not None:
            mine = belonging()
            if (held := self._held.pop(mine[0], None)) is not None:
                if held.belongs == mine and held.usable:
                    return held
                held.abort()
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and (
                replayable or self._loop.time() - connection.idle_since < FRESH_SECONDS
            ):
                return connection
            connection.abort()
        return None

    async def connect(self, timeout: float) -> UpstreamConnection:
        """A new connection, or one that became free while waiting for the limit.

        :param timeout: seconds, for waiting and connecting together.
        :raises UpstreamError: ``connect_failed``, ``connect_timeout``, ``tls_failed``, ``upstream_busy``.
        """
        waiting = False
        try:
            async with asyncio.timeout(timeout):
                while self._full:
                    if self._make_room():
                        continue
                    waiting = True
                    connection = await self._wait()
                    if connection is None:
                        break  # there is room, and it has been kept for us
                    if connection.usable:
                        return connection
                    connection.abort()
                else:
                    self._connecting += 1
                waiting = False
                return await self._open_one()
        except TimeoutError:
            if waiting:
                raise _busy() from None
            raise UpstreamError(
                "connect_timeout", f"{self.address} did not accept a connection within {timeout:g} s."
            ) from None
        except OSError as error:
            code = "tls_failed" if isinstance(error, ssl.SSLError) else "connect_failed"
            raise UpstreamError(code, f"{self.address}: {_cause(error)}.") from error

    def released(self, connection: UpstreamConnection) -> None:
        """A connection became free: the next in the queue gets it, else it is kept for a while."""
        if connection.belongs is not None:
            self._hold(connection, *connection.belongs)
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        connection.idle_since = self._loop.time()
        self._idle.append(connection)
        if self._pruning is None:
            self._pruning = self._loop.call_later(self._keep_alive, self._prune)

    def gone(self, connection: UpstreamConnection) -> None:
        """A connection ended or was taken over: there is room for another."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        elif connection.belongs is not None and self._held.get(connection.belongs[0]) is connection:
            del self._held[connection.belongs[0]]
        self._invite()

    def left(self, holder: Holder) -> None:
        """A client has gone: what belongs to it ends."""
        if (held := self._held.pop(holder, None)) is not None:
            held.abort()

    def _hold(self, connection: UpstreamConnection, holder: Holder, whose: str | None) -> None:
        if whose is None or holder.gone:
            connection.abort()
            return
        holder.pools |= {self}
        self._held[holder] = connection
        if self._waiting:
            self._make_room()

    def _make_room(self) -> bool:
        """End the connection that has been held unused for longest: its client can authenticate another one."""
        oldest = next(iter(self._held.values()), None)
        if oldest is not None:
            oldest.abort()
        return oldest is not None

    async def close(self) -> None:
        """Close every connection."""
        self._closed = True
        if self._pruning is not None:
            self._pruning.cancel()
        for connection in tuple(self._open):
            connection.abort()

    @property
    def _full(self) -> bool:
        return len(self._open) + self._connecting >= self._limit

    async def _open_one(self) -> UpstreamConnection:
        try:
            connection = await self.address.connect(lambda: UpstreamConnection(self))
        except BaseException:
            self._connecting -= 1
            self._invite()
            raise
        self._connecting -= 1
        if self._closed or connection.transport.is_closing():
            connection.abort()
            self._invite()
            raise ConnectionResetError("closed while connecting")
        self._open.add(connection)
        return connection

    async def _wait(self) -> UpstreamConnection | None:
        if len(self._waiting) >= self._queue:
            raise _busy()
        waiter: asyncio.Future[UpstreamConnection | None] = self._loop.create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            self._give_back(waiter)
            raise

    def _give_back(self, waiter: asyncio.Future[UpstreamConnection | None]) -> None:
        """Cancelled after it was served: what it was given goes to the next."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        if not waiter.done() or waiter.cancelled():
            return
        connection = waiter.result()
        if connection is None:
            self._connecting -= 1
            self._invite()
        elif connection.usable:
            self.released(connection)
        else:
            connection.abort()

    def _invite(self) -> None:
        """There may be room under the limit: it is kept for the next in the queue, ahead of whoever comes now."""
        while self._waiting and not self._full:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._connecting += 1
                waiter.set_result(None)

    def _prune(self) -> None:
        self._pruning = None
        oldest = self._loop.time() - self._keep_alive
        for connection in [each for each in self._idle if each.idle_since <= oldest]:
            connection.abort()
        if self._idle:
            self._pruning = self._loop.call_later(self._keep_alive, self._prune)


def _cause(error: OSError) -> str:
    """Why there is no connection, in the system's words or OpenSSL's."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate cannot be trusted: {error.verify_message.rstrip('.')}"
    return error.strerror or str(error) or type(error).__name__


def _busy() -> UpstreamError:
    return UpstreamError(
        "upstream_busy", "Too many requests are waiting for the application.", fix="Try again shortly."
    )
