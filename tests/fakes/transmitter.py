"""A transmitter of shared signals that events are fetched from (RFC 8936): it repeats what was not acknowledged, holds
its answers back when asked to, and loses connections and answers to order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import web

from tests.fakes.patience import PATIENCE

TOKEN = "the-transmitter-s-token"
HELD = PATIENCE / 2
"""Seconds for which an answer is held back while there is nothing, so that a question is under way nearly always."""


class Transmitter:
    """See the module.

    :ivar waiting: tokens by their id, until they are acknowledged or refused. :ivar acknowledged: ids, in order.
    :ivar refused: id -> what was wrong. :ivar asked: every question. :ivar troubles: what to do to the next ones: a
        status, or ``cut`` before anything is noted, or ``lose`` the answer after it was.
    """

    def __init__(self) -> None:
        self.waiting: dict[str, str] = {}
        self.acknowledged: list[str] = []
        self.refused: dict[str, Any] = {}
        self.asked: list[dict[str, Any]] = []
        self.troubles: list[int | str] = []
        self.token = TOKEN
        self.most = 100
        self.address = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One question."""
        trouble = self.troubles.pop(0) if self.troubles else None
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.Response(status=401)
        if isinstance(trouble, int):
            return web.Response(status=trouble)
        asked = await request.json()
        assert request.transport is not None
        if trouble == "cut":
            request.transport.abort()
            return web.Response()
        self.asked.append(asked)
        for name in asked["ack"]:
            self.acknowledged.append(name)
            self.waiting.pop(name, None)
        for name, why in asked.get("setErrs", {}).items():
            self.refused[name] = why
            self.waiting.pop(name, None)
        if trouble == "lose":
            request.transport.abort()
            return web.Response()
        if not asked["returnImmediately"]:
            await self._something()
        given = dict(list(self.waiting.items())[: min(self.most, asked["maxEvents"])])
        return web.json_response({"sets": given, "moreAvailable": len(given) < len(self.waiting)})

    async def _something(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(HELD):
                while not self.waiting:
                    await asyncio.sleep(0.01)


@asynccontextmanager
async def transmitting() -> AsyncIterator[Transmitter]:
    """One that listens on loopback; ``address`` is where."""
    transmitter = Transmitter()
    app = web.Application()
    app.router.add_post("/poll", transmitter.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    transmitter.address = f"http://127.0.0.1:{port}/poll"
    try:
        yield transmitter
    finally:
        await runner.cleanup()
