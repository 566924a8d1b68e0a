"""Log lines about what clients can bring about at will: one in a while, for all that happened since the last."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

EVERY = 1.0
"""Seconds between two lines of one kind."""


class Seldom:
    """Says when a line is due. The exact numbers are for metrics: what a line does not count, only the next one does.

    :param clock: seconds that never go back.
    """

    __slots__ = ("_clock", "_next", "_times")

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._next: dict[str, float] = {}
        self._times: dict[str, int] = {}

    def due(self, kind: str) -> int:
        """It has happened once more. How many times a line is due for; 0 when none is.

        :param kind: of a closed set.
        """
        times = self._times.get(kind, 0) + 1
        now = self._clock()
        if now < self._next.get(kind, now):
            self._times[kind] = times
            return 0
        self._times[kind] = 0
        self._next[kind] = now + EVERY
        return times
