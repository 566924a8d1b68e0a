"""A bounded memory of answers: the least recently used is forgotten first (rule R25)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Answers by what they depend on.

    :param size: answers kept.
    """

    __slots__ = ("_kept", "_size")

    def __init__(self, size: int) -> None:
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._size = size

    def get(self, key: K) -> V | None:
        """The answer kept under ``key``."""
        answer = self._kept.get(key)
        if answer is not None:
            self._kept.move_to_end(key)
        return answer

    def keep(self, key: K, answer: V) -> V:
        """Remember ``answer``, and give it back."""
        self._kept[key] = answer
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return answer

    def __len__(self) -> int:
        return len(self._kept)
