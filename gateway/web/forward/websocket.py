"""The client's side of a WebSocket tunnel."""

from __future__ import annotations

from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.deadlines import Deadlines
from gateway.proxy.live import WEBSOCKET
from gateway.proxy.tunnel import Tunnel
from gateway.web.forward.downstream import ForwardedClient
from gateway.web.messages import Request


async def run_tunnel(
    request: Request,
    client: ForwardedClient,
    connection: UpstreamConnection,
    head: bytes,
    rest: bytes,
    deadlines: Deadlines,
    idle: float,
) -> None:
    """Answer the handshake and forward until either side, or the session, ends.

    :param head: the 101 for the client. :param rest: what the upstream sent behind its own.
    :param idle: seconds for which nobody need say anything.
    """
    if client.gone:
        connection.abort()
        return
    tunnel = Tunnel(client, connection, deadlines, idle)
    connection.pass_to(tunnel)
    client.write(head)
    alive = client.register(tunnel.end, kind=WEBSOCKET, leave=tunnel.leave)
    request.connection.hand_over(tunnel)
    if rest:
        tunnel.received(rest)
    connection.transport.resume_reading()
    if not alive:
        tunnel.end("session ended")
    try:
        while not tunnel.over:
            await tunnel.changed()
            if tunnel.client_blocked and not tunnel.over:
                await client.drain()
                tunnel.client_unblocked()
    finally:
        tunnel.cut()
