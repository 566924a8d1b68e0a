"""What caches may keep of a gated application (rule R27).

Documents are not stored at all: Firefox shows a signed-out application from its cache otherwise. Everything else may
be kept by the browser alone, so ``public``, ``s-maxage`` and the headers that only shared caches read are removed. What
does not say for how long is asked for anew each time: a browser would choose by itself (RFC 9111 §4.2.2), and show the
next person what it kept for the last one.
"""

from __future__ import annotations

import re

from gateway.core.memo import Memo

NO_STORE = b"Cache-Control: no-store"

SHARED_CACHE_HEADERS = frozenset(
    {
        b"cdn-cache-control",
        b"surrogate-control",
        b"edge-control",
        b"x-accel-expires",
        b"surrogate-key",
        b"cache-tag",
    }
)
"""RFC 9213, the W3C's Edge Architecture note, Akamai, nginx; Cloudflare and others prefix the first with a name."""

_SHARED_ONLY = frozenset({b"public", b"s-maxage", b"proxy-revalidate"})
_MAX_AGE = re.compile(rb"max-age=[0-9]+", re.IGNORECASE)
_MEMBER = re.compile(rb'(?:[^,"]++|"[^"]*+"?)++')
_DATE = re.compile(rb"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")
"""Of other forms no two browsers make the same."""


def for_shared_caches(name: bytes) -> bool:
    """Whether the lower-case header ``name`` speaks to shared caches only."""
    return name in SHARED_CACHE_HEADERS or name.endswith(b"-cdn-cache-control")


def is_date(expires: bytes) -> bool:
    """Whether an Expires value says until when a response may be kept."""
    return _DATE.fullmatch(expires) is not None


def private_cache_control(value: bytes, *, expires: bool = False) -> bytes:
    """A Cache-Control value with what it said to shared caches replaced by ``private``.

    :param value: all Cache-Control values of the response, joined by commas; empty when there was none.
    :param expires: its Expires is a date.
    """
    return _private[value, expires]


def _made_private(asked: tuple[bytes, bool]) -> bytes:
    value, lasts = asked
    kept = []
    for directive in directives(value):
        name = directive.partition(b"=")[0].strip(b" \t").lower()
        if name in _SHARED_ONLY or name == b"private":
            continue
        kept.append(directive)
        lasts = lasts or _MAX_AGE.fullmatch(directive) is not None
        if name == b"no-store":
            return value
    asked_for = b"no-cache" in map(bytes.lower, kept)
    return b", ".join((*kept, b"private", *(() if lasts or asked_for else (b"no-cache",))))


_private = Memo(_made_private, entries=512, size=256 * 1024)


def directives(value: bytes) -> list[bytes]:
    """The members of a list, cut at commas outside of quotes."""
    return [kept for part in _MEMBER.findall(value) if (kept := part.strip(b" \t"))]
