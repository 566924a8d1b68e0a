"""A CheckRequest is read in one way, or refused (rule R7)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import DownstreamError
from gateway.core.http.facts import DoorRules
from gateway.web.ext_authz.messages_pb2 import (
    Attributes,
    CheckRequest,
    Header,
    HeaderList,
    HttpRequest,
    RequestAttributes,
)
from gateway.web.ext_authz.question import read_question

RULES = DoorRules("https", frozenset({"app.example.com"}))
LONGEST = 32 * 1024


def asked(http: HttpRequest) -> bytes:
    return CheckRequest(attributes=Attributes(request=RequestAttributes(http=http))).SerializeToString()


def http(
    headers: Sequence[tuple[bytes, bytes]] = (),
    *,
    raw: Sequence[tuple[bytes, bytes]] = (),
    method: bytes = b"GET",
    path: bytes = b"/a?b=c",
    host: bytes = b"app.example.com",
) -> HttpRequest:
    return HttpRequest(
        method=method,
        path=path,
        host=host,
        headers=[Header(key=name, value=value) for name, value in headers],
        header_map=HeaderList(headers=[Header(key=name, raw_value=value) for name, value in raw]),
    )


SAID = [
    (b":authority", b"evil.test"), (b":path", b"/evil"), (b":method", b"DELETE"), (b"host", b"evil.test"),
    (b"cookie", b"a=b; \xff=\xfe"), (b"accept", b"text/html"), (b"content-length", b"99999999999"),
    (b"transfer-encoding", b"chunked"), (b"expect", b"100-continue"), (b"x-original-url", b"http://evil.test/"),
]  # fmt: skip


@pytest.mark.parametrize("raw", [False, True])
def test_r07_method_host_and_target_come_from_envoys_fields_alone(raw: bool) -> None:
    """In both forms that Envoy has for headers; what a client says of them is not looked at, nor how a body is framed."""
    head = read_question(asked(http(raw=SAID) if raw else http(SAID)), LONGEST)
    assert (head.method, head.target) == ("GET", "/a?b=c")
    facts = head.facts("10.0.0.1", RULES)
    assert (facts.host, facts.path, facts.accept) == ("app.example.com", "/a", "text/html")
    assert facts.cookies == (b"a=b; \xff=\xfe",)
    assert (head.block.length, head.block.chunked, head.expects) == (0, False, False)


def test_a_header_that_comes_twice_is_seen_twice() -> None:
    """A map of names cannot hide it: on the wire it is a list."""
    twice = [(b"sec-fetch-site", b"same-origin"), (b"sec-fetch-site", b"cross-site")]
    for message in (http(twice), http(raw=twice)):
        with pytest.raises(DownstreamError, match="ambiguous_header"):
            read_question(asked(message), LONGEST)


def test_a_value_in_two_forms_is_refused() -> None:
    """As a map and raw, or both in one header."""
    accept = [(b"accept", b"*/*")]
    both = http(accept, raw=accept)
    each = http()
    each.headers.append(Header(key=b"accept", value=b"text/html", raw_value=b"*/*"))
    for message in (both, each):
        with pytest.raises(DownstreamError, match="ambiguous_header"):
            read_question(asked(message), LONGEST)


@pytest.mark.parametrize(
    "message",
    [
        b"\xff\xff\xff",
        b"",
        asked(http(method=b"")),
        asked(http(method=b"get it")),
        asked(http(method=b"G\r\nX: y")),
        asked(http(path=b"")),
        asked(http(path=b"*")),
        asked(http(path=b"http://app.example.com/")),
        asked(http(path=b"/a b")),
        asked(http(path=b"/\xc3\xa4")),
        asked(http(path=b"/a\r\nb: c")),
        asked(http(host=b"app.example.com\r\nx: y")),
        asked(http([(b"a\r\nx-auth-passive", b"1")])),
        asked(http([(b"a: b\r\nx", b"1")])),
        asked(http([(b"a", b"b\r\nsec-fetch-site: none")])),
        asked(http([(b"a", b"b\nc: d")])),
        asked(http([(b"a b", b"c")])),
        asked(http([(b"", b"c")])),
        asked(http([(b"a", b"\0")])),
        asked(http([(b"a:b", b"c")])),
    ],
)
def test_what_is_no_request_is_refused(message: bytes) -> None:
    """It never becomes one by being written out as lines."""
    with pytest.raises(DownstreamError, match="malformed_request"):
        read_question(message, LONGEST)


def test_header_lines_and_targets_have_a_size_and_a_number() -> None:
    """The same as at the door."""
    for message in (
        http([(b"a", b"b" * LONGEST)]),
        http([(b"a%d" % at, b"b") for at in range(200)]),
        http(path=b"/" + b"a" * LONGEST),
    ):
        with pytest.raises(DownstreamError, match="headers_too_large"):
            read_question(asked(message), LONGEST)


_bytes = st.binary(max_size=20) | st.sampled_from(
    [b"cookie", b"host", b":path", b"accept", b"a: b\r\nc", b"\r\n", b"x-auth-request-user", b"/", b"GET"]
)
_headers = st.lists(st.builds(Header, key=_bytes, value=_bytes, raw_value=_bytes | st.just(b"")), max_size=5)
_requests = st.builds(
    HttpRequest,
    method=_bytes | st.just(b"GET"),
    path=_bytes.map(lambda rest: b"/" + rest),
    host=_bytes | st.just(b"app.example.com"),
    headers=_headers,
    header_map=st.builds(HeaderList, headers=_headers | st.just([])),
)


@given(st.binary(max_size=300) | _requests.map(asked))
def test_whatever_comes_is_one_request_or_refused(message: bytes) -> None:
    """Only with our own error; what is read has the method, the target and the host that the fields say."""
    try:
        head = read_question(message, LONGEST)
    except DownstreamError:
        return
    said = CheckRequest.FromString(message).attributes.request.http
    assert (head.method.encode(), head.target.encode()) == (said.method, said.path)
    assert head.block.facts.authority == said.host.strip(b" \t").decode("latin-1").lower()
    given_names = {each.key.lower() for each in (*said.headers, *said.header_map.headers)}
    assert {name.lower() for name, _ in head.block.headers} <= given_names | {b"host"}
