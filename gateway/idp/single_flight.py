"""One call at a time: whoever asks while it is under way waits for the same answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs one call for everybody who wants its result now.

    The call is a task of its own: a client that goes away cancels its waiting, never the call of the others.
    """

    def __init__(self, call: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._call = call
        self._task: asyncio.Task[T] | None = None

    @property
    def under_way(self) -> bool:
        """Whether a call runs now, so that `run` would join it."""
        return self._task is not None

    async def run(self) -> T:
        """The result of the call under way, or of one begun now. Its exception reaches every waiter."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._call())
            self._task.add_done_callback(self._landed)
        return await asyncio.shield(self._task)

    async def close(self) -> None:
        """Cancel the call under way, if there is one, and wait until it has ended."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _landed(self, task: asyncio.Task[T]) -> None:
        self._task = None
        if not task.cancelled():
            task.exception()  # seen here, so that a call whose waiters have all gone leaves no warning
