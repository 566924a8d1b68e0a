"""The benchmark's upstream and its WebSocket generator, against each other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from tests.bench.echo_load import load
from tests.bench.upstream import Upstream


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    "framed",
    [
        b"Content-Length: 10\r\n\r\n0123456789",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6;x=y\r\n456789\r\n0\r\n\r\n",
    ],
)
async def test_an_upload_is_answered_with_its_size_however_it_is_cut(port: int, framed: bytes) -> None:
    """Twice on one connection, byte by byte the first time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = b"POST /live/upload HTTP/1.1\r\nHost: x\r\n" + framed
    for pieces in ([bytes([each]) for each in request], [request]):
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert await reader.readexactly(2) == b"10"
    writer.close()
    await writer.wait_closed()


async def test_messages_are_echoed_and_counted(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The generator checks every echo, and reports how many came back."""
    await load(port, 2, 0.2, {})
    seen = json.loads(capsys.readouterr().out)
    assert seen["requests"] > 2
    assert seen["p50"] <= seen["p99"]
