"""Time limits without a timer per request: one coarse tick looks at every exchange under way."""

from __future__ import annotations

import asyncio
from typing import Protocol


class HasDeadline(Protocol):
    """Something that can be too late: an exchange, a client's connection, a stream of events."""

    def check(self, now: float) -> None:
        """Look whether a deadline has passed, or the client has gone; must not raise."""


class Deadlines:
    """A clock that is read once a tick, and the things to look at then.

    A deadline of ``after(seconds)`` fires between ``seconds`` and ``seconds`` plus two intervals from now.

    :ivar now: loop time at the last tick.
    :param interval: seconds between ticks.
    """

    __slots__ = ("_handle", "_interval", "_loop", "_watched", "now")

    def __init__(self, interval: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._interval = interval
        self._watched: set[HasDeadline] = set()
        self._handle: asyncio.TimerHandle | None = None
        self.now = self._loop.time()

    def __len__(self) -> int:
        return len(self._watched)

    def after(self, seconds: float) -> float:
        """The loop time at which ``seconds`` from now have surely passed."""
        return self.now + self._interval + seconds

    def watch(self, item: HasDeadline) -> None:
        """Look at ``item`` at every tick from now on."""
        if self._handle is None:
            self.now = self._loop.time()
            self._handle = self._loop.call_later(self._interval, self._tick)
        self._watched.add(item)

    def unwatch(self, item: HasDeadline) -> None:
        """``item`` is over; doing this twice is no error."""
        self._watched.discard(item)

    def close(self) -> None:
        """Stop ticking."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._watched.clear()

    def _tick(self) -> None:
        self._handle = None
        self.now = self._loop.time()
        for item in tuple(self._watched):
            item.check(self.now)
        if self._watched:
            self._handle = self._loop.call_later(self._interval, self._tick)
