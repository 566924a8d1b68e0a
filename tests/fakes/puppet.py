"""A web server that says what a test puts into its mouth, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web


@dataclass(frozen=True)
class Says:
    """One answer. ``raw``: bytes for the socket instead of a well-formed response."""

    status: int = 200
    body: str = ""
    kind: str = "text/html"
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    hangs: bool = False


Line = Says | Callable[[web.Request], Says]


def moved(location: str, status: int = 302) -> Says:
    return Says(status, headers={"Location": location})


@dataclass
class Puppet:
    """``lines``: path to answer; a path that is not in it is 404. ``asked``: the requests so far."""

    lines: dict[str, Line] = field(default_factory=dict)
    asked: list[web.Request] = field(default_factory=list)
    port: int = 0

    def origin(self, name: str = "idp") -> str:
        return f"http://{name}.localhost:{self.port}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        line = self.lines.get(request.path, Says(404, "no such page"))
        said = line if isinstance(line, Says) else line(request)
        if said.hangs:
            await asyncio.Event().wait()
        if said.raw is not None:
            assert request.transport is not None
            request.transport.write(said.raw)
            request.transport.close()
            return web.Response()
        return web.Response(
            status=said.status, text=said.body, content_type=said.kind, headers=said.headers or None
        )


@asynccontextmanager
async def puppet(*, socket: Path | None = None) -> AsyncIterator[Puppet]:
    """The server on a free port of loopback, or on a Unix socket."""
    made = Puppet()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.UnixSite(runner, str(socket)) if socket else web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    if socket is None:
        made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        await runner.cleanup()
