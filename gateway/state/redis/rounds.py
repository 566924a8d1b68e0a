"""Exchanges with Redis that somebody waits for: whoever asks before one has begun shares it."""

from __future__ import annotations

import asyncio
import time


class Rounds:
    """Nobody waits beyond a time of his own, and nobody for one that had begun when he asked."""

    def __init__(self) -> None:
        self._wanted = asyncio.Event()
        self._asked: asyncio.Future[None] | None = None

    def want(self) -> None:
        """Have one soon, without waiting for it."""
        self._wanted.set()

    async def next(self, until: float) -> bool:
        """Ask for one that has not begun yet; was it over in time? `until` is of `time.monotonic`."""
        if self._asked is None:
            self._asked = asyncio.get_running_loop().create_future()
        self._wanted.set()
        asked = self._asked
        await asyncio.wait({asked}, timeout=max(0.0, until - time.monotonic()))
        return asked.done()

    async def wanted(self, *, within: float) -> None:
        """Until somebody asks, or so many seconds have gone by."""
        try:
            async with asyncio.timeout(within):
                await self._wanted.wait()
        except TimeoutError:
            pass

    def begin(self) -> asyncio.Future[None] | None:
        """One begins; what to `end` when it is over."""
        asked, self._asked = self._asked, None
        self._wanted.clear()
        return asked

    def end(self, asked: asyncio.Future[None] | None) -> None:
        """It is over, whatever became of it."""
        if asked is not None and not asked.done():
            asked.set_result(None)

    def end_all(self) -> None:
        """Whoever waits for the next one waits no more."""
        asked, self._asked = self._asked, None
        self.end(asked)
