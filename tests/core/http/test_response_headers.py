"""The response head towards clients: framing, own cookies, caches (rules R17, R27 and R36)."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import UpstreamError
from gateway.core.http.response_headers import (
    CHUNKED,
    LENGTH,
    NONE,
    UNTIL_CLOSE,
    downstream_response_headers,
    interim_head,
    plain_response_head,
    sets_own_cookie,
    switching_head,
    trailer_lines,
)

CL, TE = (b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")


def fields(head):
    first, *lines = head.raw[:-4].split(b"\r\n")
    assert head.raw.endswith(b"\r\n\r\n")
    return first, [tuple(line.split(b": ", 1)) for line in lines]


def passed(*pairs, status=200, **options):
    """What is left, without caching and framing."""
    _, found = fields(downstream_response_headers(status, b"OK", pairs, **options))
    return [
        pair for pair in found if pair[0] not in {b"Cache-Control", b"Content-Length", b"Transfer-Encoding"}
    ]


def caching(*pairs, status=200, **options):
    _, found = fields(downstream_response_headers(status, b"OK", pairs, **options))
    return [value for name, value in found if name.lower() == b"cache-control"]


@pytest.mark.parametrize(
    ("status", "pairs", "options", "framing", "said"),
    [
        (200, [CL], {}, LENGTH, [CL]),
        (200, [TE], {}, CHUNKED, [TE]),
        (200, [], {}, UNTIL_CLOSE, [TE]),
        (200, [(b"content-length", b"0 ")], {}, NONE, [(b"Content-Length", b"0")]),
        (200, [CL], {"head_only": True}, NONE, [CL]),
        (200, [TE], {"head_only": True}, NONE, []),
        (204, [CL], {}, NONE, []),
        (304, [CL], {}, NONE, [CL]),
        (200, [CL], {"http10": True}, LENGTH, [CL, (b"Connection", b"keep-alive")]),
        (200, [TE], {"http10": True}, CHUNKED, [(b"Connection", b"close")]),
        (200, [], {"http10": True}, UNTIL_CLOSE, [(b"Connection", b"close")]),
        (200, [CL], {"keep_alive": False}, LENGTH, [CL, (b"Connection", b"close")]),
    ],
)
def test_r36_framing(status, pairs, options, framing, said):
    """The body's framing by RFC 9112 §6.3, and how it is said to the client."""
    head = downstream_response_headers(status, b"OK", pairs, **options)

    assert head.framing == framing
    assert [pair for pair in fields(head)[1] if pair[0] != b"Cache-Control"] == said
    assert head.close == ((b"Connection", b"close") in said)


def test_other_transfer_codings_are_broken():
    """The gateway neither decodes nor passes on what it cannot frame."""
    with pytest.raises(UpstreamError, match="broken_response"):
        downstream_response_headers(200, b"OK", [(b"Transfer-Encoding", b"gzip")])


def test_everything_else_passes_byte_for_byte():
    """Order, spelling and bytes; the status line as it came."""
    pairs = [
        (b"sErver", b"x/1  "),
        (b"X-A", b"\xff\x80"),
        (b"Set-Cookie", b"a=1"),
        (b"Set-Cookie", b"b=2; Path=/"),
    ]

    first, _ = fields(downstream_response_headers(418, b"I'm a teapot", pairs))

    assert first == b"HTTP/1.1 418 I'm a teapot"
    assert passed(*pairs) == pairs


def test_hop_by_hop_headers_end_here():
    """Connection and what it names, but nothing that frames the body, sets cookies or rules caches."""
    assert (
        passed(
            (b"Connection", b"close, X-A, Set-Cookie, Content-Length"), (b"X-A", b"1"), (b"Keep-Alive", b"timeout=5"),
            (b"Upgrade", b"h2c"), (b"Proxy-Authenticate", b"Basic"), (b"Set-Cookie", b"a=1"), CL,
        )
        == [(b"Set-Cookie", b"a=1")]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "own"),
    [
        (b"__Host-session=x; Path=/", True),
        (b" __Host-session =x", True),
        (b"\t__Host-session_2=x", True),
        (b"__Host-login_00ff00ff=x", True),
        (b"__Host-logout=", True),
        (b"=__Host-session=x", True),
        (b"__Host-session", True),
        (b"__Host-sessions=x", False),
        (b"session=__Host-session=x", False),
        (b"a=1; __Host-session=x", False),
    ],
)
def test_r17_upstreams_cannot_set_our_cookies(value, own):
    """By any spelling a browser would take for our name."""
    assert sets_own_cookie(value) is own
    assert passed((b"Set-Cookie", value)) == ([] if own else [(b"Set-Cookie", value)])


def test_our_cookies_are_added_last():
    """What the gateway sets follows what the application sets."""
    assert passed((b"Set-Cookie", b"a=1"), set_cookies=[b"__Host-session=y"]) == [
        (b"Set-Cookie", b"a=1"),
        (b"Set-Cookie", b"__Host-session=y"),
    ]


@pytest.mark.parametrize("status", [200, 206, 304, 404])
@pytest.mark.parametrize(
    ("pairs", "document"),
    [
        ([(b"Content-Type", b"Text/HTML; charset=utf-8")], False),
        ([(b"content-type", b"application/xhtml+xml")], False),
        ([(b"Content-Type", b"application/pdf")], True),
        ([], True),
    ],
)
def test_r27_documents_are_not_stored(status, pairs, document):
    """By media type or destination, whatever the status and whatever the upstream said."""
    said = [(b"Cache-Control", b"public, max-age=600"), (b"cache-control", b"immutable")]

    assert caching(*pairs, *said, status=status, document=document) == [b"no-store"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([], b"private, no-cache"),
        ([b"public"], b"private, no-cache"),
        ([b"private"], b"private, no-cache"),
        ([b"s-maxage=60"], b"private, no-cache"),
        ([b"must-revalidate, immutable"], b"must-revalidate, immutable, private, no-cache"),
        ([b"max-age=soon"], b"max-age=soon, private, no-cache"),
        ([b'x="a, max-age=5"'], b'x="a, max-age=5", private, no-cache'),
        ([b"No-Cache"], b"No-Cache, private"),
        ([b"", b"MAX-AGE=0"], b"MAX-AGE=0, private"),
        ([b"public, max-age=60"], b"max-age=60, private"),
        ([b"PUBLIC", b"S-MaxAge=5 , max-age=60, immutable"], b"max-age=60, immutable, private"),
        ([b"private, max-age=60"], b"max-age=60, private"),
        ([b'private="x, y", no-cache="a, public"'], b'no-cache="a, public", private, no-cache'),
        ([b"public, no-store"], b"public, no-store"),
        ([b"max-age=1, proxy-revalidate"], b"max-age=1, private"),
    ],
)
def test_r27_elsewhere_only_the_browser_may_keep_it(said, expected):
    """public and s-maxage go, private comes; what the browser's own cache is told stays."""
    assert caching(*((b"Cache-Control", value) for value in said)) == [expected]


@pytest.mark.parametrize(
    "name", [b"CDN-Cache-Control", b"Cloudflare-CDN-Cache-Control", b"Surrogate-Control", b"x-accel-expires"]
)
def test_r27_headers_of_shared_caches_are_removed(name):
    """Nothing may tell a cache in front to keep a gated response."""
    assert passed((name, b"max-age=600")) == []


def test_event_streams_are_told_apart():
    """Only without a content coding may an event be added; nothing in front is to buffer them."""
    kind = (b"Content-Type", b"text/event-stream;charset=utf-8")

    assert downstream_response_headers(200, b"OK", [kind]).events
    assert not downstream_response_headers(200, b"OK", [kind, (b"Content-Encoding", b"gzip")]).events
    assert (b"X-Accel-Buffering", b"no") in passed(kind)
    assert (b"x-accel-buffering", b"yes") in passed(kind, (b"x-accel-buffering", b"yes"))


def test_interim_and_switching_heads():
    """103 keeps its links; 101 keeps subprotocol and extensions and names websocket alone."""
    hints = interim_head(
        103, b"Early Hints", [(b"Link", b"x"), (b"Set-Cookie", b"a=1"), (b"Content-Length", b"0")]
    )
    switch = switching_head(
        b"Go", [(b"UPGRADE", b"WebSocket"), (b"Connection", b"upgrade"), (b"Sec-WebSocket-Protocol", b"v1"),
                (b"Set-Cookie", b"__Host-session=x"), (b"Set-Cookie", b"a=1"), CL], [b"b=2"],
    )  # fmt: skip

    assert hints == b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    assert switch == (
        b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: v1\r\n"
        b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n"
    )
    with pytest.raises(UpstreamError, match="broken_response"):
        switching_head(b"Go", [(b"Upgrade", b"h2c")])


def test_trailers_that_change_the_response_are_dropped():
    """RFC 9110 §6.5.1."""
    lines = trailer_lines(
        [(b"X-Sum", b"1"), (b"set-cookie", b"a=1"), (b"Content-Length", b"9"), (b"grpc-status", b"0")]
    )

    assert lines == b"X-Sum: 1\r\ngrpc-status: 0\r\n"


NAMES = st.sampled_from([b"X-A", b"Set-Cookie", b"Cache-Control", b"Connection", b"Content-Type", b"Vary", b"Trailer",
                         b"Keep-Alive", b"Surrogate-Control", b"ETag", b"Content-Encoding"])  # fmt: skip
VALUES = st.sampled_from(
    [b"x", b"__Host-session=1", b"a=b", b"public", b"no-store", b"X-A", b"close", b"text/html", b""]
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=10), st.booleans(), st.booleans())
def test_whatever_an_upstream_says(pairs, document, http10):
    """The head is well-formed, says one Cache-Control that keeps shared caches out, and sets none of our cookies."""
    head = downstream_response_headers(200, b"OK", [*pairs, CL], document=document, http10=http10)

    _, found = fields(head)
    rules = [value for name, value in found if name == b"Cache-Control"]
    assert len(rules) == 1
    assert b"private" in rules[0] or b"no-store" in rules[0]
    assert not any(name == b"Set-Cookie" and sets_own_cookie(value) for name, value in found)
    assert [pair for pair in found if pair[0] == b"Content-Length"] == [CL]


class Llhttp:
    """A response head as llhttp reads it."""

    def __init__(self, head: bytes) -> None:
        self.reason = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.parser = httptools.HttpResponseParser(self)
        self.parser.feed_data(head + b"\r\n\r\n")

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value.strip(b" \t")))


PLAIN = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5",
    b"HTTP/1.1 200 \r\nServer: x\r\nContent-Length:0\r\nConnection: Keep-Alive\r\nKeep-Alive: timeout=5",
    b"HTTP/1.1 404 Not Found\r\ncontent-length: 7\r\nX-A: \t b \xe9 ",
    b"HTTP/1.1 206 Partial Content\r\nContent-Type: text/html\r\nContent-Range: bytes 0-1/5\r\nContent-Length: 2",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: public\r\nContent-Length: 9",
    b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 9",
]


@pytest.mark.parametrize("head", PLAIN)
@pytest.mark.parametrize("document", [False, True])
def test_a_plain_head_is_read_as_llhttp_reads_it(head: bytes, document: bool) -> None:
    """Three times, for from the second one on it is remembered."""
    witness = Llhttp(head)
    expected = downstream_response_headers(
        witness.parser.get_status_code(), witness.reason, witness.fields,
        keep_alive=False, document=document,
    )  # fmt: skip
    for _ in range(3):
        read = plain_response_head(head, keep_alive=False, document=document)
        assert read == (witness.parser.get_status_code(), expected)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK\r\nContent-Length: 1", b"HTTP/1.1 100 Continue\r\nContent-Length: 0",
        b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nContent-Length: 0", b"HTTP/1.1 200\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", b"HTTP/1.1 200 OK\r\nContent-Length: +1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nSet-Cookie: a=b", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close", b"HTTP/1.1 200 OK\r\nContent-Length: \xb2",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: X-A\r\nX-A: b", b"HTTP/1.1 200 OK\r\nContent-Length: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX-A: b\r\n c", b"HTTP/1.1 200 OK\r\nContent-Length: 1\nX-A: b",
        b"HTTP/1.1 200 OK\r\nContent-Length : 1", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX-A: b\x00",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nUpgrade: h2c", b"HTTP/1.1 200 OK\r\nTrailer: x\r\nContent-Length: 1",
        b"http/1.1 200 OK\r\nContent-Length: 1", b"HTTP/1.1 600 OK\r\nContent-Length: 1", b"", b"x\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1" + b"\r\nX: a" * 200, b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 40,
    ],
)  # fmt: skip
def test_anything_else_is_left_to_llhttp(head: bytes) -> None:
    """Other framings, other versions, and whatever is not strictly by the book."""
    assert plain_response_head(head, keep_alive=True, document=False) is None
