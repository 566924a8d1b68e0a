"""An application that keeps every byte it is sent, reads it strictly, and answers with the bytes a test gives it."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import select
import socket
import ssl
import struct
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.conformance import strict
from tests.fakes.patience import PATIENCE

_RESET = struct.pack("ii", 1, 0)


class Call:
    """One request on one connection, read as far as its head.

    :ivar head: the request's head. :ivar whole: the request with its body, once :meth:`body` has read it.
    """

    def __init__(self, connection: Connection, head: strict.Message) -> None:
        self._connection = connection
        self.head = head
        self.whole: strict.Message | None = None

    @property
    def path(self) -> bytes:
        return self.head.target.partition(b"?")[0]

    @property
    def connection(self) -> int:
        """The number of its connection."""
        return self._connection.number

    def body(self) -> bytes:
        """Read the rest of the request."""
        while self.whole is None:
            try:
                self.whole, self._connection.unread = strict.request(self._connection.unread)
            except strict.IncompleteError:
                self._connection.receive()
        return self.whole.body

    def count(self, into: Callable[[bytes], object] = strict.nowhere) -> int:
        """Read the rest of the request and keep none of it; the size of its body.

        :param into: is given each piece of it.
        """
        connection = self._connection
        start = connection.unread[len(self.head.raw) :]
        connection.unread, self.whole = b"", self.head
        length = self.head.value(b"content-length")
        size = None if length is None else int(length)
        return strict.count_body(start, connection.sock, size, into)

    def send(self, data: bytes) -> None:
        self._connection.sock.sendall(data)

    def close(self) -> None:
        """End the connection in order."""
        raise _OverError

    def reset(self) -> None:
        """Break the connection."""
        self._connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        raise _OverError

    def gone(self, seconds: float = PATIENCE) -> bool:
        """Whether the gateway closes the connection within ``seconds``."""
        self._connection.sock.settimeout(seconds)
        try:
            while self._connection.sock.recv(65_536):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True


class _OverError(Exception):
    pass


Script = Callable[[Call], None]


@dataclass
class Connection:
    """One connection from the gateway. ``raw``: all it sent; ``fault``: what was wrong with that."""

    sock: socket.socket
    peer: tuple[str, int]
    number: int
    raw: bytearray = field(default_factory=bytearray)
    unread: bytes = b""
    fault: str = ""
    _waits: bool = False

    def settled(self) -> bool:
        """Whether all that has come is recorded. Not for TLS, which may have read what nobody has asked for yet."""
        with contextlib.suppress(OSError, ValueError):  # closed meanwhile
            unread = fcntl.ioctl(
                self.sock, termios.FIONREAD, bytes(4)
            )  # before it is asked whether somebody waits
            return not any(unread) and self._waits
        return True

    def receive(self) -> None:
        if not isinstance(self.sock, ssl.SSLSocket):
            come = select.poll()
            come.register(self.sock, select.POLLIN)
            self._waits = True
            come.poll()
            self._waits = False
        data = self.sock.recv(1 << 16)
        if not data:
            raise _OverError
        self.raw += data
        self.unread += data


def plain(body: bytes = b"application", *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole response with a Content-Length."""
    return b"\r\n".join((b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers, b"", body))


class Recorder:
    """The application.

    :param tls: speak TLS.
    :ivar calls: every request whose head was good. :ivar connections: all connections ever made to it.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.calls: list[Call] = []
        self.connections: list[Connection] = []
        self._scripts: dict[bytes, Script] = {}
        self._paths = itertools.count()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        # Fixed, or the kernel would take in tens of megabytes for an application that reads nothing.
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256 * 1024)
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def on(self, script: Script | bytes, under: str = "/") -> str:
        """A path of its own that is answered by ``script``, or with those bytes when the request has been read.

        :param under: a route's prefix.
        """
        path = f"{under}scripted/{next(self._paths)}"
        self._scripts[path.encode()] = script if callable(script) else saying(script)
        return path

    def find(self, path: str) -> list[Call]:
        """The calls for one path."""
        return [call for call in self.calls if call.path == path.encode()]

    def wait(self, path: str, count: int = 1, seconds: float = PATIENCE) -> list[Call]:
        """The calls for one path, once there are so many."""
        until = time.monotonic() + seconds
        while len(found := self.find(path)) < count:
            assert time.monotonic() < until, f"{len(found)} requests for {path} came"
            time.sleep(0.005)
        return found

    def received(self, size: int) -> None:
        """Wait until so many bytes have come, over all connections."""
        until = time.monotonic() + PATIENCE
        while (found := self.mark()[1]) < size:
            assert time.monotonic() < until, f"{found} bytes came"
            time.sleep(0.005)

    def settled(self) -> None:
        """Wait until all that the gateway has sent so far is recorded."""
        before = len(self.connections)
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as behind_all:
            own = behind_all.getsockname()
            until = time.monotonic() + PATIENCE
            while not all(each.settled() for each in self.connections) or not any(
                each.peer == own for each in self.connections[before:]
            ):
                assert time.monotonic() < until
                time.sleep(0.001)

    def mark(self) -> tuple[int, int]:
        """A point in what has been recorded, for :meth:`since`."""
        return len(self.calls), sum(len(each.raw) for each in self.connections)

    def faults(self) -> list[str]:
        """What the gateway sent that is not strict HTTP/1.1."""
        return [each.fault for each in self.connections if each.fault]

    def contains(self, data: bytes) -> bool:
        """Whether these bytes have ever arrived."""
        return any(data in each.raw for each in self.connections)

    def close(self) -> None:
        # shutdown wakes the thread that accepts; close alone would leave it.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self.connections:
            with contextlib.suppress(OSError):  # gone already
                each.sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                sock, peer = self._listening.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock, peer, len(self.connections))
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        try:
            if self._tls is not None:
                connection.sock = self._tls.wrap_socket(connection.sock, server_side=True)
            while True:
                self._one(connection)
        except (_OverError, OSError):
            pass
        except strict.MalformedError as error:
            connection.fault = str(error)
        finally:
            connection.sock.close()

    def _one(self, connection: Connection) -> None:
        while True:
            try:
                head, _ = strict.request_head(connection.unread)
                break
            except strict.IncompleteError:
                connection.receive()
        call = Call(connection, head)
        self.calls.append(call)
        self._scripts.get(call.path, _DEFAULT)(call)
        if call.whole is None:
            call.body()


def saying(*pieces: bytes, close: bool = False) -> Script:
    """Send these, each by itself, when the request has been read. :param close: and end the connection."""

    def script(call: Call) -> None:
        call.body()
        for piece in pieces:
            call.send(piece)
        if close:
            call.close()

    return script


_DEFAULT = saying(plain())
