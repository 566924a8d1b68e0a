"""Each memory of what clients and upstreams send, filled with the largest that gets in: it stays within its bytes.

Measured by what Python allocates, not by what the memory believes it holds. Each is filled with many small things, with
few large ones, and with those that are just small enough to be kept.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from gateway.core.http import addresses, caching, header_names, request_head, response_headers
from gateway.core.http import request_headers as headers
from gateway.core.http.facts import DoorRules
from gateway.core.http.forwarded import AskingProxy
from gateway.core.http.header_names import NameKinds
from gateway.core.http.request_head import LONGEST_KNOWN, MAX_FIELDS
from gateway.core.http.request_headers import RequestRules
from gateway.telemetry import log, redaction
from tests.bounds.listed import fill, fills, stated

LONG = 64 * 1024
"""Bytes of header lines that a request may have at most by the usual configuration, and more."""
RULES = RequestRules()
DOOR = DoorRules("https", frozenset({"app.example.com"}), questions="/oauth2/auth")
CALLERS = (AskingProxy("nginx", (ip_network("192.0.2.1/32"),), DOOR),)


def names(at: int, size: int) -> bytes:
    return b"x%d" % at + b"y" * size


def block(at: int, size: int, lines: int) -> bytes:
    """Header lines of so many bytes together, the first of them the only one of its kind."""
    each = max(0, (size - 48) // max(1, lines) - 5)
    return b"\r\n".join(
        (b"Host: app.example.com", b"a:%d" % at, *(b"b:" + b"c" * each for _ in range(lines)))
    )


def head(at: int, size: int, lines: int) -> bytes:
    return b"GET /%b HTTP/1.1\r\n%b" % (b"%d" % at, block(at, size, lines))


def known_head(at: int, size: int, lines: int) -> None:
    """A head as a request reads it: with the facts that the door adds to it later."""
    sent = head(at, size, lines)
    request_head.read_head(sent, LONG).facts("192.0.2.1", DOOR)


def path(size: int) -> bytes:
    """Of so many bytes, a tenth of them escapes: each of these has to be decoded by itself."""
    return b"%41" * (size // 30) + b"p" * (size - size // 30 * 3)


def long_target(at: int, size: int, _: int) -> None:
    sent = b"GET /%d%b?%b HTTP/1.1\r\nHost: app.example.com" % (at, path(size // 2), b"q" * (size // 2))
    request_head.read_head(sent, LONG).facts("192.0.2.1", DOOR)


def question(at: int, size: int, _: int) -> None:
    """A question of a proxy, with the facts of the request that it is about, whose target is nearly all of it."""
    sent = (
        b"GET /oauth2/auth HTTP/1.1\r\nHost: app.example.com\r\nX-Original-Method: GET\r\n"
        b"X-Original-URL: https://app.example.com/%d%b?%b"
    ) % (at, path(size // 2), b"q" * (size // 2))
    read = request_head.read_head(sent, LONG)
    read.facts("192.0.2.1", DOOR)
    read.question("192.0.2.1", CALLERS, "/oauth2/auth", grpc=False)


def told(at: int, size: int, _: int) -> None:
    """What the door reads: cookies, Accept, Origin, X-Forwarded-For."""
    each = b"z" * (size // 4)
    sent = b"GET /%d HTTP/1.1\r\nHost: app.example.com\r\nCookie: %b\r\nAccept: %b\r\nOrigin: %b\r\nX-Forwarded-For: %b"
    request_head.read_head(sent % (at, each, each, each, each), LONG).facts("192.0.2.1", DOOR)


def passed(at: int, size: int, lines: int) -> None:
    """Header lines on their way to the upstream, as the reader gives them."""
    fields = request_head.read_block(block(at, size, lines), 2 * LONG).headers
    headers.upstream_request_head(
        RULES, b"GET", b"/", fields, client="192.0.2.1", scheme="https", host=b"app.example.com"
    )


def many_hosts(at: int, size: int, _: int) -> None:
    headers._forwarded[f"2001:db8::{at % 65_000:x}", "https", names(at, size)]


def plain(at: int, size: int, lines: int) -> None:
    sent = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" + block(at, size, lines)
    response_headers.plain_response_head(sent, keep_alive=True, document=False)


KINDS = NameKinds(lambda _: 0)
FILLED: dict[str, tuple[str, Any, Callable[[int, int, int], object]]] = {
    "spellings": ("core/http/request_headers.py kinds", KINDS, lambda at, size, _: KINDS[names(at, size)]),
    "upstreams' spellings": (
        "core/http/response_headers.py _KINDS",
        response_headers._KINDS,
        lambda at, size, _: response_headers._KINDS[names(at, size)],
    ),
    "nominated": (
        "core/http/header_names.py _nominated",
        header_names._nominated,
        lambda at, size, lines: header_names.nominated(
            b",".join(b"n%d-%d" % (at, n) + b"y" * (size // lines) for n in range(lines)), frozenset()
        ),
    ),
    "heads": ("core/http/request_head.py _known_head", request_head._known_head, known_head),
    "heads with long targets": (
        "core/http/request_head.py _known_head",
        request_head._known_head,
        long_target,
    ),
    "heads of questions": ("core/http/request_head.py _known_head", request_head._known_head, question),
    "heads of which the door reads much": (
        "core/http/request_head.py _known_head",
        request_head._known_head,
        told,
    ),
    "blocks": (
        "core/http/request_head.py _known_block",
        request_head._known_block,
        lambda at, size, lines: request_head.read_head(head(at, size, lines), LONG),
    ),
    "lines that pass": ("core/http/request_headers.py _passed", headers._passed, passed),
    "forwarded lines": ("core/http/request_headers.py _forwarded", headers._forwarded, many_hosts),
    "identity lines": (
        "core/http/request_headers.py _lines",
        headers._lines,
        lambda at, size, lines: headers._lines[
            tuple((b"X-%d-%d" % (at, n), b"v" * (size // lines)) for n in range(lines))
        ],
    ),
    "response heads": ("core/http/response_headers.py _known_plain", response_headers._known_plain, plain),
    "content types": (
        "core/http/response_headers.py _type_kind",
        response_headers._type_kind,
        lambda at, size, _: response_headers._type_kind[b"text/" + names(at, size)],
    ),
    "cache controls": (
        "core/http/caching.py _private",
        caching._private,
        lambda at, size, _: caching.private_cache_control(b"public, max-age=%d, " % at + b"e" * size),
    ),
    "addresses": (
        "core/http/addresses.py _known",
        addresses._known,
        lambda at, size, _: addresses.is_trusted(f"2001:db8::{at:x}%{'z' * min(size, 40)}", ()),
    ),
    "what is no address": (
        "core/http/addresses.py _known",
        addresses._known,
        lambda at, size, _: addresses.is_trusted(
            f"{at}".ljust(min(size, addresses.LONGEST), "\U0001f600"), ()
        ),
    ),
    "names of fields": (
        "telemetry/redaction.py _secret_names",
        redaction._secret_names,
        lambda at, size, _: redaction.telling(f"\U0001f600{at}" + "z" * size),
    ),
    "marks of sessions": (
        "telemetry/log.py _marks",
        log._marks,
        lambda at, size, _: log.session_mark(f"\U0001f600{at}" + "z" * size),
    ),
}
SHAPES = {
    "small": (0, 1, 6_200),
    "of 4 KB in many lines": (LONGEST_KNOWN - 160, MAX_FIELDS - 3, 700),
    "of 32 KB": (32_000, 1, 200),
}


@fills(*{place for place, _, _ in FILLED.values()}, "core/memo.py _older")
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize(("place", "memo", "send"), FILLED.values(), ids=FILLED.keys())
def test_a_memory_of_what_others_send(
    place: str,
    memo: Any,
    send: Callable[[int, int, int], object],
    shape: tuple[int, int, int],
    measured: Callable[[], int],
) -> None:
    """The bytes that Python has allocated for it are no more than it believes, and than it may take."""
    size, lines, times = shape
    send(0, size, lines)
    _forget_all_but()
    before = measured() - memo.taken
    fill(memo, lambda at: (send(at, size, lines), send(at, size, lines)), times)  # the second time it is kept
    _forget_all_but(memo)
    taken = measured() - before
    assert memo.kept <= memo.entries
    assert memo.taken <= memo.size == stated(place)
    assert taken <= memo.taken + 4_096, f"{taken} bytes, believed to be {memo.taken}"


def _forget_all_but(memo: Any = None) -> None:
    for _, other, _ in FILLED.values():
        if other is not memo:
            other.forget()


def test_what_is_small_enough_is_kept() -> None:
    """Else nothing would have been measured."""
    _, lines, times = SHAPES["small"]
    for _, memo, send in FILLED.values():
        _forget_all_but()
        fill(memo, lambda at: (send(at, 0, lines), send(at, 0, lines)), times)  # noqa: B023 - called at once
        assert memo.kept > memo.entries // 4


def test_r25_names_of_30_kb_do_not_stay() -> None:
    """2,048 of them stayed for ever, 64 MB for each route and worker."""
    kinds = NameKinds(lambda _: 0)
    for at in range(100):
        assert kinds[names(at, 30_000)] == kinds[names(at, 30_000)] == 0
        assert kinds.taken <= kinds.size
    for at in range(100):
        for size in (40_000, 7_000):
            assert kinds[names(at, size)] == kinds[names(at, size)] == 0
            assert kinds.taken <= kinds.size
    assert max(map(len, kinds)) < 8_000
