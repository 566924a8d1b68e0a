"""How others read requests: llhttp (Node's parser) and h11, byte by byte, so that it is seen where each request ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import h11
import httptools

Fields = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Read:
    """One request as somebody read it.

    :ivar headers: names in lower case, values without white space around them. :ivar end: where the next one begins.
    :ivar stays: the connection may go on after it.
    """

    method: str
    target: str
    headers: Fields
    body: bytes
    end: int
    stays: bool


def lowered(headers: Sequence[tuple[bytes, bytes]]) -> Fields:
    """Spelling of names and codings, and white space around values, are nobody's business."""
    found = ((name.lower(), value.strip(b" \t")) for name, value in headers)
    return tuple((name, value.lower() if name == b"transfer-encoding" else value) for name, value in found)


@dataclass
class _Heard:
    """Callbacks of llhttp for one request."""

    target: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    complete: bool = False
    trailers: bool = False
    stays: bool = False
    parser: httptools.HttpRequestParser | None = None

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.trailers:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.trailers = True

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        assert self.parser is not None
        self.complete = True
        self.stays = self.parser.should_keep_alive()  # it forgets with the next byte


def llhttp(data: bytes) -> list[Read]:
    """The requests that llhttp finds, up to what it refuses or waits for."""
    found: list[Read] = []
    at = 0
    while at < len(data):
        heard = _Heard()
        parser = heard.parser = httptools.HttpRequestParser(heard)
        while not heard.complete and at < len(data):
            try:
                parser.feed_data(data[at : at + 1])
            except httptools.HttpParserUpgrade:
                pass  # it has read the request; what follows is one as long as nobody switches
            except httptools.HttpParserError:
                return found
            at += 1
        if heard.complete:
            method = parser.get_method().decode()
            target = heard.target.decode("latin-1")
            found.append(Read(method, target, lowered(heard.headers), heard.body, at, heard.stays))
    return found


def by_h11(data: bytes) -> list[Read]:
    """The requests that h11 finds, up to what it refuses or waits for; each is answered before the next."""
    found: list[Read] = []
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    head, body = None, b""
    for at in range(len(data)):
        try:
            connection.receive_data(data[at : at + 1])
            while (event := connection.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.Request):
                    head, body = event, b""
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    assert head is not None
                    stays = _answered(connection)
                    found.append(_read_by_h11(head, body, at + 1, stays=stays))
                    if not stays:
                        return found
                else:
                    return found
        except h11.RemoteProtocolError:
            return found
    return found


def _answered(connection: h11.Connection) -> bool:
    connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
    connection.send(h11.EndOfMessage())
    if connection.our_state is not h11.DONE:
        return False
    connection.start_next_cycle()
    return True


def _read_by_h11(head: h11.Request, body: bytes, end: int, *, stays: bool) -> Read:
    return Read(
        head.method.decode(), head.target.decode("latin-1"), lowered(list(head.headers)), body, end, stays
    )
