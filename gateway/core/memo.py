"""What is remembered of what others send: bounded by entries and by bytes, so that nobody fills the memory.

A look-up is that of a plain dict, in C. What was asked for lately is found again; what was not is forgotten: entries
live in two generations, the younger one is the dict itself, and when it is full it becomes the older one, whose entries
come back when they are asked for and are gone with the next change.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Mapping
from sys import getsizeof
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

ENTRY = 208
"""Bytes that a dict spends on an entry, at its emptiest and while it grows."""
SHARE = 16
"""What alone would take more than this part of the room is not kept: it would drive out too much."""
MARK = 8
"""Bytes of a mark of what came once."""
_UNMARKED = -1
"""No hash is that."""
_OBJECT = 16
"""Bytes that an allocation may be rounded up by."""
_WHOLE = (str, bytes, int, float)
_MANY = (tuple, list, set, frozenset)


def weight(thing: object) -> int:
    """Bytes that an object takes with all that it holds; what it holds twice, or shares, counts twice."""
    size = getsizeof(thing) + _OBJECT
    if isinstance(thing, _WHOLE):
        return size
    if isinstance(thing, _MANY):
        return size + sum(map(weight, thing))
    if isinstance(thing, Mapping):
        return size + sum(weight(key) + weight(value) for key, value in thing.items())
    if fields := getattr(thing, "__dataclass_fields__", None):
        return size + sum(weight(getattr(thing, name, None)) for name in fields)
    return size


class _Bounded(dict[K, V]):
    """See the module.

    :param entries: kept at most. :param size: bytes that they may take, with what the dicts spend on them.
    :param weigh: bytes of a key and its value, the same whenever it is asked; by default `weight` of both.
    """

    __slots__ = (
        "_bytes", "_half", "_largest", "_marks", "_most", "_older", "_older_bytes", "_weigh", "entries", "size",
    )  # fmt: skip

    def __init__(self, *, entries: int, size: int, weigh: Callable[[K, V], int] | None = None) -> None:
        super().__init__()
        self.entries = entries
        self.size = size
        self._most = max(1, entries // 2)
        self._half = (size - MARK * entries) // 2
        self._marks = array("q", [_UNMARKED]) * entries
        self._largest = size // SHARE
        self._weigh = weigh or _both
        self._older: dict[K, V] = {}
        self._bytes = 0
        self._older_bytes = 0

    @property
    def kept(self) -> int:
        """Entries in both generations."""
        return len(self.keys() | self._older.keys())

    @property
    def taken(self) -> int:
        """Bytes that they count for, with the marks."""
        return self._bytes + self._older_bytes + MARK * self.entries

    def keep(self, key: K, value: V) -> V:
        """Remember ``value``, and give it back."""
        self.drop(key)
        return self._add(key, value, self._weigh(key, value) + ENTRY)

    def offer(self, key: K, value: V) -> V:
        """Remember what is not known where it is offered again, and give it back.

        The first time only leaves a mark, by the hash of the key in a table of fixed size: what never comes again costs
        next to nothing, and drives nothing out that does.
        """
        mark, marks = hash(key), self._marks
        place = mark % len(marks)
        if marks[place] != mark:
            marks[place] = mark
            return value
        return self._add(key, value, self._weigh(key, value) + ENTRY)

    def _again(self, key: K) -> V:
        """What the older generation has goes over to the younger."""
        value = self._older.pop(key)
        taken = self._weigh(key, value) + ENTRY
        self._older_bytes -= taken
        return self._add(key, value, taken)

    def _add(self, key: K, value: V, taken: int) -> V:
        """Keep what neither generation has."""
        if taken > self._largest:
            return value
        if len(self) >= self._most or self._bytes + taken > self._half:
            self._older, self._older_bytes = dict(self), self._bytes
            self.clear()
            self._bytes = 0
        self[key] = value
        self._bytes += taken
        return value

    def drop(self, key: K) -> None:
        """Forget ``key``; one that is not known is ignored."""
        if key in self:
            self._bytes -= self._weigh(key, self.pop(key)) + ENTRY
        if key in self._older:
            self._older_bytes -= self._weigh(key, self._older.pop(key)) + ENTRY

    def forget(self) -> None:
        """Forget everything."""
        self.clear()
        self._older = {}
        self._bytes = self._older_bytes = 0
        self._marks = array("q", [_UNMARKED]) * self.entries


class Kept(_Bounded[K, V | None]):
    """What has been kept by its key; ``kept[key]`` is None where there is nothing."""

    __slots__ = ()

    def __missing__(self, key: K) -> V | None:
        return self._again(key) if key in self._older else None


class Memo(_Bounded[K, V]):
    """What ``make`` has made of each key, kept from the second time on that it is asked for; else it is made anew.

    :param make: told the key; what it raises is remembered by nobody.
    """

    __slots__ = ("_make",)

    def __init__(
        self,
        make: Callable[[K], V],
        *,
        entries: int,
        size: int,
        weigh: Callable[[K, V], int] | None = None,
    ) -> None:
        super().__init__(entries=entries, size=size, weigh=weigh)
        self._make = make

    def __missing__(self, key: K) -> V:
        return self._again(key) if key in self._older else self.offer(key, self._make(key))


def _both(key: object, value: object) -> int:
    return weight(key) + weight(value)
