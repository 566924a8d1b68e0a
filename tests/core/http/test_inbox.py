"""What waits to be read: heads from the front, however they come, and each byte looked at a few times at the most."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import DownstreamError
from gateway.core.http.chunks import ChunkReader
from gateway.core.http.inbox import Inbox

LONGEST = 100
GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"


def head(*, line: int = 20, block: int = 20) -> bytes:
    """A head whose first line and whose header lines have these lengths."""
    first = b"GET /%b HTTP/1.1" % (b"a" * (line - 14))
    return first + b"\r\nHost: %b\r\n\r\n" % (b"a" * (block - 6))


def outcome(data: bytes, cuts: tuple[int, ...] = ()) -> tuple[list[str], bool]:
    """The targets of the heads in ``data``, and whether the rest was refused."""
    inbox, found, start = Inbox(), [], 0
    try:
        for end in (*sorted(cuts), len(data)):
            inbox.put(data[start:end])
            start = end
            while (read := inbox.head(LONGEST)) is not None:
                found.append(read.target)
    except DownstreamError:
        return found, True
    return found, False


def test_heads_are_taken_one_after_the_other() -> None:
    """What is left stays, what has been read is not kept."""
    inbox = Inbox()
    inbox.put(GET % 1 + GET % 2 + (GET % 3)[:9])
    assert [getattr(inbox.head(LONGEST), "target", None) for _ in range(3)] == ["/1", "/2", None]
    assert (inbox.size, inbox.begun) == (9, True)
    inbox.put((GET % 3)[9:])
    read = inbox.head(LONGEST)
    assert read is not None
    assert read.target == "/3"
    assert (inbox.size, inbox.begun, inbox._data) == (0, False, b"")


def test_a_body_takes_what_is_its_own() -> None:
    """And what follows is the next head."""

    class Body:
        def feed(self, data: bytes, at: int) -> int:
            return ChunkReader().feed(data, at)[1]

    inbox = Inbox()
    inbox.put(GET % 1 + b"1\r\na\r\n0\r\n\r\n" + GET % 2)
    assert inbox.head(LONGEST) is not None
    inbox.feed(Body())
    assert inbox.clear() == GET % 2
    assert inbox.size == 0


def test_empty_lines_before_a_request_are_none() -> None:
    """RFC 9112 §2.2; half of one is no beginning, and any number of them leaves nothing behind."""
    inbox = Inbox()
    for piece in (b"\r\n" * 100_000, b"\r", b"\n", b"\r"):
        inbox.put(piece)
        assert inbox.head(LONGEST) is None
        assert not inbox.begun
    inbox.put(b"\n" + GET % 1)
    assert inbox.head(LONGEST) is not None


def test_a_byte_that_was_found_good_is_not_looked_at_again() -> None:
    """Else a head that drips in would cost the square of its length."""
    inbox = Inbox()
    for byte in GET[:-1]:
        inbox.put(bytes((byte,)))
        assert inbox.head(LONGEST) is None
        assert inbox._checked == inbox.size
    inbox.put(b"\n")
    assert inbox.head(LONGEST) is not None


@pytest.mark.parametrize(
    ("sizes", "refused"),
    [
        ({"line": LONGEST}, False), ({"line": LONGEST + 1}, True), ({"block": LONGEST}, False),
        ({"block": LONGEST + 1}, True), ({"line": LONGEST, "block": LONGEST}, False),
    ],
)  # fmt: skip
def test_the_limit_is_the_same_however_a_head_is_cut(sizes: dict[str, int], refused: bool) -> None:
    """To the byte: the end of a line, and of the head, is no part of them."""
    data = head(**sizes)
    for cut in range(1, len(data)):
        assert outcome(data, (cut,))[1] is refused, cut
    assert outcome(data)[1] is refused
    assert outcome(data, tuple(range(1, len(data))))[1] is refused


_PIECES = st.sampled_from(
    [
        b"GET", b" ", b"/x", b"#", b"HTTP/1.1", b"HTTP/1.0", b"\r\n", b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"Host: a", b"X: b",
        b"Content-Length: 0", b":", b"\t", b"\x00", b"\xe9", b"GET /x HTTP/1.1\r\n", b"Host: a\r\n\r\n", b"a" * 60,
        b"\x7f", b"\x0b", b"X:b\r\n",
    ]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=14).map(b"".join), st.lists(st.integers(0, 300), max_size=8))
def test_cutting_the_bytes_changes_nothing(data: bytes, cuts: list[int]) -> None:
    """The same heads, and the same end, wherever the segments begin."""
    whole = outcome(data)
    assert outcome(data, tuple(min(cut, len(data)) for cut in cuts)) == whole
    assert outcome(data, tuple(range(len(data)))) == whole


@given(st.lists(_PIECES, max_size=8).map(b"".join))
def test_what_is_not_waited_for_would_never_have_become_a_head(data: bytes) -> None:
    """Refused early is refused in the end."""
    try:
        inbox = Inbox()
        inbox.put(data)
        while inbox.head(LONGEST) is not None:
            pass
    except DownstreamError:
        for end in (b"", b"\r\n\r\n", b"\n\r\n\r\n", b"\r\nHost: a\r\n\r\n", b"\n", b"\n\r\n"):
            assert outcome(data + end)[1], end
