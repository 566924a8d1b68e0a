"""The strict reading of request heads, and llhttp as its witness."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from ipaddress import ip_network

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.errors import DownstreamError
from gateway.core.http.facts import DoorRules
from gateway.core.http.forwarded import AskingProxy
from gateway.core.http.request_head import (
    LONGEST_KNOWN,
    MAX_FIELDS,
    check_beginning,
    read_block,
    read_head,
    read_known_block,
    read_request_line,
)
from gateway.core.http.target import split_target

LONGEST = 8_190


class Witness:
    """What llhttp reads."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.messages = 0

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value.strip(b" \t")))

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.messages += 1


def code(block: bytes, longest: int = LONGEST) -> str:
    """Why a block is refused; empty when it is not."""
    try:
        read_block(block, longest)
    except DownstreamError as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (b"GET / HTTP/1.1", ("GET", "/", False)),
        (b"POST /a?b#c HTTP/1.0", ("POST", "/a?b#c", True)),
        (b"M-SEARCH * HTTP/1.1", ("M-SEARCH", "*", False)),
    ],
)
def test_a_request_line_has_three_parts(line: bytes, read: tuple[str, str, bool]) -> None:
    """What the target means is asked elsewhere."""
    assert read_request_line(line) == read


@pytest.mark.parametrize(
    "line",
    [
        b"", b"GET", b"GET /", b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b" GET / HTTP/1.1", b"GET / HTTP/1.1 ",
        b"get / HTTP/1.1", b"GET / http/1.1", b"GET / HTTP/0.9", b"GET / HTTP/1.2", b"GET / HTTP/2.0", b"GET / HTTP/11",
        b"GET / HTTP/1.1\n", b"GET\t/ HTTP/1.1", b"GET /\x00 HTTP/1.1", b"GET /\xc3\xa9 HTTP/1.1", b"G=T / HTTP/1.1",
        b"GET /a b HTTP/1.1", b"A" * 33 + b" / HTTP/1.1", b"GET / HTTP/1.1\r", b"PRI * HTTP/2.0",
    ],
)  # fmt: skip
def test_any_other_request_line_is_malformed(line: bytes) -> None:
    """No leniency of RFC 9112 §3 is used."""
    with pytest.raises(DownstreamError) as refused:
        read_request_line(line)
    assert refused.value.code == "malformed_request"


def test_a_head_is_a_line_and_a_block() -> None:
    """An expectation counts in HTTP/1.1 only; HTTP/1.0 needs no header lines."""
    for minor, http10 in ((b"1", False), (b"0", True)):
        head = read_head(b"GET /a HTTP/1.%b\r\nHost: a\r\nExpect: 100-continue" % minor, LONGEST)
        assert (head.method, head.target, head.http10, head.expects) == ("GET", "/a", http10, not http10)
        assert head.block.headers == ((b"Host", b"a"), (b"Expect", b"100-continue"))
    assert read_head(b"GET / HTTP/1.0", LONGEST).block.headers == ()


def test_a_head_known_by_its_bytes_says_who_asks_and_of_whom() -> None:
    """Its facts are remembered for the address and the rules that they were made with, and for no others."""
    rules = DoorRules("http", frozenset({"a"}), (ip_network("192.0.2.0/24"),))
    others = DoorRules("https", frozenset({"a"}))
    asked = b"GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.7"
    read_head(asked, LONGEST)
    head = read_head(asked, LONGEST)
    assert read_head(bytes(bytearray(asked)), LONGEST) is head
    assert head.facts("192.0.2.1", rules) is head.facts("192.0.2.1", rules)
    clients = [head.facts(peer, rules).client for peer in ("192.0.2.1", "203.0.113.9", "192.0.2.1")]
    assert clients == ["198.51.100.7", "203.0.113.9", "198.51.100.7"]
    assert [head.facts("192.0.2.1", each).scheme for each in (rules, others, rules)] == [
        "http",
        "https",
        "http",
    ]


def test_r07_a_question_known_by_its_bytes_is_that_caller_s_alone() -> None:
    """It is read again for another address, for a caller that is read otherwise or has to send another secret, below
    another path and over the other protocol; what was refused is refused again.
    """
    networks = (ip_network("192.0.2.0/24"),)
    rules = DoorRules("https", frozenset({"a"}), networks, questions="/q")
    nginx = AskingProxy("nginx", networks, rules, secret=b"known")
    asked = (
        b"GET /q/x HTTP/1.1\r\nHost: a\r\nX-Gateway-Secret: known\r\nX-Forwarded-For: 198.51.100.7\r\n"
        b"X-Original-Method: GET\r\nX-Original-URL: https://a/y"
    )
    read_head(asked, LONGEST)
    head = read_head(asked, LONGEST)
    callers = (nginx,)
    first = head.question("192.0.2.1", callers, "/q", grpc=False)
    assert (first[0], first[1].path, first[1].client) == (nginx, "/y", "198.51.100.7")
    assert head.question("192.0.2.1", callers, "/q", grpc=False) is first
    envoy = AskingProxy("envoy", networks, rules, secret=b"known")
    assert head.question("192.0.2.1", (envoy,), "/q", grpc=False)[1].path == "/x"
    for peer, others, path, grpc, why in (
        ("203.0.113.9", callers, "/q", False, ("untrusted_caller", "address")),
        ("192.0.2.1", (nginx._replace(secret=b"other"),), "/q", False, ("untrusted_caller", "wrong_secret")),
        ("192.0.2.1", (envoy,), "/q/x", False, ("original_missing", "path")),
        ("192.0.2.1", callers, "/q", True, ("untrusted_caller", "other_protocol")),
    ):
        head.question("192.0.2.1", callers, "/q", grpc=False)
        for _ in range(2):
            with pytest.raises(DownstreamError) as refused:
                head.question(peer, others, path, grpc=grpc)
            assert (refused.value.code, refused.value.detail) == why


def test_a_refused_host_is_refused_again() -> None:
    """No answer is remembered, least of all that nothing was wrong."""
    head = read_head(b"GET /x HTTP/1.1\r\nHost: evil.example", LONGEST)
    for _ in range(2):
        with pytest.raises(DownstreamError) as refused:
            head.facts("192.0.2.1", DoorRules("http", frozenset({"a"})))
        assert refused.value.code == "unknown_host"


def test_long_heads_are_not_remembered() -> None:
    """Who sends long ones fills no memory with them."""
    asked = b"GET /" + b"x" * LONGEST_KNOWN + b" HTTP/1.1\r\nHost: a"
    read_head(asked, LONGEST)
    assert read_head(asked, LONGEST) is not read_head(bytes(bytearray(asked)), LONGEST)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GET / HTTP/1.1", "malformed_request"), (b"GET / HTTP/1.1\r\nX: a", "malformed_request"),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked", "malformed_request"),
        (b"GET /" + b"a" * 87 + b" HTTP/1.1\r\nHost: a", "headers_too_large"),
        (b"GET /" + b"a" * 86 + b" HTTP/1.1\r\nHost: a", ""),
    ],
)  # fmt: skip
def test_each_version_has_its_rules(data: bytes, expected: str) -> None:
    """HTTP/1.1 names its host, HTTP/1.0 knows no chunks; a line has its limit in both."""
    found = ""
    try:
        read_head(data, 100)
    except DownstreamError as error:
        found = error.code
    assert found == expected


def test_header_lines_are_read_as_they_came() -> None:
    """Spelling, order and inner white space stay; white space around a value goes."""
    block = read_block(b"Host: a\r\nX-b:\t 1 \t2 \r\nX-b:3\r\nEmpty:\r\nU:\xc3\xa9", LONGEST)
    assert block.headers == (
        (b"Host", b"a"),
        (b"X-b", b"1 \t2"),
        (b"X-b", b"3"),
        (b"Empty", b""),
        (b"U", b"\xc3\xa9"),
    )
    assert (block.length, block.chunked, block.expects, block.close, block.keep) == (
        0,
        False,
        False,
        False,
        False,
    )
    assert read_block(b"", LONGEST).headers == ()


def test_framing_and_connection_are_read() -> None:
    """Length, coding, expectation, and what shall become of the connection."""
    block = read_block(b"Content-Length: 12\r\nExpect: 100-Continue\r\nConnection: x, Close", LONGEST)
    assert (block.length, block.chunked, block.expects, block.close, block.keep) == (
        12,
        False,
        True,
        True,
        False,
    )
    block = read_block(b"Transfer-Encoding: Chunked\r\nConnection: foo\r\nConnection: keep-alive", LONGEST)
    assert (block.length, block.chunked, block.close, block.keep) == (0, True, False, True)


@pytest.mark.parametrize(
    "block",
    [
        b"X", b": a", b"X : a", b"X\t: a", b" X: a", b"X: a\r\n b", b"X: a\r\n\tb", b"X: a\x00", b"X: a\nY: b", b"X: a\rY: b",
        b"X: a\x7f", b"X: \x1b[0m", b"X(: a", b"X\xe9: a", b"X: a\r\n", b"\r\nX: a", b"X: a\r\n\r\nY: b", b"X: a\x0b",
        b"Content-Length: +5", b"Content-Length: -1", b"Content-Length: 0x5", b"Content-Length: 5 5",
        b"Content-Length: 5, 5", b"Content-Length:", b"Content-Length: 1" + b"0" * 18, b"Content-Length: \xb2",
        b"Content-Length: 010", b"Content-Length: 00",
    ],
)  # fmt: skip
def test_what_two_parsers_could_read_differently_is_malformed(block: bytes) -> None:
    """Folding, spaces before the colon, control bytes, odd line ends, odd lengths (RFC 9112 §§5, 6.3)."""
    assert code(block) == "malformed_request"


@pytest.mark.parametrize(
    "block",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 4",
        b"Content-Length: 4\r\nContent-Length: 4", b"Content-Length: 4\r\nCONTENT-LENGTH: 5",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: xchunked", b"Transfer-Encoding: identity", b"Transfer-Encoding:", b"Host: a\r\nHost: a",
    ],
)  # fmt: skip
def test_a_body_is_framed_in_one_way(block: bytes) -> None:
    """And by exactly one header, whatever its spelling (RFC 9112 §6.1)."""
    assert code(block) == "ambiguous_header"


def test_heads_are_bounded() -> None:
    """By their number and all together; a limit counts although the block was read under another."""
    assert code(b"X: " + b"a" * 97, 100) == ""
    assert code(b"X: " + b"a" * 98, 100) == "headers_too_large"
    assert code(b"X: a\r\n" * (MAX_FIELDS - 1) + b"X: a") == ""
    assert code(b"X: a\r\n" * MAX_FIELDS + b"X: a") == "headers_too_large"
    assert code(b"X: " + b"a" * 97, 50) == "headers_too_large"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GE", ""), (b"GET / HTTP/1.1\r", ""), (b"GET / HTTP/1.1\r\nX: ", ""), (b"GET / HTTP/1.1\nX", "malformed_request"),
        (b"GET /\r\n", "malformed_request"), (b"\x16\x03\x01\x02", "malformed_request"),
        (b"GET / HTTP/1.1\r\nX: a\rb", "malformed_request"), (b"GET /" + b"a" * 200, "headers_too_large"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 200, "headers_too_large"),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 100, "headers_too_large"),
    ],
)  # fmt: skip
def test_what_cannot_become_a_head_is_not_waited_for(data: bytes, expected: str) -> None:
    """A handshake of TLS on a plain port, HTTP/0.9, lines that are too long already."""
    found = ""
    try:
        check_beginning(data, 0, 0, 100)
    except DownstreamError as error:
        found = error.code
    assert found == expected


_PIECES = st.sampled_from(
    [
        b"Host", b"X-A", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Upgrade", b"Expect", b":", b": ", b" ",
        b"\t", b"\r\n", b"\n", b"\r", b"a", b"chunked", b"identity", b",", b"0", b"7", b"+", b"close", b"keep-alive",
        b"\x00", b"\x7f", b"\xff", b"_", b"(", b"\x0c", b"websocket", b"100-continue",
    ]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=14).map(b"".join))
def test_llhttp_reads_what_is_accepted_in_the_same_way(block: bytes) -> None:
    """Header by header, and with the same framing; what llhttp refuses is refused."""
    try:
        read = read_block(block, LONGEST)
    except DownstreamError:
        return
    witness = Witness()
    parser = httptools.HttpRequestParser(witness)
    body = b"7\r\nAAAAAAA\r\n0\r\n\r\n" if read.chunked else b"A" * read.length
    end = b"\r\n" if block else b""
    with contextlib.suppress(httptools.HttpParserUpgrade):
        parser.feed_data(b"POST /x HTTP/1.1\r\n" + block + end + b"\r\n" + body)
    assert witness.target == b"/x"
    assert tuple(witness.headers) == read.headers
    if not parser.should_upgrade():
        assert (witness.messages, witness.body) == (1, b"AAAAAAA" if read.chunked else body)
        assert parser.should_keep_alive() == (not read.close)


_ASKED = st.sampled_from(
    [
        b"X-Original-URL: http://a/x", b"X-Forwarded-Uri: /x", b"x-forwarded-uri: /y", b"x-original-url: http://a/y",
        b"X-Original-URL:", b"X-Original-URL : /", b"X-Original-URL: a\rb", b"X-Forwarded-Uri: a\nb", b"X-Original-URLs: 1",
        b"Host: a", b"Host: b", b"Cookie: a=1", b"Cookie: b=2", b"Content-Length: 7", b"Transfer-Encoding: chunked",
        b"Connection: close", b"Authorization: NTLM x", b"X-A: \r", b"\r", b"", b"A B: c",
    ]
)  # fmt: skip


@given(st.lists(_ASKED, max_size=8), st.sampled_from([40, 90, LONGEST]))
@example([b"", b"X-Original-URL: http://a/x"], LONGEST)
def test_a_question_is_read_as_any_other_block(lines: list[bytes], longest: int) -> None:
    """Looked for without the line that has the target: refused alike, with the same facts and framing; only that line
    comes last.
    """
    block = b"\r\n".join(lines)
    read: list[object] = []
    for way in (read_block, read_known_block, read_known_block, read_known_block):
        try:
            found = way(block, longest)
        except DownstreamError as error:
            read.append(error.code)
        else:
            moved = (b"x-original-url", b"x-forwarded-uri")
            names = [header for header in found.headers if header[0].lower() not in moved]
            read.append((replace(found, headers=()), names, sorted(found.headers)))
    if isinstance(read[0], str):
        assert all(isinstance(each, str) for each in read)
    else:
        assert read == [read[0]] * 4


def test_the_lines_of_a_question_are_bounded_too() -> None:
    """The line with the target counts among them, and is no longer for coming apart."""
    target = b"\r\nX-Original-URL: http://a/x"
    most = b"\r\n".join([b"X: a"] * (MAX_FIELDS - 1))
    assert len(read_known_block(most + target, LONGEST).headers) == MAX_FIELDS
    for block, longest in ((most + b"\r\nX: a" + target, LONGEST), (b"X: a" + target, 20)):
        with pytest.raises(DownstreamError, match="headers_too_large"):
            read_known_block(block, longest)


def test_many_lines_with_a_target_are_read_at_once() -> None:
    """As many as there may be, each alike: none of them comes apart, and nothing is read again and again."""
    block = b"X: a" + b"\r\nX-Original-URL: /" * (MAX_FIELDS - 1)
    assert len(block) <= LONGEST_KNOWN
    assert read_known_block(block, LONGEST) == read_block(block, LONGEST)


@pytest.mark.parametrize(
    ("target", "host", "origin_form"),
    [
        ("http://App.Test/x?y=%2f", "App.Test", "/x?y=%2f"),
        ("HTTPS://app.test:8443/x", "app.test:8443", "/x"),
        ("http://app.test", "app.test", "/"),
        ("http://app.test?q=http://z/", "app.test", "/?q=http://z/"),
        ("http://[::1]:80//x", "[::1]:80", "//x"),
    ],
)
@pytest.mark.parametrize("rest", [b"1\r\nHost: other.test\r\nA: b", b"0\r\nA: b"])
def test_the_absolute_form_says_the_host(target, host, origin_form, rest) -> None:
    """RFC 9112 §3.2.2: whatever Host says; what is decided on and what is handed on is the same host. HTTP/1.0 alone may
    go without one.
    """
    head = read_head(b"GET " + target.encode() + b" HTTP/1." + rest, 8_190)
    assert (head.target, head.block.facts.authority) == (origin_form, host.lower())
    assert head.block.headers == ((b"Host", host.encode()), (b"A", b"b"))


@pytest.mark.parametrize(
    "target",
    ["http://a@app.test/", "http://app.test@evil.test/", "http:///x", "http:/x", "ftp://app.test/", "http://app.test\\x", "x://", "http://a,b/"],
)  # fmt: skip
def test_other_forms_stay_what_they_are(target) -> None:
    """And are refused where the target is read."""
    head = read_head(b"GET " + target.encode() + b" HTTP/1.1\r\nHost: app.test", 8_190)
    assert head.target == target
    with pytest.raises(DownstreamError):
        split_target(head.target)
