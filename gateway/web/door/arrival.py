"""What stands for a connection's transport while it has none: until its PROXY header and TLS handshake are over."""

from __future__ import annotations

import asyncio


class Arrival(asyncio.Transport):
    """To end it is to give up what it waits for."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        super().__init__()
        self._task = task

    def is_closing(self) -> bool:
        return self._task.cancelling() > 0

    def close(self) -> None:
        self._task.cancel()

    abort = close

    def get_write_buffer_size(self) -> int:
        return 0
