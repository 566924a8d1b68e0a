"""Header names by what must happen to them, remembered per spelling so that the hot path does one look-up a header."""

from __future__ import annotations

from collections.abc import Callable

from gateway.core.memo import Memo

HOP_BY_HOP = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization",
        b"te", b"transfer-encoding", b"upgrade", b"http2-settings",
    }
)  # fmt: skip
"""RFC 9110 §7.6.1, with the credentials that are meant for the next hop only (§11.7)."""

SPELLINGS, SPELLINGS_BYTES = 2_048, 512 * 1024
"""Spellings that are remembered, for each table of kinds."""
NOMINATED, NOMINATED_BYTES = 512, 512 * 1024
"""Connection headers that are."""

_ORDINARY_OPTIONS = frozenset({b"keep-alive", b"close", b"upgrade", b"te", b"http2-settings", b""})


class NameKinds(Memo[bytes, int]):
    """Raw header name → kind (an int; 0 is "pass on"), filled as spellings are met."""

    __slots__ = ()

    def __init__(self, classify: Callable[[bytes], int]) -> None:
        super().__init__(lambda name: classify(name.lower()), entries=SPELLINGS, size=SPELLINGS_BYTES)


def connection_options(value: bytes) -> frozenset[bytes]:
    """The options of a Connection header, lower-case (RFC 9110 §7.6.1)."""
    return frozenset(option.strip(b" \t") for option in value.lower().split(b","))


def nominated(value: bytes, never: frozenset[bytes]) -> frozenset[bytes]:
    """Header names a Connection header declares hop-by-hop.

    :param never: names it may not remove, because they carry framing or what was decided on.
    """
    return _nominated[value, never]


def _read_nominated(asked: tuple[bytes, frozenset[bytes]]) -> frozenset[bytes]:
    value, never = asked
    return connection_options(value) - _ORDINARY_OPTIONS - never


_nominated = Memo(_read_nominated, entries=NOMINATED, size=NOMINATED_BYTES)
