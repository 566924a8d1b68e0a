"""A forward proxy that records what it is asked for, and may ask who it is, refuse, or say nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class ForwardProxy:
    """Connects to a port of this machine, whatever name it is asked for: that name need not exist.

    :ivar to: the port behind it. :ivar status: what it answers; 200 connects. :ivar silent: it answers nothing.
    :ivar asked: the first lines that came. :ivar told: the Proxy-Authorization headers.
    """

    to: int = 0
    status: str = "200 Connection established"
    silent: bool = False
    port: int = 0
    asked: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward: asyncio.StreamWriter | None = None
        try:
            line, *headers = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            self.asked.append(line)
            self.told += [
                each.partition(": ")[2] for each in headers if each.lower().startswith("proxy-auth")
            ]
            if self.silent:
                await reader.read()
                return
            writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: 0\r\n\r\n".encode())
            if not self.status.startswith("200"):
                return
            back, onward = await asyncio.open_connection("127.0.0.1", self.to)
            await asyncio.gather(_carry(reader, onward), _carry(back, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for each in (writer, onward):
                if each is not None:
                    each.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def forward_proxy(to: int) -> AsyncIterator[ForwardProxy]:
    """One that listens on a loopback port."""
    proxy = ForwardProxy(to)
    served: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        served.add(task)
        await proxy._serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)
