"""A WebSocket load generator: N connections, each sends 64 bytes and waits for their echo. Prints one JSON line.

``python -m tests.bench.echo_load PORT CONNECTIONS SECONDS [NAME=VALUE …]``; the pairs are header lines. With
``--hold`` it only opens the connections, prints ``open``, and keeps them until its input ends.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time

import uvloop

from tests.bench.upstream import accept_of, unmask

PAYLOAD = bytes(range(64))
MASK = b"\x11\x22\x33\x44"
MESSAGE = b"\x82\xc0" + MASK + unmask(MASK, PAYLOAD)
ECHO = b"\x82\x40" + PAYLOAD
PATIENCE = 5.0
"""Seconds beyond the load's time to wait for the first echo."""
KEY = base64.b64encode(b"0123456789abcdef")


class Client(asyncio.Protocol):
    """One connection; ``opened`` is done after the handshake, ``taken`` has the seconds of each round trip."""

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.buffer = b""
        self.taken: list[float] = []
        self.running = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.head)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.opened.done():
            self._handshake()
        elif len(self.buffer) >= len(ECHO):
            if self.buffer != ECHO:
                self.fail(f"not the echo: {self.buffer[:80]!r}")
                return
            self.buffer = b""
            self.taken.append(time.perf_counter() - self.sent)
            self.send()

    def _handshake(self) -> None:
        if b"\r\n\r\n" not in self.buffer:
            return
        if not self.buffer.startswith(b"HTTP/1.1 101") or accept_of(KEY) not in self.buffer:
            self.fail(f"no handshake: {self.buffer[:300]!r}")
            return
        self.buffer = b""
        self.opened.set_result(None)

    def send(self) -> None:
        if self.running:
            self.sent = time.perf_counter()
            self.transport.write(MESSAGE)

    def fail(self, why: str) -> None:
        error = RuntimeError(why)
        for future in (self.opened, self.closed):
            if not future.done():
                future.set_exception(error)
        self.transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        if self.running or not self.opened.done():
            self.fail("the connection was closed")
        elif not self.closed.done():
            self.closed.set_result(None)


async def connect(port: int, connections: int, headers: dict[str, str]) -> list[Client]:
    lines = {
        "Host": f"localhost:{port}", "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY.decode(), **headers,
    }  # fmt: skip
    head = "GET /live/ws HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    loop, clients = asyncio.get_running_loop(), []
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: Client(head.encode() + b"\r\n"), "127.0.0.1", port)
        await asyncio.wait_for(client.opened, 10)
        clients.append(client)
    return clients


async def load(port: int, connections: int, seconds: float, headers: dict[str, str]) -> None:
    clients = await connect(port, connections, headers)
    began = time.perf_counter()
    for client in clients:
        client.running = True
        client.send()
    until = began + seconds
    while time.perf_counter() < until or not any(client.taken for client in clients):
        left = max(0.01, until - time.perf_counter())
        closed = [client.closed for client in clients]
        done, _ = await asyncio.wait(closed, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        for future in done:
            future.result()
        if time.perf_counter() > until + PATIENCE:
            raise TimeoutError("no echo came back")
    took = time.perf_counter() - began
    for client in clients:
        client.running = False
    await asyncio.sleep(0.05)
    taken = sorted(value for client in clients for value in client.taken)
    print(json.dumps({
        "requests": len(taken), "seconds": took, "bad": 0, "errors": 0,
        "p50": taken[len(taken) // 2] * 1e6, "p99": taken[len(taken) * 99 // 100] * 1e6,
    }))  # fmt: skip
    for client in clients:
        client.transport.abort()


async def hold(port: int, connections: int, headers: dict[str, str]) -> None:
    clients = await connect(port, connections, headers)
    print("open", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for client in clients:
        client.transport.abort()


def main() -> None:
    given = [part for part in sys.argv[1:] if part != "--hold"]
    port, connections, seconds = int(given[0]), int(given[1]), float(given[2])
    headers = dict(pair.split("=", 1) for pair in given[3:])
    if "--hold" in sys.argv:
        uvloop.run(hold(port, connections, headers))
    else:
        uvloop.run(load(port, connections, seconds, headers))


if __name__ == "__main__":
    main()
