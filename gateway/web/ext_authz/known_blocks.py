"""HPACK for one connection that says the same again and again: a block of headers that was read or written before is
known by its bytes.

A block means what it does by the table it is read with (RFC 7541 §2.3). So one is remembered only where it has changed
nothing there, and all are forgotten as soon as anything changes.
"""

from __future__ import annotations

from collections.abc import Iterable

from hpack import Decoder, Encoder, HeaderTuple
from hpack.table import HeaderTable

KNOWN = 8
"""Blocks that are remembered each way; Envoy sends one, and is sent two."""
LONGEST, LARGEST = 128, 4_096
"""Bytes of such a block, and of what it says."""


class _Table(HeaderTable):
    """Counts its changes."""

    changes = 0

    def add(self, name: bytes, value: bytes) -> None:
        self.changes += 1
        super().add(name, value)

    @property
    def maxsize(self) -> int:
        return self._maxsize

    @maxsize.setter
    def maxsize(self, newmax: int) -> None:
        self.changes += 1
        HeaderTable.maxsize.fset(self, newmax)  # type: ignore[attr-defined]  # mypy: it is a property


class KnowingDecoder(Decoder):
    """Reads blocks; h2 asks for bytes (``raw``) alone."""

    def __init__(self, max_header_list_size: int) -> None:
        super().__init__(max_header_list_size)
        self.header_table = self._table = _Table()
        self._known: dict[bytes, list[HeaderTuple]] = {}
        self._at = 0

    def decode(self, data: bytes, raw: bool = False) -> Iterable[HeaderTuple]:
        known = self._known.get(data) if raw else None
        if known is not None:
            return known
        read = list(super().decode(data, raw))
        if self._table.changes != self._at:
            self._known.clear()
            self._at = self._table.changes
        elif raw and len(data) <= LONGEST and sum(len(name) + len(value) for name, value in read) <= LARGEST:
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[data] = read
        return read


class KnowingEncoder(Encoder):
    """Writes blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.header_table = self._table = _Table()
        self._known: dict[tuple[object, ...], bytes] = {}
        self._at = 0

    def encode(self, headers: Iterable[tuple[bytes, bytes]], huffman: bool = True) -> bytes:  # type: ignore[override]  # only what we send
        asked = tuple(headers)
        if self._table.changes == self._at and (known := self._known.get(asked)) is not None:
            return known
        written = super().encode(asked, huffman)
        if self._table.changes != self._at:
            self._known.clear()
            self._at = self._table.changes
        elif len(written) <= LONGEST:
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[asked] = written
        return written
