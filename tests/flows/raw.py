"""Requests as bytes: what no client library would send."""

from __future__ import annotations

import asyncio

from tests.fakes.door import Response
from tests.fakes.patience import PATIENCE
from tests.flows.conftest import Stand


async def exchange(stand: Stand, data: bytes, *, answers: int = 1) -> list[Response]:
    """What the gateway answers to ``data`` on a connection of its own: so many responses, then what else comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
    try:
        writer.write(data)
        found = [await asyncio.wait_for(_response(reader, data), PATIENCE) for _ in range(answers)]
    finally:
        writer.close()
    return found


async def until_closed(stand: Stand, data: bytes) -> bytes:
    """Every byte that the gateway sends before it closes the connection by itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
    try:
        writer.write(data)
        return await asyncio.wait_for(reader.read(), PATIENCE)
    finally:
        writer.close()


def request(
    stand: Stand, line: str = "GET /api/me HTTP/1.1", *headers: str, host: str = "", body: bytes = b""
) -> bytes:
    """A request with the right Host, or with ``host``; nothing is checked or added."""
    lines = (line, f"Host: {host or stand.app.removeprefix('http://')}", *headers, "", "")
    return "\r\n".join(lines).encode("latin-1") + body


async def _response(reader: asyncio.StreamReader, asked: bytes) -> Response:
    found = Response(await reader.readuntil(b"\r\n\r\n"))
    length = found.value(b"content-length")
    if length is not None and not asked.startswith(b"HEAD "):
        found.body = await reader.readexactly(int(length))
    return found
