"""Chunked bodies, and llhttp as a witness of their reading."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import DownstreamError
from gateway.core.http.chunks import LONGEST_LINE, LONGEST_TRAILER, ChunkReader


def read(data: bytes, step: int = 0) -> tuple[bytes, bytes, bool]:
    """Body, what follows it, and whether it is complete; ``step``: bytes at a time."""
    reader, body, at = ChunkReader(), b"", 0
    while at < len(data) and not reader.complete:
        end = min(at + step, len(data)) if step else len(data)
        piece, at = reader.feed(data[:end], at)
        body += piece
    return body, data[at:], reader.complete


WHOLE = b"5\r\nhello\r\n6;ext=1\r\n world\r\n00A\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n"


@pytest.mark.parametrize("step", [0, 1, 2, 3, 7])
def test_a_body_is_read_however_it_comes(step: int) -> None:
    """Extensions and trailers are read over; what follows the end is given back."""
    assert read(WHOLE + b"GET / HTTP/1.1\r\n\r\n", step) == (
        b"hello world0123456789",
        b"GET / HTTP/1.1\r\n\r\n",
        True,
    )
    assert read(WHOLE[:-1], step)[2] is False


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n", b"x\r\n", b"-1\r\n", b"+1\r\n", b"0x1\r\n", b" 1\r\n", b"1\n", b"1\r\naa", b"1\r\na\n", b"1\r\nab\r\n",
        b"1\r\na\rb\r\n",
        b"1;\x00\r\n", b"1 a\r\n", b"1 \r\n", b"1\t;a\r\n", b"0\r\nContent-Length: 1\r\n", b"1" * 16 + b"\r\n", b"0\r\nX\r\n", b"0\r\n X: a\r\n", b"0\r\nX: a\n\r\n", b"0\n\r\n",
        b"1;" + b"a" * LONGEST_LINE, b"0\r\n" + b"X: a\r\n" * 200,
        b"0\r\nX: " + b"a" * (LONGEST_TRAILER + 1), b"1\r\r\na\r\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", [0, 1])
def test_what_is_not_framed_by_the_book_is_malformed(data: bytes, step: int) -> None:
    """Sizes, line ends, lengths that are not kept, and what is too long (RFC 9112 §7.1)."""
    with pytest.raises(DownstreamError) as refused:
        read(data, step)
    assert refused.value.code == "malformed_request"


def test_cve_2023_39326_framing_is_no_body() -> None:
    """Many small chunks are a body; many large extensions are none."""
    assert read(b"1\r\na\r\n" * 20_000)[0] == b"a" * 20_000
    with pytest.raises(DownstreamError, match="malformed_request"):
        read((b"1;" + b"x" * 200 + b"\r\na\r\n") * 1_000)


class Witness:
    """What llhttp reads."""

    def __init__(self) -> None:
        self.body = b""
        self.messages = 0

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.messages += 1


_CHUNKS = st.sampled_from([b"1\r\na\r\n", b"3;x=y\r\nabc\r\n", b"0\r\n\r\n", b"0\r\nX: 1\r\n\r\n"])
_PIECES = st.sampled_from(
    [
        b"0",
        b"1",
        b"a",
        b"A",
        b"3",
        b";",
        b" ",
        b"\t",
        b"\r\n",
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"x",
        b"abc",
        b"X: 1",
        b"\x00",
    ]
)


@given(st.lists(_PIECES | _CHUNKS, max_size=16).map(b"".join), st.integers(0, 3))
def test_llhttp_reads_what_is_accepted_in_the_same_way(data: bytes, step: int) -> None:
    """The same bytes, and the same end."""
    try:
        body, rest, complete = read(data, step)
    except DownstreamError:
        return
    if not complete:
        return
    witness = Witness()
    parser = httptools.HttpRequestParser(witness)
    parser.feed_data(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    parser.feed_data(data[: len(data) - len(rest)])
    assert (witness.body, witness.messages) == (body, 1)
