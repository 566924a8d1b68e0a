"""One waits until another says that something has changed."""

from __future__ import annotations

import asyncio


class Signal:
    """Remembers nothing: what is waited for has to be looked at before, in the same turn of the event loop."""

    __slots__ = ("_waiter",)

    def __init__(self) -> None:
        self._waiter: asyncio.Future[None] | None = None

    async def wait(self) -> None:
        """Until the next `wake`; a RuntimeError where somebody else is waiting."""
        if self._waiter is not None and not self._waiter.done():
            raise RuntimeError("somebody is waiting already")
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def wake(self) -> None:
        """Let whoever waits go on."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
