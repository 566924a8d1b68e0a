"""Our own answers as bytes."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from multidict import CIMultiDict

from gateway.core.http.request_head import RequestHead, read_block
from gateway.web.messages import Request, Response, Sent


def wire(response: Response, *, head_only: bool = False, http10: bool = False, close: bool = False) -> bytes:
    return response.wire(head_only=head_only, http10=http10, close=close)


def test_an_answer_has_its_length_its_date_and_no_version_of_ours() -> None:
    """Several headers of one name stay several."""
    made = wire(Response(403, CIMultiDict([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]), b"no"))
    head, _, body = made.partition(b"\r\n\r\n")
    assert body == b"no"
    assert head.startswith(
        b"HTTP/1.1 403 Forbidden\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\nDate: "
    )
    assert re.search(rb"\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\nServer: gateway$", head)


@pytest.mark.parametrize(
    ("http10", "close", "connection"),
    [(False, False, None), (True, False, b"keep-alive"), (False, True, b"close"), (True, True, b"close")],
)
def test_the_connections_future_is_said_where_it_is_not_the_rule(
    http10: bool, close: bool, connection: bytes | None
) -> None:
    """HTTP/1.1 stays, HTTP/1.0 goes (RFC 9112 §9.3)."""
    found = re.search(rb"\r\nConnection: (.*?)\r\n", wire(Response(), http10=http10, close=close))
    assert (found[1] if found else None) == connection


def test_head_has_the_length_and_204_has_none() -> None:
    """RFC 9110 §8.6."""
    assert wire(Response(200, body=b"abc"), head_only=True).endswith(b"\r\n\r\n")
    assert b"\r\nContent-Length: 3\r\n" in wire(Response(200, body=b"abc"), head_only=True)
    assert b"Content-Length" not in wire(Response(204))


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "a\rb"])
def test_no_header_of_ours_ends_a_line_early(value: str) -> None:
    """An answer that could be split is not sent at all."""
    with pytest.raises(ValueError, match="line end"):
        wire(Response(302, CIMultiDict({"Location": value})))


def test_sent_knows_its_size() -> None:
    """Of what it still holds, or of what was sent before."""
    assert (Sent(200, b"abc", close=False).size, Sent(200, b"", close=True, size=7).size) == (3, 7)


def asked(block: bytes = b"", *, http10: bool = False) -> Request:
    connection = SimpleNamespace(peer="192.0.2.1")
    return Request(
        connection, RequestHead("GET", "/", http10, read_block(block, 100)), None
    )  # only its peer is read


def test_a_request_says_whether_its_client_stays() -> None:
    """By its version, unless Connection says otherwise."""
    assert asked().keep_alive
    assert not asked(b"Connection: close").keep_alive
    assert not asked(http10=True).keep_alive
    assert asked(b"Connection: Keep-Alive", http10=True).keep_alive


def test_a_header_is_found_whatever_its_spelling() -> None:
    """The first one; empty when there is none."""
    assert asked(b"aCCept: \xe9").header(b"accept") == "\xe9"
    assert asked().header(b"accept") == ""
