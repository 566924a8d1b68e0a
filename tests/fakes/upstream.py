"""An upstream that sends exactly the bytes it is told to, when it is told to, and remembers what it was sent.

A script is a coroutine function that gets one :class:`Call` for each request head and answers with raw bytes.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass
class Call:
    """One request as it came over the wire."""

    head: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    connection: int
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    frames: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def request_line(self) -> bytes:
        return self.head.split(b"\r\n", 1)[0]

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        lines = self.head.split(b"\r\n\r\n", 1)[0].split(b"\r\n")[1:]
        return [(name, value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines)]

    def values(self, name: bytes) -> list[bytes]:
        """All values of one header, by any spelling."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    async def body(self) -> bytes:
        """The request's body, unchunked."""
        if self.values(b"transfer-encoding") == [b"chunked"]:
            return b"".join([chunk async for chunk in self.chunks()])
        length = self.values(b"content-length")
        return await self.reader.readexactly(int(length[0])) if length else b""

    async def chunks(self):
        """The chunks of a chunked body, one by one; trailers are left in ``trailers``."""
        while size := int((await self.reader.readline()).split(b";")[0], 16):
            yield await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        self.trailers = b""
        while (line := await self.reader.readline()) not in {b"\r\n", b""}:
            self.trailers += line

    async def send(self, *pieces: bytes, pause: float = 0.0) -> None:
        """Send pieces, each in a segment of its own when there is a pause between them."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            if pause:
                await asyncio.sleep(pause)

    async def client_gone(self) -> None:
        """Wait until the other side has closed."""
        try:
            while await self.reader.read(65_536):
                pass
        except ConnectionError:
            pass
        self.ended.set()

    def reset(self) -> None:
        """Break the connection."""
        self.writer.transport.abort()


Script = Callable[[Call], Awaitable[object]]


def reply(body: bytes = b"hello", *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole response with a Content-Length."""
    lines = (b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def always(*pieces: bytes, pause: float = 0.0) -> Script:
    """A script that answers every request with the same pieces."""

    async def script(call: Call) -> None:
        await call.body()
        await call.send(*pieces, pause=pause)

    return script


class FakeUpstream:
    """A raw server on loopback, or on a Unix socket."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.calls: list[Call] = []
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, path: str | None = None, *, port: int = 0) -> FakeUpstream:
        if path is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        else:
            self._server = await asyncio.start_unix_server(self._serve, path)
        return self

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        number = self.connections
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                call = Call(head, reader, writer, number)
                self.calls.append(call)
                if await self.script(call) == "close":
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()


def accept_key(key: bytes) -> bytes:
    """Sec-WebSocket-Accept for a key (RFC 6455 §4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + _GUID).digest())


async def websocket_echo(call: Call) -> str:
    """A script: accept a WebSocket and echo every frame's payload, unmasked; keeps what it read in ``call.frames``."""
    key = call.values(b"sec-websocket-key")[0]
    await call.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_key(key) + b"\r\n\r\n"
    )
    try:
        while True:
            opcode, payload = await read_frame(call.reader)
            call.frames.append((opcode, payload))
            call.writer.write(frame(opcode, payload))
            if opcode == 8:
                return "close"
    except (asyncio.IncompleteReadError, ConnectionError):
        call.ended.set()
        return "close"


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Opcode and unmasked payload of one frame."""
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size > 125:
        size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8))
    mask = await reader.readexactly(4) if second & 0x80 else b"\0\0\0\0"
    payload = await reader.readexactly(size)
    return first & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def frame(opcode: int, payload: bytes, *, mask: bytes | None = None) -> bytes:
    """One final frame."""
    size = len(payload)
    short, extra = (
        (size, b"") if size < 126 else (126, size.to_bytes(2)) if size < 65_536 else (127, size.to_bytes(8))
    )
    head = bytes((0x80 | opcode, short | (0x80 if mask else 0))) + extra
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
