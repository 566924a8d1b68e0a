"""Each memory of what clients and upstreams send, filled with the largest that gets in: it stays within its bytes.

Measured by what Python allocates, not by what the memory believes it holds. Each is filled with many small things, with
few large ones, and with those that are just small enough to be kept.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.core import addresses, caching, header_names, headers, request_head, response_headers
from gateway.core.facts import DoorRules
from gateway.core.header_names import NameKinds
from gateway.core.headers import RequestRules
from gateway.core.memo import Kept
from gateway.core.request_head import LONGEST_KNOWN, MAX_FIELDS
from gateway.core.session import Principal
from gateway.telemetry import log, redaction
from gateway.web.rates import SOURCES, SOURCES_BYTES, TriesPerSource

LONG = 64 * 1024
"""Bytes of header lines that a request may have at most by the usual configuration, and more."""
RULES = RequestRules()
DOOR = DoorRules("https", frozenset({"app.example.com"}))


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


def long_target(at: int, size: int, _: int) -> None:
    sent = b"GET /%d%b?%b HTTP/1.1\r\nHost: app.example.com" % (at, b"%41" * (size // 6), b"q" * (size // 2))
    request_head.read_head(sent, LONG).facts("192.0.2.1", DOOR)


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
FILLED: dict[str, tuple[Any, Callable[[int, int, int], object]]] = {
    "spellings": (KINDS, lambda at, size, _: KINDS[names(at, size)]),
    "nominated": (
        header_names._nominated,
        lambda at, size, lines: header_names.nominated(
            b",".join(b"n%d-%d" % (at, n) + b"y" * (size // lines) for n in range(lines)), frozenset()
        ),
    ),
    "heads": (request_head._known_head, known_head),
    "heads with long targets": (request_head._known_head, long_target),
    "heads of which the door reads much": (request_head._known_head, told),
    "blocks": (
        request_head._known_block,
        lambda at, size, lines: request_head.read_head(head(at, size, lines), LONG),
    ),
    "lines that pass": (headers._passed, passed),
    "forwarded lines": (headers._forwarded, many_hosts),
    "identity lines": (
        headers._lines,
        lambda at, size, lines: headers._lines[
            tuple((b"X-%d-%d" % (at, n), b"v" * (size // lines)) for n in range(lines))
        ],
    ),
    "response heads": (response_headers._known_plain, plain),
    "content types": (
        response_headers._type_kind,
        lambda at, size, _: response_headers._type_kind[b"text/" + names(at, size)],
    ),
    "cache controls": (
        caching._private,
        lambda at, size, _: caching.private_cache_control(b"public, max-age=%d, " % at + b"e" * size),
    ),
    "addresses": (
        addresses._known,
        lambda at, size, _: addresses.is_trusted(f"2001:db8::{at:x}%{'z' * min(size, 40)}", ()),
    ),
    "what is no address": (
        addresses._known,
        lambda at, size, _: addresses.is_trusted(f"{at}".ljust(min(size, addresses.LONGEST), "é"), ()),
    ),
    "names of fields": (redaction._told, lambda at, size, _: redaction.telling(f"é{at}" + "z" * size)),
    "marks of sessions": (log._marks, lambda at, size, _: log.session_mark(f"\U0001f600{at}" + "z" * size)),
}
SHAPES = {
    "small": (0, 1, 4_500),
    "of 4 KB in many lines": (LONGEST_KNOWN - 160, MAX_FIELDS - 3, 700),
    "of 32 KB": (32_000, 1, 200),
}


@pytest.fixture
def measured() -> Iterator[Callable[[], int]]:
    """How many bytes are allocated that were not before."""
    gc.collect()
    tracemalloc.start()

    def now() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    yield now
    tracemalloc.stop()


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize(("memo", "send"), FILLED.values(), ids=FILLED.keys())
def test_it_stays_within_its_bytes(
    memo: Any,
    send: Callable[[int, int, int], object],
    shape: tuple[int, int, int],
    measured: Callable[[], int],
) -> None:
    """The bytes that Python has allocated for it are no more than it may take."""
    size, lines, times = shape
    for other, _ in FILLED.values():
        other.forget()
    send(0, size, lines)
    for other, _ in FILLED.values():
        other.forget()
    before = measured()
    for at in range(times):
        send(at, size, lines)
    for other, _ in FILLED.values():
        if other is not memo:
            other.forget()
    taken = measured() - before
    assert memo.kept <= memo.entries
    assert memo.taken <= memo.size
    assert taken <= memo.taken + 4_096, f"{taken} bytes, believed to be {memo.taken}"


def test_r25_names_of_30_kb_do_not_stay() -> None:
    """2,048 of them stayed for ever, 64 MB for each route and worker."""
    kinds = NameKinds(lambda _: 0)
    for at in range(300):
        assert kinds[names(at, 30_000)] == 0
    assert kinds.taken <= kinds.size
    for at in range(300):
        assert kinds[names(at, 40_000)] == 0
        assert kinds[names(at, 7_000)] == 0
        assert kinds.taken <= kinds.size
    assert max(map(len, kinds)) < 8_000


def test_sources_stay_within_their_bytes(measured: Callable[[], int]) -> None:
    """Also those that send from a new /64 every time."""
    tries = TriesPerSource()
    tries.spend("192.0.2.1")
    before = measured()
    for at in range(3 * SOURCES):
        tries.spend(f"2001:db8:{at >> 8:x}:{at & 255:x}::1")
    assert tries._left.kept <= SOURCES
    assert measured() - before <= SOURCES_BYTES


def test_sessions_stay_within_their_bytes(measured: Callable[[], int]) -> None:
    """With all that a session can hold: groups, claims, tokens, a page's own."""
    kept: Kept[int, Principal] = Kept(entries=4_096, size=4 * 1024 * 1024)
    before = measured()
    for at in range(3_000):
        groups = tuple(f"group {at} {n}" for n in range(40))
        claims = {f"claim {at} {n}": ["x" * 20, n * 10_000] for n in range(10)}
        kept.keep(at, Principal("i", f"s{at}", f"u{at}", groups=groups, claims=claims))
    assert measured() - before <= kept.taken <= kept.size
