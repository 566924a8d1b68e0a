"""Requests of all kinds, as bytes: honest, odd and hostile ones, one behind the other and mixed up."""

from __future__ import annotations

from hypothesis import strategies as st

FRAGMENTS = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\x00", b"\x0b", b"\x0c", b"\x7f", b"\x85", b"\xa0", b"\xff", b"0", b"5", b";", b",",
    b"#", b"%2f", b"/../", b"\\", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: 05\r\n",
    b"Content-Length: 5, 5\r\n", b"content-length:5\r\n", b"Content_Length: 9\r\n", b"Content-Length : 5\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n", b"Transfer-Encoding: x\r\n", b"Transfer-Encoding:\r\n chunked\r\n",
    b"Transfer_Encoding: chunked\r\n", b"TE: trailers\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n",
    b"Connection: upgrade\r\nUpgrade: websocket\r\n", b"Connection: upgrade\r\nUpgrade: h2c\r\n",
    b"Expect: 100-continue\r\n", b"Host: evil.example\r\n", b"X-Auth-Request-User: mallory\r\n", b"\r\n\r\n", b"0\r\n\r\n",
    b"0\r\nX: y\r\n\r\n", b"5\r\nhello\r\n", b"5;a=b\r\nhello\r\n", b"GET /smuggled HTTP/1.1\r\n", b"HTTP/1.0", b"HTTP/2.0",
    b"\r\n folded: b", b"X: " + b"a" * 70 + b"\r\n",
]  # fmt: skip
"""What parsers have stumbled over."""

steps = st.lists(
    st.tuples(
        st.sampled_from(["insert", "insert", "delete", "replace", "double"]),
        st.floats(0, 1),
        st.integers(1, 12),
        st.sampled_from(FRAGMENTS) | st.binary(min_size=1, max_size=3),
    ),
    max_size=3,
)
"""What to do to some bytes, and where."""


def mutated(data: bytes, done: list[tuple[str, float, int, bytes]]) -> bytes:
    """``data`` after these steps."""
    for how, where, size, fragment in done:
        at = int(where * len(data))
        if how == "insert":
            data = data[:at] + fragment + data[at:]
        elif how == "delete":
            data = data[:at] + data[at + size :]
        elif how == "replace":
            data = data[:at] + fragment + data[at + len(fragment) :]
        else:
            data = data[:at] + data[at : at + size] + data[at:]
    return data


METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "M-SEARCH")

_LINES = st.sampled_from(
    [
        b"X-A: b", b"X-A:b", b"x-a: \t b \t", b"X-B:", b"X_B: c", b"Accept: */*", b"Cookie: a=b; c=d", b"X: caf\xe9",
        b"Connection: close", b"Connection: keep-alive", b"Connection: X-A, keep-alive", b"Expect: 100-continue",
        b"Connection: Upgrade\r\nUpgrade: websocket", b"X-Long: " + b"a" * 300, b"TE: trailers",
    ]
)  # fmt: skip
_FRAMED = st.sampled_from(
    [
        (b"", b""), (b"", b""), (b"Content-Length: 0", b""), (b"Content-Length: 5", b"hello"), (b"content-length:3", b"GET"),
        (b"Content-Length: 24", b"GET /inner HTTP/1.1\r\nX:\r\n"[:24]), (b"Transfer-Encoding: chunked", b"0\r\n\r\n"),
        (b"transfer-encoding: Chunked", b"5\r\nhello\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked", b"00A;x=\"y\"\r\n0123456789\r\n1\r\n\r\r\n0\r\nTrailer: 1\r\n\r\n"),
        (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n"), (b"Content-Length: 50", b"too short"),
    ]
)  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """One request that may well be read."""
    method = draw(st.sampled_from(METHODS)).encode()
    target = draw(st.sampled_from([b"/", b"/x?y=z", b"/%2f..;a//b", b"*", b"http://a/x", b"/[]{}|^`<>\"'\\"]))
    version = draw(st.sampled_from([b"1.1", b"1.1", b"1.1", b"1.0"]))
    framing, body = draw(_FRAMED)
    lines = [b"Host: a", *draw(st.lists(_LINES, max_size=4)), *([framing] if framing else [])]
    lines = draw(st.permutations(lines))
    return b"%b %b HTTP/%b\r\n%b\r\n\r\n%b" % (method, target, version, b"\r\n".join(lines), body)


streams = st.builds(mutated, st.lists(requests(), min_size=1, max_size=3).map(b"".join), steps)
"""What one client sends."""
