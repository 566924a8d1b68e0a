"""A request as the door hands it on, and what can be answered to it: no more than the gateway needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from multidict import CIMultiDict

from gateway.core.clock import http_date
from gateway.core.http.facts import RequestFacts
from gateway.core.http.request_head import RequestHead

if TYPE_CHECKING:
    from gateway.proxy.connection import Keeper
    from gateway.web.body import Body


CLIENT_GONE = 499
"""A status for the books only: the client left before a response began (nginx's number)."""


_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


@dataclass(slots=True)
class Response:
    """An answer of our own, whole.

    :ivar close: the connection ends after it.
    :ivar lines: :meth:`first_lines`, where they were made before; then ``headers`` are not looked at.
    """

    status: int = 200
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    body: bytes = b""
    close: bool = False
    lines: bytes = b""

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body)

    def first_lines(self) -> bytes:
        """The part of its head that no request changes.

        :raises ValueError: a header line would end before its end.
        """
        text = "".join([f"{name}: {value}\r\n" for name, value in self.headers.items()])
        if not text.count("\n") == text.count("\r") == len(self.headers):
            raise ValueError("a line end in a header")
        length = "" if self.status == 204 else f"Content-Length: {len(self.body)}\r\n"
        return f"{_STATUS_LINES[self.status]}{text}{length}".encode()

    def wire(self, *, head_only: bool, http10: bool, close: bool) -> bytes:
        """Its bytes. Content-Length, Date, Server and Connection are written here and nowhere else.

        :raises ValueError: a header line would end before its end.
        """
        stays = b"Connection: close\r\n" if close else b"Connection: keep-alive\r\n" if http10 else b""
        return b"%bDate: %b\r\nServer: gateway\r\n%b\r\n%b" % (
            self.lines or self.first_lines(), http_date().encode(), stays, b"" if head_only else self.body,
        )  # fmt: skip


class Sent:
    """A response whose bytes are already made, or already gone.

    :ivar data: what is still to be sent; empty when all is gone. :ivar close: the connection ends after it.
    :ivar size: bytes sent, head included.
    """

    __slots__ = ("close", "data", "size", "status")

    def __init__(self, status: int, data: bytes, *, close: bool, size: int = 0) -> None:
        self.status = status
        self.data = data
        self.close = close
        self.size = size or len(data)


CompleteResponse = Response | Sent
Answer = CompleteResponse | Awaitable["Answer"] | None
"""At hand; to be awaited, which takes a task; or on its way already: then it is settled by whoever is forwarding it."""


class UpgradeReceiver(Protocol):
    """Who takes all bytes after an upgrade: a tunnel."""

    def from_client(self, data: bytes) -> None:
        """Bytes have come."""

    def client_ended(self) -> bool:
        """The client sends no more; False when there is nothing left to send to it either."""

    def client_lost(self) -> None:
        """The client has gone."""


class ClientConnection(Protocol):
    """The client's connection, for whoever answers.

    :ivar peer: its address. :ivar writing_paused: more than enough waits to be sent.
    :ivar pools: that keep a connection for it.
    """

    peer: str
    pools: frozenset[Keeper]
    writing_paused: bool
    transport: asyncio.Transport

    @property
    def closed(self) -> bool:
        """Nothing can be sent any more."""

    @property
    def gone(self) -> bool:
        """The client will read nothing any more."""

    def wait(self, answering: Awaitable[None]) -> None:
        """An answer takes a task."""

    def respond(self, request: Request, response: CompleteResponse) -> None:
        """Send a whole response."""

    def write(self, data: bytes) -> None:
        """Send bytes of a response."""

    def sends(self) -> None:
        """Something is being sent past :meth:`write`."""

    async def drain(self) -> None:
        """Until there is room for more."""

    def hand_over(self, receiver: UpgradeReceiver) -> None:
        """The connection is no HTTP any more."""

    def hold(self) -> None:
        """Read nothing more for the time being."""

    def go_on(self) -> None:
        """Read again."""

    def close(self) -> None:
        """End it when all is sent."""

    def abort(self) -> None:
        """End it at once."""

    def reset(self) -> None:
        """End it so that what was sent is seen to be broken."""


class Settling(Protocol):
    """Whoever gives the answers out: the door."""

    def settle(self, request: Request, answer: Answer | Exception) -> None:
        """See :meth:`Request.settle`."""


class Request:
    """One request.

    :ivar target: raw. :ivar peer: address of the connection. :ivar body: None where there is none.
    :ivar keep_alive: the client wants to go on after it.
    :ivar door: whom :meth:`settle` tells.
    :ivar gone: what to do when the client leaves. :ivar began: when it had been read, seconds.
    :ivar facts: None while it could not be understood.
    :ivar route: path of its upstream route, left with it by the gate, as is ``sid``; for the books.
    """

    __slots__ = (
        "began", "block", "body", "connection", "door", "facts", "gone", "head", "http10", "keep_alive", "method",
        "peer", "route", "sid", "target",
    )  # fmt: skip

    door: Settling

    def __init__(self, connection: ClientConnection, head: RequestHead, body: Body | None) -> None:
        block = head.block
        self.connection = connection
        self.head = head
        self.method = head.method
        self.target = head.target
        self.block = block
        self.http10 = head.http10
        self.body = body
        self.peer = connection.peer
        self.keep_alive = block.keep if head.http10 else not block.close
        self.gone: Callable[[], object] | None = None
        self.began = 0.0
        self.facts: RequestFacts | None = None
        self.route = "own"
        self.sid: str | None = None

    def settle(self, answer: Answer | Exception) -> None:
        """What the answer is, or the error there is instead; once for a request whose answer was on its way."""
        self.door.settle(self, answer)

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Name and value as they came."""
        return self.block.headers

    def header(self, name: bytes) -> str:
        """The first value of a header; ``name`` is lower-case. Empty when there is none."""
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == name), "")
