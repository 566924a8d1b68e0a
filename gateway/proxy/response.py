"""The bytes of one response: parsed by llhttp (``httptools``), within the contract that it needs (rule R36).

It cannot be told of HEAD, has no end of file and silently begins another message on surplus bytes. So there is one
parser per response, the head decides the framing, and the parser stays only for chunked bodies: bodies with a length
are counted, bodies without one end with the connection. Whatever comes after the end is surplus.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import httptools

from gateway.core.errors import GatewayError, UpstreamError
from gateway.core.http.response_headers import (
    NONE,
    ResponseHead,
    downstream_response_headers,
    interim_head,
    plain_response_head,
    trailer_lines,
)
from gateway.core.http.sse import EventTracker
from gateway.core.http.way_back import WayBack

MAX_HEAD = 65_536
"""Bytes of a response head, as in Envoy (60 KiB) and Go's client (its default is larger); nginx's is 4 to 8 KiB. As
many may come without a byte of the body later: trailers, and extensions of a chunk."""
MAX_FIELDS = 256
"""Header fields of a response, trailers included; Envoy's limit is 100."""
_REASON = re.compile(rb"[\t -~\x80-\xff]*")
"""RFC 9112 §4."""
MAX_INTERIM = 16
"""1xx responses before the final one."""


class Asker(Protocol):
    """For whom a response is read.

    :ivar head_only: the request is HEAD. :ivar http10: the client speaks HTTP/1.0.
    :ivar keep_alive: the client wants to go on. :ivar document: the request has a document destination.
    :ivar set_cookies: values to add. :ivar way: of redirects.
    """

    head_only: bool
    http10: bool
    keep_alive: bool
    document: bool
    set_cookies: Sequence[bytes]
    way: WayBack | None

    def write(self, data: bytes) -> None:
        """Send to the client (interim responses)."""


_A = TypeVar("_A", bound=Asker)


class ResponseReader(ABC, Generic[_A]):
    """Reads one response; what becomes of it is its subclass's business.

    :ivar head: None until the final head has come. :ivar complete: all of the response has come.
    """

    __slots__ = (
        "_body", "_fields", "_head_bytes", "_interims", "_parser", "_reason", "_remaining", "_reusable",
        "_speaks_http1", "_surplus", "_tail", "_tracker", "complete", "downstream", "head", "status",
    )  # fmt: skip

    def __init__(self, downstream: _A) -> None:
        self.downstream = downstream
        self._parser: Any = None
        self._reason = b""
        self.status = 0
        self._fields: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._head_bytes = 0
        self._interims = 0
        self._remaining = 0
        self._tail = b""
        self._tracker: EventTracker | None = None
        self._reusable = False
        self._surplus = False
        self._speaks_http1 = False
        self.head: ResponseHead | None = None
        self.complete = False

    @abstractmethod
    def fail(self, error: GatewayError) -> None:
        """There will be no (complete) response."""

    @abstractmethod
    def _flush(self) -> None:
        """The head is known, and perhaps there are pieces of the body: send them on."""

    @abstractmethod
    def _switch(self, rest: bytes) -> None:
        """A 101 has come; ``rest`` followed it."""

    def _read_plain(self, data: bytes) -> bool:
        """Take the beginning of a response, when it has its whole head and nothing special; else leave it."""
        down = self.downstream
        end = data.find(b"\r\n\r\n")
        if end < 0 or down.head_only or down.http10 or down.set_cookies:
            return False
        found = plain_response_head(
            data[:end], keep_alive=down.keep_alive, document=down.document, way=down.way
        )
        if found is None:
            return False
        self._head_bytes = end
        self.status, self.head = found
        self._reusable = True
        body = data[end + 4 :]
        if self.head.framing == NONE:
            self.complete = True
            self._surplus = bool(body)
            self._flush()
            return True
        self._remaining = self.head.length
        if self.head.events:
            self._tracker = EventTracker()
        self._count(body)
        return True

    def _parse(self, data: bytes) -> None:
        if not self._head_bytes and self.head is None:
            self._parser = httptools.HttpResponseParser(self)
            self._speaks_http1 = data.startswith(b"HTTP/1.")
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._switch(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            if not self.complete:
                self.fail(_parser_fault(error))
                return
            self._surplus = True
        if self.downstream.head_only:
            # llhttp takes what follows the head of an answer to HEAD for its body; only an exact end is a clean one.
            self._tail = (self._tail + data[-4:])[-4:]
            self._surplus |= self.head is not None and self._tail != b"\r\n\r\n"
        if len(self._fields) > MAX_FIELDS:
            self.fail(
                UpstreamError("broken_response", "The application's response has too many header fields.")
            )
        elif self._head_bytes > MAX_HEAD and not self.complete:
            what = "response head is" if self.head is None else "trailers are"
            self.fail(UpstreamError("broken_response", f"The application's {what} too large."))
        elif self.head is not None:
            self._flush()

    def _count(self, data: bytes) -> None:
        size = len(data)
        if size > self._remaining:
            data = data[: self._remaining]
            self._surplus = True
        self._remaining -= len(data)
        self.complete = not self._remaining
        self._body.append(data)
        self._flush()

    # Callbacks of the parser

    def on_message_begin(self) -> None:
        """A message begins; after the final response it is surplus."""
        if self.head is not None:
            self._surplus = True

    def on_status(self, reason: bytes) -> None:
        """A piece of the reason phrase."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header field, or a trailer when the head is known."""
        if not self.complete and len(self._fields) <= MAX_FIELDS:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """A head is complete: interim, switching or final."""
        if self.head is not None:
            return
        parser = self._parser
        self.status = parser.get_status_code()
        if self._reason != b"OK" and _REASON.fullmatch(self._reason) is None:  # llhttp takes any byte there
            raise UpstreamError("broken_response", "The application's status line has a control character.")
        if self.status < 200:
            self._interim()
            return
        self._check_head()
        self._reusable = parser.should_keep_alive()
        # Asking for the version makes a string; a head that begins with HTTP/1. needs no asking.
        if not (self._reusable and self._speaks_http1) and parser.get_http_version() not in {"1.1", "1.0"}:
            raise UpstreamError("broken_response", "The application does not speak HTTP/1.1.")
        down = self.downstream
        self.head = head = downstream_response_headers(
            self.status,
            self._reason,
            self._fields,
            head_only=down.head_only,
            http10=down.http10,
            keep_alive=down.keep_alive,
            document=down.document,
            set_cookies=down.set_cookies,
            way=down.way,
        )
        self._fields = []
        self._remaining = head.length
        if head.events:
            self._tracker = EventTracker()
        if head.framing == NONE:
            self.complete = True

    def _check_head(self) -> None:
        if len(self._fields) > MAX_FIELDS:
            raise UpstreamError("broken_response", "The application's response has too many header fields.")
        if (
            self._head_bytes > MAX_HEAD
            and sum(len(name) + len(value) for name, value in self._fields) > MAX_HEAD
        ):
            raise UpstreamError("broken_response", "The application's response head is too large.")

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self.complete:
            self._surplus = True
        else:
            self._remaining -= len(data)
            self._body.append(data)
            self._head_bytes = 0

    def on_chunk_header(self) -> None:
        """A chunk begins; after an answer to HEAD it is surplus."""
        if self.complete:
            self._surplus = True

    def on_message_complete(self) -> None:
        """The message is complete; an interim one is followed by another."""
        if self.head is not None:
            self.complete = True

    def _interim(self) -> None:
        status, reason, fields = self.status, self._reason, self._fields
        if status == 101:
            return
        if status < 100:
            raise UpstreamError("broken_response", "The application's response has no valid status.")
        self._interims += 1
        if self._interims > MAX_INTERIM:
            raise UpstreamError("broken_response", "The application sent too many interim responses.")
        self._reason, self._fields, self._speaks_http1 = b"", [], False
        if status == 103 and not self.downstream.http10:
            self.downstream.write(interim_head(status, reason, fields))

    def _framed(self, head: ResponseHead, body: bytes) -> bytes:
        if not head.chunk:
            return body
        piece = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        if self.complete:
            piece += b"0\r\n" + trailer_lines(self._fields) + b"\r\n"
        return piece


def _parser_fault(error: httptools.HttpParserError) -> GatewayError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, GatewayError):
            return cause
        cause = cause.__context__
    return UpstreamError(
        "broken_response", f"The application's response is not HTTP/1.1: {error}.", fix="Try again shortly."
    )
