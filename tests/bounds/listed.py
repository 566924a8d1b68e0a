"""The table of docs/memory.md, and what fills the rows of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gateway.core.memo import Kept, Memo

PAGE = Path(__file__).parents[2] / "docs/memory.md"
_ROW = re.compile(r"^\| `([\w/.]+ \w+)` \| (.+) \| (.+) \| ([^|]+) \| `(\w+)` \|$", re.MULTILINE)
_BYTES = re.compile(r"(\d[\d.]*) (B|KiB|MiB)( each)?")
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}
NOISE = 16 * 1024
"""Bytes that the interpreter takes and gives by itself while something is measured: less than that cannot be told."""
_OWN = re.compile(r"^(?:RssAnon|VmSwap):\s+(\d+) kB$", re.MULTILINE)
Memory = Kept[Any, Any] | Memo[Any, Any]
_T = TypeVar("_T", bound=Callable[..., object])


@dataclass(frozen=True)
class Row:
    """What the page says of one place.

    :ivar why: what bounds it. :ivar size: as it is written. :ivar test: the name of the one that fills it.
    """

    what: str
    why: str
    size: str
    test: str

    @property
    def bytes(self) -> int | None:
        """Of all of it, or of each; None where that is no number."""
        found = _BYTES.fullmatch(self.size)
        return None if found is None else int(float(found[1]) * _UNITS[found[2]])


def rows() -> dict[str, Row]:
    """By module and name, as they are written there."""
    text = PAGE.read_text(encoding="utf-8")
    return {row[1]: Row(row[2], row[3], row[4].strip(), row[5]) for row in _ROW.finditer(text)}


def stated(place: str) -> int:
    """Bytes that the page allows a place, or each thing in it."""
    row = rows()[place]
    size = row.bytes
    assert size is not None, place
    return size if row.size.endswith("each") else max(size, NOISE)


def fill(memory: Memory, add: Callable[[int], object], most: int) -> None:
    """Add one after another until both generations have been full, and some more; at most so many."""
    at = turns = 0
    end = most
    while at < end:
        older = memory._older
        add(at)
        at += 1
        if memory._older is not older:
            turns += 1
            end = min(most, at * 9 // 8) if turns == 2 else end


def resident(pid: int | str = "self") -> int:
    """Bytes that a process has for itself, in memory or put aside by a kernel that needed it for others."""
    status = Path(f"/proc/{pid}/status").read_text()
    return sum(int(size) for size in _OWN.findall(status)) * 1024


def fills(*places: str) -> Callable[[_T], _T]:
    """Says of a test which rows it fills; the guard holds the page to it."""

    def say(test: _T) -> _T:
        test.__dict__["fills"] = places
        return test

    return say
