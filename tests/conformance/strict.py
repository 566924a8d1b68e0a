"""A small reader of HTTP/1.1 that takes nothing which RFC 9112 does not say: the measure for what the door may forward.

It shares no code and no parser with the gateway. Where the standard lets a recipient be lenient, it is not.
"""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([!-~]+) HTTP/(1\.[01])")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d) ([\t\x20-\x7e\x80-\xff]*)")
_FIELD_LINE = re.compile(
    rb"(" + _TOKEN + rb"):[ \t]*((?:[!-~\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*"
)
_ANY_TARGET = re.compile(rb"(" + _TOKEN + rb") ([!-~\x80-\xff]+) HTTP/(1\.[01])")
_ORIGIN_FORM = re.compile(rb"/[!\"$-~]*")
_DIGITS = re.compile(rb"0|[1-9][0-9]{0,17}")
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_CHUNK_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[ \t]*"
    + _TOKEN
    + rb"(?:[ \t]*=[ \t]*(?:"
    + _TOKEN
    + rb"|"
    + _QUOTED
    + rb"))?)*"
)


class MalformedError(ValueError):
    """The bytes are no HTTP/1.1 message."""


class IncompleteError(EOFError):
    """The bytes may be the beginning of one."""


Fields = list[tuple[bytes, bytes]]


@dataclass
class Message:
    """One request or response.

    :ivar start: method, target and version; or version, status and reason. :ivar raw: the head as it came.
    """

    start: tuple[bytes, bytes, bytes]
    headers: Fields
    raw: bytes
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    chunks: int = 0

    @property
    def method(self) -> bytes:
        return self.start[0]

    @property
    def target(self) -> bytes:
        return self.start[1]

    @property
    def status(self) -> int:
        return int(self.start[1])

    def values(self, name: bytes) -> list[bytes]:
        """All values of one header, by any spelling."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def value(self, name: bytes) -> bytes | None:
        values = self.values(name)
        return values[0] if values else None


def request_head(data: bytes, *, any_target: bool = False) -> tuple[Message, bytes]:
    """The head of a request with exactly one Host and one framing, and what follows it.

    :param any_target: also take a target that is not in origin form: it is to be refused, but frames nothing.
    """
    lines, raw, rest = _head_lines(data)
    match = (_ANY_TARGET if any_target else _REQUEST_LINE).fullmatch(lines[0])
    if match is None or not (any_target or _ORIGIN_FORM.fullmatch(match[2])):
        raise MalformedError(f"request line {lines[0][:80]!r}")
    message = Message((match[1], match[2], match[3]), _fields(lines[1:]), raw)
    hosts = len(message.values(b"host"))
    if hosts > 1 or (hosts == 0 and match[3] == b"1.1"):
        raise MalformedError(f"{hosts} Host headers")
    _framing(message, old=match[3] == b"1.0")
    return message, rest


def request(data: bytes, *, any_target: bool = False) -> tuple[Message, bytes]:
    """A whole request, and what follows it."""
    message, rest = request_head(data, any_target=any_target)
    return _with_body(message, rest, old=message.start[2] == b"1.0")


def response(data: bytes, *, method: bytes = b"GET", ended: bool = False) -> tuple[Message, bytes]:
    """A whole response, and what follows it.

    :param method: of its request. :param ended: the connection has ended: a body without framing is complete.
    """
    message, rest = response_head(data)
    if method == b"HEAD" or message.status < 200 or message.status in {204, 304}:
        return message, rest
    if message.values(b"transfer-encoding") or message.values(b"content-length"):
        return _with_body(message, rest, old=False)
    if not ended:
        raise IncompleteError
    message.body = rest
    return message, b""


def response_head(data: bytes) -> tuple[Message, bytes]:
    """The head of a response, and what follows it."""
    lines, raw, rest = _head_lines(data)
    match = _STATUS_LINE.fullmatch(lines[0])
    if match is None:
        raise MalformedError(f"status line {lines[0][:80]!r}")
    message = Message((match[1], match[2], match[3]), _fields(lines[1:]), raw)
    _framing(message, old=False)
    return message, rest


def nowhere(_: bytes) -> None:
    """Keep nothing."""


def count_body(
    start: bytes, sock: socket.socket, length: int | None, into: Callable[[bytes], object] = nowhere
) -> int:
    """Read a large body from ``sock`` and keep none of it; its size.

    :param start: what has been read of it. :param length: None: it is chunked, and nothing follows it.
    :param into: is given each piece of it.
    """
    source: io.RawIOBase = _Source(start, sock)
    reader = io.BufferedReader(source, 1 << 18)
    if length is not None:
        return _skip(reader, length, into)
    total = 0
    while True:
        match = _CHUNK_LINE.fullmatch(reader.readline().removesuffix(b"\r\n"))
        if match is None:
            raise MalformedError("a chunk line")
        size = int(match[1], 16)
        total += _skip(reader, size, into)
        if reader.readline() != b"\r\n":
            raise MalformedError("a chunk that does not end where it said")
        if not size:
            return total


def _skip(reader: io.BufferedReader[io.RawIOBase], size: int, into: Callable[[bytes], object]) -> int:
    left = size
    while left:
        piece = reader.read1(min(left, 1 << 18))
        if not piece:
            raise IncompleteError
        into(piece)
        left -= len(piece)
    return size


class _Source(io.RawIOBase):
    """Some bytes, and then those of a socket."""

    def __init__(self, start: bytes, sock: socket.socket) -> None:
        self._start = start
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # RawIOBase takes any buffer
        if not self._start:
            return self._sock.recv_into(buffer)
        piece, self._start = self._start[: len(buffer)], self._start[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


def _head_lines(data: bytes) -> tuple[list[bytes], bytes, bytes]:
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        raise IncompleteError
    lines = head.split(b"\r\n")
    if any(b"\r" in line or b"\n" in line for line in lines):
        raise MalformedError("a bare CR or LF")
    return lines, head + end, rest


def _fields(lines: list[bytes]) -> Fields:
    found: Fields = []
    for line in lines:
        match = _FIELD_LINE.fullmatch(line)
        if match is None:
            raise MalformedError(f"field line {line[:80]!r}")
        found.append((match[1], match[2]))
    return found


def _framing(message: Message, *, old: bool) -> None:
    codings = message.values(b"transfer-encoding")
    lengths = message.values(b"content-length")
    if codings and (old or lengths or [coding.lower() for coding in codings] != [b"chunked"]):
        raise MalformedError(f"codings {codings!r}, lengths {lengths!r}")
    if len(lengths) > 1 or (lengths and _DIGITS.fullmatch(lengths[0]) is None):
        raise MalformedError(f"lengths {lengths!r}")


def _with_body(message: Message, rest: bytes, *, old: bool) -> tuple[Message, bytes]:
    if message.values(b"transfer-encoding") and not old:
        return _chunked(message, rest)
    length = int(message.value(b"content-length") or 0)
    if len(rest) < length:
        raise IncompleteError
    message.body = rest[:length]
    return message, rest[length:]


def _chunked(message: Message, rest: bytes) -> tuple[Message, bytes]:
    pieces: list[bytes] = []
    while True:
        line, end, rest = rest.partition(b"\r\n")
        if not end:
            raise IncompleteError
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise MalformedError(f"chunk line {line[:80]!r}")
        size = int(match[1], 16)
        if size == 0:
            break
        if len(rest) < size + 2:
            raise IncompleteError
        if rest[size : size + 2] != b"\r\n":
            raise MalformedError("a chunk that does not end where it said")
        pieces.append(rest[:size])
        rest = rest[size + 2 :]
    message.body = b"".join(pieces)
    message.chunks = len(pieces)
    if rest.startswith(b"\r\n"):
        return message, rest[2:]
    lines, _, rest = _head_lines(rest)
    message.trailers = _fields(lines)
    return message, rest
