"""Connections before they speak HTTP: a PROXY header where proxies send one, a TLS handshake where there is TLS.

They count from their first moment, for everybody together and, as soon as it is known who it is, for their client; and
they have a time for it. So nobody has connections by saying nothing in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import TYPE_CHECKING

from gateway.core.errors import DownstreamError
from gateway.core.http.addresses import is_trusted
from gateway.core.http.proxy_protocol import bytes_missing, proxied_client
from gateway.web.door.arrival import Arrival
from gateway.web.door.connection import Connection

if TYPE_CHECKING:
    from gateway.web.door.connections import Listener

_OURS = 86_400.0
"""Seconds for a handshake by the event loop's clock: the door's own, with its limit, comes first."""
_PAUSE = 0.1
"""Seconds until the next look at a socket from which nothing could be taken: no file is left for a connection."""


async def arrive(listener: Listener, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
    """Take a connection that was accepted on its way to its first request; end it where it does not get there."""
    task = asyncio.current_task()
    assert task is not None
    arrival, connection = Arrival(task), Connection(listener)
    try:
        peer: str = sock.getpeername()[0]
        if not listener.admit(connection.arriving(arrival, peer)):
            return
        if listener.limits.proxied and not await _proxied(listener, connection, sock, peer):
            return
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: connection, sock, ssl=tls, ssl_handshake_timeout=None if tls is None else _OURS
        )
    except OSError:  # gone again, or no TLS
        pass
    finally:
        if connection.transport is arrival:
            listener.left(connection)
            with contextlib.suppress(OSError):
                sock.close()


async def _proxied(listener: Listener, connection: Connection, sock: socket.socket, peer: str) -> bool:
    """Read the PROXY header; False: it may not come in."""
    if not is_trusted(peer, listener.limits.proxied):
        listener.warn("proxy_header_refused", client=peer, why="not in trusted_proxies")
        return False
    loop, header = asyncio.get_running_loop(), b""
    try:
        while missing := bytes_missing(header):
            data = await loop.sock_recv(sock, missing)
            if not data:
                return False
            header += data
        connection.peer = proxied_client(header) or peer
    except DownstreamError as error:
        listener.warn("proxy_header_refused", client=peer, why=error.detail)
        return False
    return listener.count(connection)


class Acceptor:
    """Takes connections from a listening socket as they come, those that begin with something else than HTTP."""

    def __init__(
        self, sock: socket.socket, listener: Listener, tls: ssl.SSLContext | None, most: int
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._listener = listener
        self._tls = tls
        self._most = most
        self._again: asyncio.TimerHandle | None = None
        self._listen()

    def _listen(self) -> None:
        self._again = None
        self._loop.add_reader(self._sock, self._take)

    def _take(self) -> None:
        if not accept_all(self._sock, self._listener, self._tls, self._most):
            self._loop.remove_reader(self._sock)
            self._again = self._loop.call_later(_PAUSE, self._listen)

    def close(self) -> None:
        """Take no more; the socket is closed."""
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()


def accept_all(
    sock: socket.socket, listener: Listener, tls: ssl.SSLContext | None, most: int
) -> list[asyncio.Future[None]]:
    """Begin with all connections that wait, ``most`` at a time."""
    accepting: list[asyncio.Future[None]] = []
    while len(accepting) < most:
        try:
            connection, _ = sock.accept()
        except OSError:  # BlockingIOError: there is no more
            break
        connection.setblocking(False)
        accepting.append(listener.keep(arrive(listener, connection, tls)))
    return accepting
