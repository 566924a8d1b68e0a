"""A load balancer that looks at connections and not at requests: each new one goes on to the next replica."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

EVENTS = "/oauth2/events"
_METHODS = (b"GET ", b"POST ")


@dataclass(eq=False)
class Passage:
    """A connection of a browser.

    :ivar at: the replica it goes to. :ivar asked: the paths it was asked for so far, the last of them under way or done.
    """

    at: int
    writer: asyncio.StreamWriter
    asked: list[str] = field(default_factory=list)

    @property
    def last(self) -> str:
        return self.asked[-1] if self.asked else ""


class Balancer:
    """Where browsers come to.

    :ivar passages: all connections that were ever made, :attr:`here` those that are still open.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._next = cycle(range(len(ports)))
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.passages: list[Passage] = []
        self.here: list[Passage] = []

    async def start(self, port: int) -> None:
        self._server = await asyncio.start_server(self._taken, "127.0.0.1", port)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def lead_to(self, *replicas: int) -> None:
        """New connections go to these in turn, and kept ones that are not event streams end, as when one is taken out."""
        self._next = cycle(replicas)
        for passage in self.here:
            if passage.last != EVENTS:
                passage.writer.close()

    def streams(self) -> list[Passage]:
        """The open connections whose last request was for the event stream."""
        return [passage for passage in self.here if passage.last == EVENTS]

    def asked(self, path: str) -> set[int]:
        """The replicas that were asked for ``path``."""
        return {passage.at for passage in self.passages if path in passage.asked}

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        passage = Passage(next(self._next), writer)
        self.passages.append(passage)
        self.here.append(passage)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._carried(passage, reader)
        finally:
            self.here.remove(passage)
            writer.close()

    async def _carried(self, passage: Passage, reader: asyncio.StreamReader) -> None:
        """Both ways, until either side ends."""
        answers, onward = await asyncio.open_connection("127.0.0.1", self._ports[passage.at])
        ways = [
            asyncio.create_task(_pumped(reader, onward, passage)),
            asyncio.create_task(_pumped(answers, passage.writer, None)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            onward.close()


async def _pumped(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passage: Passage | None
) -> None:
    """What is read is written. A browser sends a request only when it has the answer to the one before."""
    while data := await reader.read(65_536):
        if passage is not None and data.startswith(_METHODS):
            passage.asked.append(data.split(b" ", 2)[1].decode())
        writer.write(data)
        await writer.drain()
