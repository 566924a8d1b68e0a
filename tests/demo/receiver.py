"""An application that takes what Okta sends, and keeps it as it came."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Taken:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: str

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def bearer(self) -> str:
        return self.headers["Authorization"].removeprefix("Bearer ")


@dataclass
class Receiver:
    """Answers everything with ``status`` and ``text``; ``app`` is its origin."""

    app: str = ""
    status: int = 204
    text: str = ""
    taken: list[Taken] = field(default_factory=list)
    close: Callable[[], Awaitable[None]] | None = None

    async def handle(self, request: web.Request) -> web.Response:
        body = (await request.read()).decode()
        self.taken.append(Taken(request.method, request.path, dict(request.headers), body))
        return web.Response(status=self.status, text=self.text)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    receiver.app = f"http://app.localhost:{port}"
    receiver.close = site.stop
    try:
        yield receiver
    finally:
        await runner.cleanup()
