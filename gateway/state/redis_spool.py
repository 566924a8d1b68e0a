"""The spool of a log that is elsewhere: what Redis could not take yet, on a disk of this host, if one is configured.

Processes of a host share the file, and each looks into it once a second: what another has left there, alive or dead,
denies here too, and is sent by whoever reaches Redis first. Sending twice is harmless because batches have ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from gateway.core import clock
from gateway.core.errors import ConfigurationError
from gateway.state.outbox import Outbox, Outgoing
from gateway.state.spool import Batch, Spool
from gateway.telemetry.log import get_logger

FILE: Final = "state.spool"
CLOSE_WITHIN: Final = 2.0

_T = TypeVar("_T")
_log = get_logger("state")


class RedisSpool:
    """The spool in a directory, worked on by one thread; without a directory it holds nothing."""

    def __init__(self, directory: Path | None, outbox: Outbox) -> None:
        self._outbox = outbox
        self._spool = Spool(directory / FILE) if directory else None
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Make the file, and adopt what is in it. Raises ConfigurationError."""
        if self._spool is None:
            return
        self._thread = ThreadPoolExecutor(1, "state-spool")
        try:
            await self._do(self._spool.prepare)
            self._adopt(await self._do(self._spool.batches))
        except OSError as error:
            raise ConfigurationError(
                "spool_not_writable",
                f"{self._spool.path}: {error.strerror or error}",
                mend="create the directory `redis.spool`, writable for the gateway",
            ) from error

    async def close(self) -> None:
        """Write down what was not sent; within seconds even when the disk hangs. May be called twice."""
        if self._thread is None:
            return
        for one in self._outbox.unspooled():
            self.put(one)
        await asyncio.wait({self._do(_nothing)}, timeout=CLOSE_WITHIN)
        self._thread.shutdown(wait=False)
        self._thread = None
        if self._spool is not None:
            self._spool.close()

    def put(self, one: Outgoing) -> None:
        """Begin to write a batch down, unless that was done."""
        if self._spool is None or self._thread is None or one.spooled or one.position is not None:
            return
        one.spooled = True
        self._do(partial(self._spool.put, one.batch)).add_done_callback(partial(self._was_put, one))

    async def look(self) -> bool:
        """Take over what other processes have left, and empty the file when the log has all of it.

        True when there was something new: the log may have it already, further back than this process has looked.
        """
        if self._spool is None:
            return False
        for one in self._outbox.unsent():
            self.put(one)
        sent = self._outbox.committed()
        try:
            if not await self._do(self._spool.filled) or await self._do(partial(self._spool.clear, sent)):
                self._outbox.spool_cleared(sent)
                return False
            return self._adopt(await self._do(self._spool.batches))
        except OSError as error:
            self._tell_unusable(error)
            return False

    def _adopt(self, batches: list[Batch]) -> bool:
        new = [batch for batch in batches if batch.id not in self._outbox]
        for batch in new:
            self._outbox.adopt(batch, clock.now())
        if new:
            _log.warning("state_spool_adopted", batches=len(new))
        return bool(new)

    def _was_put(self, one: Outgoing, putting: asyncio.Future[tuple[int, int]]) -> None:
        error = putting.exception()
        if error is not None:
            self._tell_unusable(error)
            self._outbox.spool_cleared({one.batch.id})

    def _do(self, job: Callable[[], _T]) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, job)

    def _tell_unusable(self, error: BaseException) -> None:
        path = self._spool.path if self._spool else None
        _log.warning(
            "state_spool_unwritable", path=str(path), why=getattr(error, "strerror", "") or str(error)
        )


def _nothing() -> None:
    """The job behind all jobs: when it is done, they are."""
