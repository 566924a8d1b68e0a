"""What is kept in Redis beside the revocation log: questions on a connection of their own, answered in their time.

Nothing here is worth waiting for. A server that hangs costs each caller a quarter of a second, and only one caller a
second: the others are told at once that there is no answer. Whoever asks beside the requests may be patient, and wait
as long as answers are known to take. What nobody waits for any more is read all the same, for it may have been done.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import time
from typing import Final

from gateway.core.errors import ConfigurationError
from gateway.state.redis.faults import CommandRefusedError, LostError, fault_of
from gateway.state.redis.link import Command, Link, Reply
from gateway.state.redis.place import RedisPlace
from gateway.telemetry.log import get_logger

WITHIN: Final = 0.25
"""Seconds in which every question is answered, if nothing else is said."""
RETRY_EVERY: Final = 1.0
"""Seconds between two questions to a server that does not answer."""
PATIENT: Final = 15.0
"""Seconds in which a patient question is answered, those before it and a new connection included."""
TELL_EVERY: Final = 60.0
"""Seconds between two lines about trouble in the log of the process."""
TROUBLE: Final = (OSError, CommandRefusedError, ConfigurationError)
_log = get_logger("state")


class CompanionLink:
    """A connection, made when it is needed.

    :param holds: what is kept there, for the log of the process. :param within: seconds for each question.
    :param patient: no request waits for the answers, so they may take as long as they are known to.
    :ivar why: the last trouble, for people. :ivar unheard: what was asked may have been done all the same.
    """

    def __init__(
        self, place: RedisPlace, holds: str, *, within: float = WITHIN, patient: bool = False
    ) -> None:
        self.why = "Redis does not answer"
        self.unheard = False
        self._place = place
        self._holds = holds
        self._within = within
        self._waits = max(within, PATIENT) if patient else within
        self._link: Link | None = None
        self._asking: set[asyncio.Task[list[Reply] | None]] = set()
        self._unanswered = False
        self._not_before = self._logged_at = -math.inf

    def open(self) -> None:
        """Connects to nothing yet. To be called after a fork."""
        self._link, self._turn = Link(self._place), asyncio.Lock()

    async def close(self) -> None:
        """Disconnect. May be called twice."""
        link, self._link = self._link, None
        if link is not None:
            for task in self._asking:
                task.cancel()
            await asyncio.gather(*self._asking, return_exceptions=True)
            await link.close()

    def key(self, *parts: str) -> str:
        """The name of a key: all have the deployment's prefix, which keeps them in one slot of a cluster."""
        return ":".join((f"{{{self._place.prefix}}}", *parts))

    def require_open(self) -> None:
        """Raises RuntimeError where it is not open."""
        if self._link is None:
            raise RuntimeError("the state is not open")

    async def run(self, script: str, keys: tuple[str, ...], *arguments: str | int | bytes) -> Reply:
        """What a script answers, none of which is null; None without an answer."""
        # EVAL, not EVALSHA: see Stream.
        replies = await self.ask(("EVAL", script, len(keys), *keys, *arguments))
        return replies[0] if replies else None

    async def ask(self, *commands: Command) -> list[Reply] | None:
        """The replies; None when there was trouble, or it took too long.

        :raises RuntimeError: it is not open.
        """
        link = self._link
        if link is None:
            raise RuntimeError("the state is not open")
        if self._unanswered and (self._turn.locked() or time.monotonic() < self._not_before):
            return None
        # A task: connecting may take longer than anybody waits, and who gives up must not tear the connection down.
        asking = asyncio.create_task(self._exchange(link, commands, time.monotonic() + self._waits))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        await asyncio.wait({asking}, timeout=self._waits)
        if not asking.done():
            self._trouble(TimeoutError())
            return None
        return None if asking.cancelled() else asking.result()

    async def _exchange(self, link: Link, commands: tuple[Command, ...], until: float) -> list[Reply] | None:
        was_unanswered = self._unanswered
        async with self._turn:
            if self._unanswered and not was_unanswered:  # whoever was before in the queue has found out
                return None
            try:
                try:
                    replies = await self._asked(link, commands, until)
                except LostError:  # the connection was an old one
                    replies = await self._asked(link, commands, until)
            except TROUBLE as error:
                self._trouble(error)
                return None
        self._unanswered = False
        return replies

    async def _asked(self, link: Link, commands: tuple[Command, ...], until: float) -> list[Reply]:
        await link.ask(within=self._within)  # without a question: connects, where that is needed
        if time.monotonic() >= until:  # nobody waits any more
            raise TimeoutError
        return await link.ask(*commands, within=self._within)

    def _trouble(self, error: Exception) -> None:
        now = time.monotonic()
        self.why = str(fault_of(error))
        self.unheard = isinstance(error, TimeoutError | LostError)
        # A refusal costs nobody any time, and may be of one command only.
        if not isinstance(error, CommandRefusedError):
            self._unanswered, self._not_before = True, now + RETRY_EVERY
        if now >= self._logged_at + TELL_EVERY:
            self._logged_at = now
            _log.warning("state_unavailable", holds=self._holds, why=self.why)


class RedisCompanionStore:
    """What keeps its things in Redis beside the log; the parameters are those of its link."""

    def __init__(self, place: RedisPlace, holds: str, *, within: float, patient: bool = False) -> None:
        self._link = CompanionLink(place, holds, within=within, patient=patient)

    async def open(self) -> None:
        """Connects with the first question."""
        self._link.open()

    async def close(self) -> None:
        """Disconnect."""
        await self._link.close()


def digest(*parts: str) -> str:
    """A name of fixed length for texts from outside."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
