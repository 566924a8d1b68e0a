"""RST, sent and received, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from gateway.web.door import resets
from tests.fakes.door import eventually


async def _pair() -> tuple[socket.socket, asyncio.Transport]:
    """A client's socket, and our transport to it."""
    accepted: asyncio.Future[asyncio.Transport] = asyncio.get_running_loop().create_future()

    class Quiet(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            transport.pause_reading()
            accepted.set_result(transport)

    server = await asyncio.get_running_loop().create_server(Quiet, "127.0.0.1", 0)
    client = socket.create_connection(server.sockets[0].getsockname())
    transport = await accepted
    server.close()
    return client, transport


async def test_whoever_is_sent_a_reset_sees_no_end() -> None:
    """But an error: what it got before cannot be taken for whole."""
    client, transport = await _pair()
    resets.send(transport)
    client.setblocking(False)
    with client, pytest.raises(ConnectionResetError):
        await asyncio.get_running_loop().sock_recv(client, 1)


async def test_a_reset_is_noticed_though_nobody_reads() -> None:
    """And only then."""
    client, transport = await _pair()
    assert not resets.has_come(transport)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    await eventually(lambda: resets.has_come(transport))
    transport.abort()
