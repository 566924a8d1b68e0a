"""A listener on loopback with an answer for every request, and clients that end or read as a test needs it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

from gateway.core.errors import DownstreamError
from gateway.web.door.connections import Listener
from gateway.web.door.limits import DoorLimits
from gateway.web.messages import Answer, Request, Response, Sent
from tests.fakes.door import Client, eventually, listener

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
MUCH = 8_000_000
"""More than the buffers of both kernels hold."""


class Stand:
    """A listener and clients of it. ``asked``: targets of the requests that were begun."""

    def __init__(self, doors: Listener, server: asyncio.Server, asked: list[str]) -> None:
        # Accepted sockets inherit it: what a client takes is seen soon.
        server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        self.doors = doors
        self.asked = asked
        self.clients: list[Client] = []
        self.slow: list[Slow] = []
        self._server = server

    async def client(self, **options: Any) -> Client:
        host, port = self._server.sockets[0].getsockname()
        client = Client(*await asyncio.open_connection(host, port, **options))
        self.clients.append(client)
        return client

    async def close(self) -> None:
        for client in self.clients:
            client.writer.transport.abort()
        for slow in self.slow:
            slow.sock.close()
        self._server.close()
        await self.doors.shutdown(0.1)

    async def empty(self) -> None:
        """Wait until all connections have ended."""
        await eventually(lambda: not self.doors.connections)


@contextlib.asynccontextmanager
async def standing(
    answer: Callable[[Request], Answer], tls: ssl.SSLContext | None = None, **limits: float
) -> AsyncIterator[Stand]:
    asked: list[str] = []

    def noted(request: Request) -> Answer:
        asked.append(request.target)
        return answer(request)

    doors = listener(noted, DoorLimits(1_000, 0, **limits))  # type: ignore[arg-type]  # fields of the limits
    stand = Stand(
        doors, await asyncio.get_running_loop().create_server(doors, "127.0.0.1", 0, ssl=tls), asked
    )
    try:
        yield stand
    finally:
        await stand.close()


def at_once(request: Request) -> Answer:
    return Response(body=request.target.encode())


async def later(request: Request) -> Answer:
    await asyncio.sleep(0.02)
    return Response(body=request.target.encode())


async def wholly(request: Request) -> Answer:
    """Reads the body and tells its size."""
    size = 0
    try:
        while request.body is not None and (piece := await request.body.read()):
            size += len(piece)
    except DownstreamError as error:
        return Response(400, body=error.code.encode(), close=True)
    return Response(body=b"%d" % size)


def much(request: Request) -> Answer:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % MUCH
    return Sent(200, head + b"a" * MUCH, close=True)


class Slow:
    """A client that takes little at a time."""

    def __init__(self, stand: Stand) -> None:
        self._address = stand._server.sockets[0].getsockname()
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
        self.sock.setblocking(False)
        self.taken = 0
        stand.slow.append(self)

    async def ask(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.sock, self._address)
        await loop.sock_sendall(self.sock, GET)

    async def take(self, size: int = 65_536) -> int:
        got = len(await asyncio.get_running_loop().sock_recv(self.sock, size))
        self.taken += got
        return got
