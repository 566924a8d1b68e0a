"""A way to a server that is far away: every byte takes its time, in each direction."""

from __future__ import annotations

import asyncio
import random
from typing import Self


class SlowWay:
    """A TCP proxy on loopback.

    :param port: of the server. :param round_trip: seconds from a question to its answer, besides the server's own.
    :param jitter: seconds that are added to each of the two ways at random, at most.
    :ivar connections: how many were opened.
    """

    def __init__(self, port: int, *, round_trip: float, jitter: float = 0.0) -> None:
        self.connections = 0
        self.round_trip = round_trip
        self._server_port = port
        self._jitter = jitter
        self._random = random.Random(1)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._listening = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port: int = self._listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there, back = await asyncio.open_connection("127.0.0.1", self._server_port)
        for source, target in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._carry(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """In order; bytes on their way do not wait for those before them to arrive."""
        on_their_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        arriving = asyncio.create_task(self._arrive(on_their_way, target))
        try:
            while data := await source.read(65_536):
                takes = self.round_trip / 2 + self._random.uniform(0, self._jitter)
                on_their_way.put_nowait((asyncio.get_running_loop().time() + takes, data))
            on_their_way.put_nowait((0.0, b""))
            await arriving
        except OSError:
            pass
        finally:
            arriving.cancel()
            target.close()

    async def _arrive(
        self, on_their_way: asyncio.Queue[tuple[float, bytes]], target: asyncio.StreamWriter
    ) -> None:
        while True:
            due, data = await on_their_way.get()
            if not data:
                return
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            target.write(data)
