"""The WebSocket server that the suite examines: aiohttp's, which compresses when it is asked to, as an echo."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import WSMsgType, web


async def _echo(request: web.Request) -> web.WebSocketResponse:
    sock = web.WebSocketResponse(max_msg_size=0)
    await sock.prepare(request)
    async for message in sock:
        if message.type is WSMsgType.TEXT:
            await sock.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await sock.send_bytes(message.data)
    return sock


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """The server; its port."""
    app = web.Application()
    app.router.add_get("/", _echo)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
