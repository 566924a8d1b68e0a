"""A relay in front of the gateway that writes down what a browser asks it for and what it answers."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_METHODS = (b"GET ", b"POST ", b"HEAD ")


@dataclass
class Exchange:
    """A request and its answer.

    :ivar cookies: names that came with the request. :ivar status: 0 until there is an answer. :ivar fields: of the answer.
    """

    method: str
    target: str
    cookies: list[str]
    status: int = 0
    fields: list[tuple[str, str]] = field(default_factory=list)

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def location(self) -> str:
        return self.field("location")

    def field(self, name: str) -> str:
        """The first value of a header of the answer; ``name`` is lower-case. Empty when there is none."""
        return next((value for key, value in self.fields if key == name), "")

    @property
    def set_cookies(self) -> list[str]:
        return [value for name, value in self.fields if name == "set-cookie"]


class Wiretap:
    """Listens on a port and passes everything on; :attr:`heard` is in the order of the requests."""

    def __init__(self) -> None:
        self.heard: list[Exchange] = []
        self._onward = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> None:
        self._server = await asyncio.start_server(self._taken, "127.0.0.1", port)

    def lead_to(self, port: int) -> None:
        """Where the gateway itself listens."""
        self._onward = port

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            answers, onward = await asyncio.open_connection("127.0.0.1", self._onward)
            under_way: list[Exchange] = []
            ways = [
                asyncio.create_task(self._asking(reader, onward, under_way)),
                asyncio.create_task(_answering(answers, writer, under_way)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                onward.close()
        writer.close()

    async def _asking(
        self, reader: asyncio.StreamReader, onward: asyncio.StreamWriter, under_way: list[Exchange]
    ) -> None:
        while data := await reader.read(65_536):
            if data.startswith(_METHODS):
                data = await _whole_head(data, reader)
                line, fields = _head(data)
                sent = next((value for name, value in fields if name == "cookie"), "")
                names = [pair.partition("=")[0] for pair in sent.split("; ")] if sent else []
                method, target, _ = line.split(" ", 2)
                under_way[:] = [Exchange(method, target, names)]
                self.heard += under_way
            onward.write(data)
            await onward.drain()


async def _answering(
    answers: asyncio.StreamReader, writer: asyncio.StreamWriter, under_way: list[Exchange]
) -> None:
    """A browser asks again only when it has the whole answer, so an answer's head begins what is read then."""
    while data := await answers.read(65_536):
        if under_way and data.startswith(b"HTTP/1.1 "):
            data = await _whole_head(data, answers)
            line, under_way[0].fields = _head(data)
            under_way[0].status = int(line.split(" ")[1])
            under_way.clear()
        writer.write(data)
        await writer.drain()


async def _whole_head(data: bytes, reader: asyncio.StreamReader) -> bytes:
    """``data``, and what is missing of the head that begins with it: a segment may end anywhere."""
    while b"\r\n\r\n" not in data and (more := await reader.read(65_536)):
        data += more
    return data


def _head(data: bytes) -> tuple[str, list[tuple[str, str]]]:
    """First line and fields, names in lower case."""
    line, *rest = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    fields = [each.partition(":") for each in rest]
    return line, [(name.lower(), value.strip()) for name, _, value in fields]
