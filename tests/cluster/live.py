"""Live connections as bytes on a socket, which say when and how they were ended."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Sequence
from typing import Self

from tests.fakes.patience import PATIENCE

PATHS = {"websocket": "/api/live", "events": "/oauth2/events"}
GREETING = {"websocket": b"\r\n\r\n", "events": b"data: {}\n\n"}
ENDED = (4401).to_bytes(2)
LOGGED_OUT = b"event: logged-out\ndata: {}\n\n"
_KEY = base64.b64encode(b"0123456789abcdef").decode()
_UPGRADE = (
    "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {_KEY}",
)  # fmt: skip


def asking(host: str, path: str, cookie: str = "", *lines: str, method: str = "GET") -> bytes:
    """A request of a page of this very origin."""
    fields = [f"Host: {host}", "Sec-Fetch-Site: same-origin", f"Origin: http://{host}", *lines]
    fields += [f"Cookie: {cookie}"] if cookie else []
    return "\r\n".join([f"{method} {path} HTTP/1.1", *fields, "", ""]).encode()


async def fetch(
    port: int, path: str, host: str, cookie: str = "", *, within: float = PATIENCE
) -> tuple[int, bytes]:
    """Status and body.

    :raises OSError: nobody listens there. Raises EOFError when there is no answer.
    """
    async with asyncio.timeout(within):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(asking(host, path, cookie, "Connection: close"))
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
    if not head:
        raise EOFError("no answer")
    return int(head[9:12]), body


class Live(asyncio.Protocol):
    """A WebSocket or an event stream.

    :ivar said: everything that came after the greeting. :ivar ended: done, with the time, when it is told of the end of
        its session, or when the connection is closed. :ivar status: of the answer.
    """

    def __init__(self, request: bytes, kind: str) -> None:
        loop = asyncio.get_running_loop()
        self.kind = kind
        self.said = b""
        self.status = 0
        self.opened: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[float] = loop.create_future()
        self._request = request

    @classmethod
    async def open(cls, port: int, host: str, cookie: str, kind: str = "websocket") -> Self:
        """Ask, and wait for the greeting; whoever is refused has another ``status`` than 101 and 200."""
        request = asking(host, PATHS[kind], cookie, *(_UPGRADE if kind == "websocket" else ()))
        loop = asyncio.get_running_loop()
        _, live = await loop.create_connection(lambda: cls(request, kind), "127.0.0.1", port)
        await asyncio.wait_for(live.opened, PATIENCE)
        return live

    @property
    def told(self) -> bool:
        """Whether it was told that its session has ended: 4401, or the last event."""
        if self.kind == "events":
            return self.said.endswith(LOGGED_OUT)
        return self.said[:1] == b"\x88" and self.said[2:4] == ENDED

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP makes transports that write
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self.said += data
        if not self.opened.done():
            head, found, rest = self.said.partition(b"\r\n\r\n")
            if found and (status := int(head[9:12])) in {101, 200}:
                _, found, rest = self.said.partition(GREETING[self.kind])
            if not found:
                return
            self.status = status
            self.said = rest
            self.opened.set_result(None)
        if self.told and not self.ended.done():
            self.ended.set_result(time.perf_counter())

    def connection_lost(self, _: Exception | None) -> None:
        for future in (self.opened, self.ended):
            if not future.done():
                future.set_result(time.perf_counter())  # type: ignore[arg-type]  # both only wake whoever waits

    def close(self) -> None:
        self.transport.abort()


async def all_told(lives: Sequence[Live], within: float = PATIENCE) -> None:
    """Wait until each hears 4401 or the last event; none may be merely cut off."""
    await asyncio.wait_for(asyncio.gather(*(live.ended for live in lives)), within)
    assert [live.told for live in lives] == [True] * len(lives)
    for live in lives:
        live.close()
