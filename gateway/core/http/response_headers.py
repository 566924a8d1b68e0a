"""The response head as it goes to the client (design section 3, rules R17, R27 and R36).

Hop-by-hop headers and cookies with the gateway's names are dropped, caching is made private, the framing is the
gateway's own; every other header passes byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.core.errors import UpstreamError
from gateway.core.http.caching import NO_STORE, for_shared_caches, is_date, private_cache_control
from gateway.core.http.clearing import without_cookies
from gateway.core.http.connection_auth import SAYING, says_so
from gateway.core.http.header_names import HOP_BY_HOP, NameKinds, nominated
from gateway.core.http.own_cookies import is_own_cookie
from gateway.core.http.way_back import WayBack
from gateway.core.memo import Memo

RawHeaders = Sequence[tuple[bytes, bytes]]

NONE, LENGTH, CHUNKED, UNTIL_CLOSE = range(4)
"""How a body is framed (RFC 9112 §6.3)."""

(
    _PASS, _DROP, _SET_COOKIE, _CACHE, _TYPE, _LENGTH, _TRANSFER, _CONNECTION, _ENCODING, _TRAILER, _BUFFERING,
    _BINDING, _EXPIRES, _CLEARING, _LOCATION,
) = range(15)  # fmt: skip

_SPECIAL = {
    b"set-cookie": _SET_COOKIE,
    b"cache-control": _CACHE,
    b"content-type": _TYPE,
    b"content-length": _LENGTH,
    b"transfer-encoding": _TRANSFER,
    b"connection": _CONNECTION,
    b"content-encoding": _ENCODING,
    b"trailer": _TRAILER,
    b"x-accel-buffering": _BUFFERING,
    b"expires": _EXPIRES,
    b"clear-site-data": _CLEARING,
    b"location": _LOCATION,
    b"content-location": _LOCATION,
    **dict.fromkeys(SAYING, _BINDING),
}
_NEVER_NOMINATED = frozenset(_SPECIAL)
_NEVER_TRAILERS = frozenset(
    {
        *HOP_BY_HOP, b"trailer", b"content-length", b"content-encoding", b"content-type", b"content-range", b"host",
        b"set-cookie", b"cache-control", b"authorization", b"cookie", b"expires", b"vary", b"age", b"location",
        b"www-authenticate", b"clear-site-data",
    }
)  # fmt: skip
"""RFC 9110 §6.5.1: framing, routing, authentication and response control may not come after the body."""

_ORDINARY, _HTML, _EVENTS, _FRAMES = range(4)

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) ([\t -~\x80-\xff]*)")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t -~\x80-\xff]*)")
_NUMBER = re.compile(rb"[0-9]{1,18}")
_MAX_PLAIN = 128
"""Fields of a head that is read here."""
_LONGEST_PLAIN = 4_096
"""Bytes of such a head; with the number of those remembered it bounds the memory."""


@dataclass(slots=True)
class ResponseHead:
    """The head to send and what it says about the body.

    :ivar raw: up to and with the empty line.
    :ivar framing: of the upstream's body: NONE, LENGTH, CHUNKED or UNTIL_CLOSE.
    :ivar length: bytes of the body where framing is LENGTH.
    :ivar chunk: whether the body goes on to the client in chunks.
    :ivar close: whether the client connection ends with this response.
    :ivar lasts: it goes on for as long as it likes by its nature: ``text/event-stream``, in any coding, and
        ``multipart/x-mixed-replace``.
    :ivar events: ``text/event-stream`` without a content coding, so that its events can be told apart.
    :ivar binds: the upstream authenticates connections, so this one is its client's alone.
    """

    raw: bytes
    framing: int
    length: int
    chunk: bool
    close: bool
    lasts: bool
    events: bool
    binds: bool = False


def _classify(name: bytes) -> int:
    if name in HOP_BY_HOP or for_shared_caches(name):
        return _SPECIAL.get(name, _DROP)
    return _SPECIAL.get(name, _PASS)


_KINDS = NameKinds(_classify)


def _read_type(value: bytes) -> int:
    media_type = value.partition(b";")[0].strip(b" \t").lower()
    if media_type in {b"text/html", b"application/xhtml+xml"}:
        return _HTML
    if media_type == b"text/event-stream":
        return _EVENTS
    return _FRAMES if media_type == b"multipart/x-mixed-replace" else _ORDINARY


_type_kind = Memo(_read_type, entries=512, size=128 * 1024)


def sets_own_cookie(value: bytes) -> bool:
    """Whether a Set-Cookie value would set one of the gateway's cookies, also in the form without a name
    (``=__Host-session=x``, which some browsers send back as ``__Host-session=x``).
    """
    pair = value.partition(b";")[0].strip(b" \t")
    name = pair.lstrip(b"= \t").partition(b"=")[0].rstrip(b" \t")
    return is_own_cookie(name)


def downstream_response_headers(  # noqa: C901, PLR0912, PLR0915 -- one pass over the headers on the hot path
    status: int,
    reason: bytes,
    headers: RawHeaders,
    *,
    head_only: bool = False,
    http10: bool = False,
    keep_alive: bool = True,
    document: bool = False,
    set_cookies: Iterable[bytes] = (),
    way: WayBack | None = None,
) -> ResponseHead:
    """The head of a final response.

    :param head_only: it answers HEAD. :param http10: the client speaks HTTP/1.0.
    :param keep_alive: the client connection may go on after it.
    :param document: the request has a document destination. :param set_cookies: values the gateway adds.
    :param way: of redirects, where the upstream's own addresses are others.
    :raises UpstreamError: ``broken_response`` for a transfer coding other than ``chunked``.
    """
    lines = [b"HTTP/1.1 %d %b" % (status, reason)]
    add = lines.append
    caching: list[bytes] = []
    length = -1
    media = _ORDINARY
    chunked = encoded = binds = expires = False
    unbuffered = b"X-Accel-Buffering: no"
    for name, value in headers:
        kind = _KINDS[name]
        if kind == _PASS:
            add(name + b": " + value)
        elif kind == _DROP:
            continue
        elif kind == _LENGTH:
            length = int(value)
        elif kind == _TYPE:
            media = _type_kind[value]
            add(name + b": " + value)
        elif kind == _CACHE:
            caching.append(value)
        elif kind == _SET_COOKIE:
            if not sets_own_cookie(value):
                add(name + b": " + value)
        elif kind == _TRANSFER:
            chunked = _only_chunked(value)
        elif kind == _ENCODING:
            encoded = value.strip(b" \t").lower() not in {b"", b"identity"}
            add(name + b": " + value)
        elif kind == _TRAILER:
            if not http10:
                add(name + b": " + value)
        elif kind == _BINDING:
            binds = binds or says_so(name.lower(), value)
            add(name + b": " + value)
        elif kind == _EXPIRES:
            expires = is_date(value)
            add(name + b": " + value)
        elif kind == _CLEARING:
            if kept := without_cookies(value):
                add(name + b": " + kept)
        elif kind == _LOCATION:
            add(name + b": " + (value if way is None else way.location(value)))
        elif kind == _BUFFERING:
            unbuffered = name + b": " + value
        elif nominated(value, _NEVER_NOMINATED):
            return downstream_response_headers(
                status, reason, _without_nominated(headers),
                head_only=head_only, http10=http10, keep_alive=keep_alive, document=document, set_cookies=set_cookies,
                way=way,
            )  # fmt: skip
    if document or media == _HTML:
        add(NO_STORE)
    else:
        add(b"Cache-Control: " + private_cache_control(b", ".join(caching), expires=expires))
    lasts = media >= _EVENTS
    if lasts:
        add(unbuffered)
    for cookie in set_cookies:
        add(b"Set-Cookie: " + cookie)
    framing = _framing(status, head_only=head_only, chunked=chunked, length=length)
    chunk = framing >= CHUNKED and not http10
    close = not keep_alive or (framing >= CHUNKED and http10)
    if chunk:
        add(b"Transfer-Encoding: chunked")
    elif length >= 0 and status != 204:
        add(b"Content-Length: %d" % length)
    if close:
        add(b"Connection: close")
    elif http10:
        add(b"Connection: keep-alive")
    add(b"\r\n")
    return ResponseHead(
        b"\r\n".join(lines),
        framing,
        max(length, 0),
        chunk,
        close,
        lasts,
        media == _EVENTS and not encoded,
        binds,
    )


def plain_response_head(
    head: bytes, *, keep_alive: bool, document: bool, way: WayBack | None = None
) -> tuple[int, ResponseHead] | None:
    """Status and head of a final HTTP/1.1 response with a length, to a client of HTTP/1.1, and without cookies.

    Most responses are like this, and servers repeat their heads: what was read before is known by its bytes. Cookies
    are somebody's own, and nothing to remember.

    :param head: up to its empty line.
    :returns: None for any other response, and for what is not read strictly here: those are llhttp's.
    """
    return _known_plain[head, keep_alive, document, way] if len(head) <= _LONGEST_PLAIN else None


def _read_plain(asked: tuple[bytes, bool, bool, WayBack | None]) -> tuple[int, ResponseHead] | None:
    head, keep_alive, document, way = asked
    first, *lines = head.split(b"\r\n")
    line = _STATUS_LINE.fullmatch(first)
    if line is None or len(lines) > _MAX_PLAIN:
        return None
    headers = [(name, value.strip(b" \t")) for name, value in _fields(lines)]
    if len(headers) != len(lines) or any(not _is_plain(name, value) for name, value in headers):
        return None
    if [_KINDS[name] for name, _ in headers].count(_LENGTH) != 1:
        return None
    status = int(line[1])
    return status, downstream_response_headers(
        status, line[2], headers, keep_alive=keep_alive, document=document, way=way
    )


_known_plain = Memo(
    _read_plain, entries=1_024, size=4 * 1024 * 1024, weigh=lambda asked, _: 640 + 2 * len(asked[0])
)


def _fields(lines: Iterable[bytes]) -> Iterable[tuple[bytes, bytes]]:
    return ((found[1], found[2]) for found in map(_FIELD.fullmatch, lines) if found is not None)


def _is_plain(name: bytes, value: bytes) -> bool:
    """Whether a field leaves framing and connection as they mostly are."""
    kind = _KINDS[name]
    if kind == _LENGTH:
        return _NUMBER.fullmatch(value) is not None
    if kind == _CONNECTION:
        return value.lower() == b"keep-alive"
    return kind not in {_TRANSFER, _TRAILER, _SET_COOKIE} and name.lower() != b"upgrade"


def _framing(status: int, *, head_only: bool, chunked: bool, length: int) -> int:
    if head_only or status in {204, 304}:
        return NONE
    if chunked:
        return CHUNKED
    if length < 0:
        return UNTIL_CLOSE
    return LENGTH if length else NONE


def _only_chunked(value: bytes) -> bool:
    if value.strip(b" \t").lower() != b"chunked":
        raise UpstreamError("broken_response", "The upstream used a transfer coding other than chunked.")
    return True


def _without_nominated(headers: RawHeaders) -> RawHeaders:
    connections = [value for name, value in headers if _KINDS[name] == _CONNECTION]
    gone = frozenset().union(*(nominated(value, _NEVER_NOMINATED) for value in connections))
    return [
        (name, value) for name, value in headers if _KINDS[name] != _CONNECTION and name.lower() not in gone
    ]


def interim_head(status: int, reason: bytes, headers: RawHeaders) -> bytes:
    """The head of a 1xx response that is passed on (103, RFC 8297)."""
    kept = [
        name + b": " + value
        for name, value in _without_nominated(headers)
        if name.lower() not in _NEVER_TRAILERS
    ]
    return b"\r\n".join((b"HTTP/1.1 %d %b" % (status, reason), *kept, b"\r\n"))


def switching_head(reason: bytes, headers: RawHeaders, set_cookies: Iterable[bytes] = ()) -> bytes:
    """The head of a 101 that switches to WebSocket; subprotocol and extensions pass untouched.

    :raises UpstreamError: ``broken_response`` when it switches to something else.
    """
    upgrades = [value.strip(b" \t").lower() for name, value in headers if name.lower() == b"upgrade"]
    if upgrades != [b"websocket"]:
        raise UpstreamError("broken_response", "The upstream switched to a protocol nobody asked for.")
    kept = [
        name + b": " + value
        for name, value in _without_nominated(headers)
        if _KINDS[name] in {_PASS, _SET_COOKIE, _TYPE, _BINDING}
        and not (_KINDS[name] == _SET_COOKIE and sets_own_cookie(value))
    ]
    return b"\r\n".join(
        (
            b"HTTP/1.1 101 %b" % reason,
            b"Connection: Upgrade",
            b"Upgrade: websocket",
            *kept,
            *(b"Set-Cookie: " + cookie for cookie in set_cookies),
            b"\r\n",
        )
    )


def trailer_lines(headers: RawHeaders) -> bytes:
    """Trailers that may follow the last chunk, each with its line end."""
    kept = [(name, value) for name, value in headers if name.lower() not in _NEVER_TRAILERS]
    return b"".join(name + b": " + value + b"\r\n" for name, value in kept)
