"""A CheckRequest becomes the head of the question that Envoy asks over HTTP too (rule R7, protocol facts D.4).

Method, host and target come from the fields that Envoy fills, everything else from the client's headers. Of these all
that is the gateway's to know from elsewhere is left out: pseudo headers and Host, and what frames a body, which Envoy
keeps to itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from google.protobuf.message import DecodeError

from gateway.core.errors import DownstreamError
from gateway.core.http.forwarded import SECRET
from gateway.core.http.request_head import RequestHead, malformed, read_known_block
from gateway.web.ext_authz.messages_pb2 import CheckRequest, Header, HttpRequest

RawHeaders = Sequence[tuple[bytes, bytes]]
_TARGET = re.compile(rb"/[!-~]*")
_METHOD = re.compile(rb"[A-Z-]{1,32}")
_LEFT_OUT = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect", SECRET})


def read_question(message: bytes, longest: int, secret: bytes = b"") -> RequestHead:
    """The head of the request that is asked about.

    :param message: of a client, so anything. :param secret: what the caller has sent beside it.
    :param longest: bytes of all its header lines, and of its target.
    :raises DownstreamError: ``malformed_request``, ``ambiguous_header``, ``headers_too_large``. None may become a pass.
    """
    try:
        http = CheckRequest.FromString(message).attributes.request.http
    except DecodeError:
        raise malformed() from None
    if _METHOD.fullmatch(http.method) is None or _TARGET.fullmatch(http.path) is None:
        raise malformed()
    if len(http.path) > longest:
        raise DownstreamError("headers_too_large")
    lines = [_line(b"host", http.host), *(_line(*pair) for pair in _client_headers(http))]
    if secret:
        lines.append(_line(SECRET, secret))
    block = read_known_block(b"\r\n".join(lines), longest)
    return RequestHead(http.method.decode("ascii"), http.path.decode("ascii"), False, block)


def _client_headers(http: HttpRequest) -> Iterator[tuple[bytes, bytes]]:
    if http.headers and http.header_map.headers:
        raise DownstreamError("ambiguous_header", "repeated", name="header_map")
    for each in http.headers or http.header_map.headers:
        name = each.key.lower()
        if not name.startswith(b":") and name not in _LEFT_OUT:
            yield each.key, _value(each)


def _value(header: Header) -> bytes:
    if header.value and header.raw_value:
        raise DownstreamError("ambiguous_header", "repeated", name="raw_value")
    return header.value or header.raw_value


def _line(name: bytes, value: bytes) -> bytes:
    """A header line, which is read by the rules of the door; here only that it is one."""
    if b":" in name or b"\r" in value or b"\n" in value or b"\n" in name:
        raise malformed()
    return b"%b:%b" % (name, value)
