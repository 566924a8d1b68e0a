"""The gateway's own cookies in a request: their names, read from raw bytes, and taken out of what upstreams see.

Names (design section 4, rule R18): ``__Host-session`` in one piece or ``__Host-session_1…`` in several,
``__Host-login_<8 hex>`` for each login attempt, ``__Host-logout`` for the chain, ``__Secure-session-hint``. Deployments
that share a host name have one suffix each (``session.cookie_suffix``): ``__Host-session--blue_1``. Cookies of any
gateway are kept from applications; read, set and cleared are a deployment's own alone.

Reading follows rule R17: names are compared byte for byte and nothing but SP and HTAB is trimmed, because a sibling
site can plant ``\\u2000__Host-session``, which a forgiving parser takes for ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

SESSION = "__Host-session"
LOGIN = "__Host-login"
LOGOUT = "__Host-logout"
HINT = "__Secure-session-hint"
MAX_PIECES = 4
"""Cookies that a session may be cut into."""
MAX_COOKIES = 300
"""Pairs in one request. Chrome keeps about 180 for a registrable domain."""

_ANY = re.compile(
    rb"__(?:Host-(?:session%(s)b(?:_[0-9]+)?|login%(s)b_(.*)|logout%(s)b)|Secure-session-hint%(s)b)"
    % {b"s": rb"(?:--[a-z0-9]+)?"},
    re.DOTALL,
)
_ATTEMPT = re.compile(rb"[0-9a-f]{8}")


def suffixed(name: str, suffix: str) -> str:
    """What one of the names above is in a deployment with this suffix; empty: none."""
    return f"{name}--{suffix}" if suffix else name


def _suffix(own: bytes) -> bytes:
    return own.partition(b"--")[2].partition(b"_")[0]


def is_own_cookie(name: bytes) -> bool:
    """Whether ``name`` is one of a gateway's; such cookies never pass in either direction."""
    return name.startswith(b"__") and _ANY.fullmatch(name) is not None


def _pairs(header: bytes) -> Iterable[tuple[bytes, bytes, bytes]]:
    for part in header.split(b";"):
        name, equals, value = part.strip(b" \t").partition(b"=")
        yield part, name.rstrip(b" \t") if equals else b"", value.strip(b" \t") if equals else name


def strip_own_cookies(header: bytes) -> bytes:
    """A Cookie header's value without the gateway's cookies; every other byte as it came."""
    if b"__" not in header:
        return header
    kept = [part for part, name, _ in _pairs(header) if not is_own_cookie(name)]
    return b";".join(kept).strip(b" \t")


@dataclass(frozen=True, slots=True)
class OwnCookies:
    """The gateway's cookies of one request.

    :ivar conflicting: names that came twice with different values; their cookies count for nothing (pain P23).
    """

    values: Mapping[bytes, bytes]
    conflicting: frozenset[bytes] = frozenset()

    def get(self, name: str) -> bytes | None:
        return self.values.get(name.encode())

    def attempts(self) -> list[str]:
        """Ids of the login attempts the browser carries; those that came twice too, so that they can be cleared."""
        found = [_ANY.fullmatch(name) for name in (*self.values, *self.conflicting)]
        return [one[1].decode() for one in found if one and _ATTEMPT.fullmatch(one[1] or b"")]


NO_COOKIES = OwnCookies({})


def read(headers: Sequence[bytes], suffix: str = "") -> OwnCookies:
    """The cookies of the deployment with this suffix out of all Cookie header values of a request; never raises."""
    mine = suffix.encode()
    values: dict[bytes, bytes] = {}
    conflicting: set[bytes] = set()
    count = 0
    for header in headers:
        if b"__" not in header:
            continue
        for _, name, value in _pairs(header):
            count += 1
            if count > MAX_COOKIES:
                return NO_COOKIES
            if not is_own_cookie(name) or _suffix(name) != mine:
                continue
            if values.setdefault(name, value) != value:
                conflicting.add(name)
    if not values:
        return NO_COOKIES
    for name in conflicting:
        del values[name]
    return OwnCookies(values, frozenset(conflicting))


def names(headers: Sequence[bytes]) -> Iterator[bytes]:
    """The names of all cookies of a request, its first `MAX_COOKIES` that is, as they came (rule R17)."""
    pairs = (name for header in headers for _, name, _ in _pairs(header) if name)
    return islice(pairs, MAX_COOKIES)
