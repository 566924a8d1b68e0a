"""The client's side of a WebSocket tunnel.

After an upgrade aiohttp's connection hands every byte to the object given to ``set_parser`` and tells it of the end of
the connection; that is how aiohttp's own WebSocket reader is attached, and a test pins it.
"""

from __future__ import annotations

from typing import cast

from aiohttp import web
from aiohttp.http import WebSocketReader

from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.live import WEBSOCKET
from gateway.proxy.tunnel import Tunnel
from gateway.web.downstream import ClientSide


class ClientPipe:
    """What aiohttp feeds after an upgrade."""

    __slots__ = ("_tunnel",)

    def __init__(self, tunnel: Tunnel) -> None:
        self._tunnel = tunnel

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Bytes from the client; False: go on."""
        self._tunnel.from_client(data)
        return False, b""

    def feed_eof(self) -> None:
        """The client has gone."""
        self._tunnel.client_lost()

    def set_exception(self, exc: BaseException) -> None:
        """The connection broke."""
        self._tunnel.client_lost()


async def run_tunnel(
    request: web.BaseRequest, client: ClientSide, connection: UpstreamConnection, head: bytes, rest: bytes
) -> None:
    """Answer the handshake and forward until either side, or the session, ends.

    :param head: the 101 for the client. :param rest: what the upstream sent behind its own.
    """
    if client.gone:
        connection.abort()
        return
    tunnel = Tunnel(client, connection)
    connection.pass_to(tunnel)
    client.write(head)
    alive = client.register(tunnel.end, kind=WEBSOCKET, leave=tunnel.leave)
    request.protocol.set_parser(cast("WebSocketReader", ClientPipe(tunnel)))
    if rest:
        tunnel.received(rest)
    connection.transport.resume_reading()
    if not alive:
        tunnel.end("session ended")
    try:
        while not tunnel.over:
            await tunnel.changed()
            if tunnel.client_blocked and not tunnel.over:
                await request.writer.drain()
                tunnel.client_unblocked()
    finally:
        tunnel.cut()
