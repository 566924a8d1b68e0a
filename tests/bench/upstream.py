"""The upstream for what nginx cannot be: it swallows uploads and echoes WebSocket messages. ``python -m … PORT``.

A bare protocol without a framework, so that it costs the load core as little as possible.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import sys

import uvloop

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_KEY = re.compile(rb"\r\nsec-websocket-key: *(\S+)", re.IGNORECASE)


def accept_of(key: bytes) -> bytes:
    """The Sec-WebSocket-Accept that belongs to a key (RFC 6455 §4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


def unmask(mask: bytes, data: bytes) -> bytes:
    """Masked and unmasked payload are the same operation (RFC 6455 §5.3)."""
    key = int.from_bytes((mask * (len(data) // 4 + 1))[: len(data)], "big")
    return (int.from_bytes(data, "big") ^ key).to_bytes(len(data), "big")


class Upstream(asyncio.Protocol):
    """One connection: requests with a body are answered with its size, a handshake turns it into an echo."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.left = 0
        self.size = 0
        self.chunked = False
        self.tail = b""
        self.step = self.head

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.step(data)

    def head(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head, rest = bytes(self.buffer[: end + 2]), bytes(self.buffer[end + 4 :])
        self.buffer.clear()
        if key := _KEY.search(head):
            self.transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept_of(key[1]) + b"\r\n\r\n"
            )
            self.step = self.frames
            self.frames(rest)
            return
        length = _LENGTH.search(head)
        self.chunked, self.size, self.tail = bool(_CHUNKED.search(head)), 0, b""
        self.left = int(length[1]) if length else 0
        self.step = self.chunks if self.chunked else self.body
        self.step(rest)

    def body(self, data: bytes) -> None:
        self.size += len(data)
        if self.size >= self.left:
            self.answer()

    def chunks(self, data: bytes) -> None:
        """Chunked bodies are counted by frame; a proxy may cut them as it likes."""
        self.buffer += data
        while True:
            end = self.buffer.find(b"\r\n")
            if end < 0:
                return
            size = int(self.buffer[:end].split(b";")[0], 16)
            if len(self.buffer) < end + 2 + size + 2:
                return
            del self.buffer[: end + 2 + size + 2]
            self.size += size
            if size == 0:
                self.answer()
                return

    def answer(self) -> None:
        text = b"%d" % self.size
        self.step = self.head
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)
        )

    def frames(self, data: bytes) -> None:
        """Masked messages of at most 125 bytes come back unmasked; a Close is answered."""
        self.buffer += data
        while len(self.buffer) >= 6:
            opcode, size = self.buffer[0] & 15, self.buffer[1] & 127
            if len(self.buffer) < 6 + size:
                return
            mask, payload = bytes(self.buffer[2:6]), bytes(self.buffer[6 : 6 + size])
            del self.buffer[: 6 + size]
            self.transport.write(bytes((0x80 | opcode, size)) + unmask(mask, payload))
            if opcode == 8:
                self.transport.close()
                return


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
