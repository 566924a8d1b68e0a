"""The spool of a log that is elsewhere: what Redis could not take yet, on a disk of this host, if one is configured.

What another process of the host has left there denies here as soon as it is there. Its owner sends it; a beat later
whoever reaches Redis first does, for the owner may be dead. Sending twice is harmless because batches have ids.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.core import clock
from gateway.core.errors import ConfigurationError
from gateway.state.contract.board import Marks
from gateway.state.contract.outbox import Outbox
from gateway.state.contract.shared_spool import SharedSpool
from gateway.state.contract.spool import FILE, SIZE, Batch, Spool, explain

CLOSE_WITHIN: Final = 2.0


@dataclass(frozen=True, slots=True)
class _Seen:
    stamp: tuple[int, bytes]
    marks: Marks
    batches: list[Batch]


class RedisSpool(SharedSpool):
    """The spool in a directory; without a directory it holds nothing.

    :ivar doubt: why more is missing than is in it; empty where nothing is. :ivar dead: processes have died with entries
        that nobody else has.
    """

    def __init__(self, directory: Path | None, outbox: Outbox, *, room: int = SIZE) -> None:
        """`room`: bytes that are reserved in it."""
        super().__init__(Spool(directory / FILE if directory else Path(FILE), size=room), outbox)
        self._wanted = directory is not None
        self.doubt = ""
        self.dead = False
        self._looking: asyncio.Future[_Seen] | None = None

    async def open(self) -> None:
        """Make the file, and adopt what is in it. Raises ConfigurationError."""
        if not self._wanted:
            return
        self.start()
        try:
            await self._do(self._spool.prepare)
            await self._begin_look()
        except OSError as error:
            raise ConfigurationError(
                "spool_not_writable",
                f"{self._spool.path}: {error.strerror or error}",
                fix="create the directory `redis.spool`, writable for the gateway",
            ) from error
        self._outbox.rouse()

    async def close(self) -> None:
        """Write down what was not sent; within seconds even when the disk hangs. May be called twice."""
        if self._thread is not None:
            await self.stop(within=CLOSE_WITHIN)
            self._spool.close()

    def moved(self) -> bool:
        """Is there something new in it? Cheap."""
        return self._board.stamp() != self.stamp

    async def catch_up(self, until: float) -> None:
        """Deny by everything that was in it before this call, or have a doubt."""
        own = self._looking is None
        while self._thread is not None and self.moved():
            looking = self._looking or self._begin_look()
            # A look that is under way may have begun before what this caller wants: then one more follows.
            await asyncio.wait({looking}, timeout=max(0.0, until - time.monotonic()))
            if not looking.done() or looking.exception():
                self.doubt = self.doubt or "other processes have written to the spool, and it cannot be read"
                return
            if own:
                return
            own = True

    async def tend(self) -> bool:
        """Write down what is nowhere else, take over what others have left, and empty the file when the log has it all.

        True when something was taken over: the log may have it already, further back than this process has looked.
        """
        if self._thread is None:
            return False
        self.again()
        sent = self._outbox.committed()
        try:
            if await self._do(self._spool.look_after):
                self._outbox.spool_lost()
            if sent:
                await self._do(lambda: self._spool.clear(sent))
            seen = await self._begin_look()
        except OSError as error:
            self._unwritable.tell(explain(error))
            return False
        self._outbox.spool_cleared(sent - {batch.id for batch in seen.batches})
        return self._outbox.rouse()

    def complaint(self) -> str:
        """What to say of its room; empty where there is enough, or none is configured."""
        return self._spool.complaint() if self._thread is not None else ""

    async def bury(self, renew: Callable[[], Awaitable[None]]) -> None:
        """Answer for processes that are dead, if there are any: what they had is lost, and the log must become another.
        One process of the host does it. Raises what `renew` raises, and then it is not done.
        """
        if not self.dead:
            return
        with suppress(BlockingIOError), self._board.sending():
            if dead := self._board.marks().dead:
                await renew()
                self._board.forget(dead)

    def _look(self) -> _Seen:
        # In this order: what comes or goes meanwhile changes the stamp.
        stamp = self._board.stamp()
        return _Seen(stamp, self._board.marks(), self._spool.batches())

    def _begin_look(self) -> asyncio.Future[_Seen]:
        looking = self._looking = self._do(self._look)
        looking.add_done_callback(self._looked)
        return looking

    def _looked(self, looking: asyncio.Future[_Seen]) -> None:
        if self._looking is looking:
            self._looking = None
        if looking.exception() is None:
            self._see(looking.result())

    def _see(self, seen: _Seen) -> None:
        now = clock.now()
        for batch in seen.batches:
            if batch.id not in self._outbox:
                self._outbox.adopt(batch, now)
        self.dead = bool(seen.marks.dead)
        self.doubt = self.noticed(seen.stamp, seen.marks)
