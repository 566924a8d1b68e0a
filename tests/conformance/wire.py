"""A client that sends bytes as they are given and reads answers strictly."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.conformance import strict
from tests.conformance.recorder import Recorder
from tests.fakes.patience import PATIENCE

_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Door:
    """A running door: where it is, the Host it answers for, the Cookie of somebody signed in, and what is behind it.

    :ivar admits: bytes of a request body that it admits; more is 413. :ivar waiting: tells how many requests wait for
        a connection to what is behind it, where it runs in this process.
    """

    host: str
    port: int
    authority: str
    cookie: str
    upstream: Recorder
    admits: int
    waiting: Callable[[], int] | None = None

    @property
    def signed_in(self) -> str:
        """Header lines of an ordinary request by somebody signed in, from a page of the application itself."""
        return f"Host: {self.authority}\r\nCookie: {self.cookie}\r\nSec-Fetch-Site: same-origin\r\n"

    def request(
        self, target: str = "/", *headers: str, method: str = "GET", version: str = "1.1", body: bytes = b""
    ) -> bytes:
        """A request by somebody signed in; nothing is checked or added."""
        lines = "".join(f"{line}\r\n" for line in headers)
        return f"{method} {target} HTTP/{version}\r\n{self.signed_in}{lines}\r\n".encode("latin-1") + body

    def chunked(self, target: str, *pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
        """A POST whose body comes in these chunks."""
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end
        return self.request(target, "Transfer-Encoding: chunked", method="POST", body=body)

    def open(self, seconds: float = PATIENCE) -> Wire:
        return Wire(self, seconds)


class Wire:
    """One connection to the door.

    :ivar interims: heads of the 1xx responses that came. :ivar unread: bytes behind the last response.
    """

    def __init__(self, door: Door, seconds: float = PATIENCE) -> None:
        self.door = door
        self.sock = socket.create_connection((door.host, door.port), timeout=seconds)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.interims: list[strict.Message] = []
        self.unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def leave(self) -> None:
        """Break the connection: whoever only closes it could still want the answer, as far as anybody can tell."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.sock.close()

    def get(
        self, target: str = "/", *headers: str, method: str = "GET", version: str = "1.1", body: bytes = b""
    ) -> strict.Message:
        """Ask as somebody signed in, and read the answer."""
        self.send(self.door.request(target, *headers, method=method, version=version, body=body))
        return self.response(method.encode())

    def response(self, method: bytes = b"GET") -> strict.Message:
        """The next final response."""
        while True:
            found = self._next(method)
            if found.status >= 200:
                return found
            self.interims.append(found)

    def head(self) -> strict.Message:
        """The head of the next response; what follows stays unread."""
        while True:
            try:
                found, self.unread = strict.response_head(self.unread)
                return found
            except strict.IncompleteError:
                if not self.more():
                    raise

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        while len(self.unread) < size:
            if not self.more():
                raise strict.IncompleteError(size)
        found, self.unread = self.unread[:size], self.unread[size:]
        return found

    def count(self, size: int, *, chunked: bool) -> int:
        """Read a large body and keep none of it; its size."""
        start, self.unread = self.unread, b""
        return strict.count_body(start, self.sock, None if chunked else size)

    def rest(self) -> bytes:
        """All that comes until the gateway closes; also after a reset."""
        while self.more():
            pass
        data, self.unread = self.unread, b""
        return data

    def responses(self, *methods: bytes) -> list[strict.Message]:
        """All final responses that come until the gateway closes, strictly read.

        :param methods: of the requests, where they are not GET.
        """
        data, found = self.rest(), []
        asked = iter(methods)
        while data:
            message, data = strict.response(data, method=next(asked, b"GET"), ended=True)
            if message.status >= 200:
                found.append(message)
        return found

    def _next(self, method: bytes) -> strict.Message:
        ended = False
        while True:
            try:
                found, self.unread = strict.response(self.unread, method=method, ended=ended)
                return found
            except strict.IncompleteError:
                if ended:
                    raise
                ended = not self.more()

    def comes(self, seconds: float = PATIENCE) -> bool:
        """Whether more bytes, or the end, have come within so many."""
        come = select.poll()
        come.register(self.sock, select.POLLIN)
        return bool(come.poll(seconds * 1_000))

    def more(self) -> bool:
        """Wait for more bytes; False when the connection has ended."""
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionError:
            return False
        self.unread += data
        return bool(data)
