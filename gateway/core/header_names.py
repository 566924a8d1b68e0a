"""Header names by what must happen to them, remembered per spelling so that the hot path does one look-up a header."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

HOP_BY_HOP = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization",
        b"te", b"transfer-encoding", b"upgrade", b"http2-settings",
    }
)  # fmt: skip
"""RFC 9110 §7.6.1, with the credentials that are meant for the next hop only (§11.7)."""

_SPELLINGS = 2_048
"""Remembered spellings; further ones are classified anew, so that clients cannot fill the memory."""

_ORDINARY_OPTIONS = frozenset({b"keep-alive", b"close", b"upgrade", b"te", b"http2-settings", b""})


class NameKinds(dict[bytes, int]):
    """Raw header name → kind (an int; 0 is "pass on"), filled as spellings are met."""

    __slots__ = ("_classify",)

    def __init__(self, classify: Callable[[bytes], int]) -> None:
        super().__init__()
        self._classify = classify

    def __missing__(self, name: bytes) -> int:
        kind = self._classify(name.lower())
        if len(self) < _SPELLINGS:
            self[name] = kind
        return kind


def connection_options(value: bytes) -> frozenset[bytes]:
    """The options of a Connection header, lower-case (RFC 9110 §7.6.1)."""
    return frozenset(option.strip(b" \t") for option in value.lower().split(b","))


@lru_cache(maxsize=512)
def nominated(value: bytes, never: frozenset[bytes]) -> frozenset[bytes]:
    """Header names a Connection header declares hop-by-hop.

    :param never: names it may not remove, because they carry framing or what was decided on.
    """
    return connection_options(value) - _ORDINARY_OPTIONS - never
