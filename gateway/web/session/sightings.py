"""When and from where sessions were seen last, gathered here and written together.

A session is noted when activity moves its idle deadline, which is once a minute while somebody is active; never on the
way of an ordinary request. So a note and the idle time together are the deadline, wherever the session is kept.
"""

from __future__ import annotations

from gateway.core.session.sign_in import Sighting
from gateway.state.contract.sign_ins import SignIns

WRITE_EVERY = 5.0
"""Seconds between two writings."""
GATHERED = 50_000
"""Sessions waiting to be written; beyond, the list shows older activity."""


class Sightings:
    """What waits to be written."""

    def __init__(self) -> None:
        self._waiting: dict[str, Sighting] = {}

    def note(self, sid: str, client: str, now: int) -> None:
        """The session's idle deadline was moved."""
        if len(self._waiting) < GATHERED or sid in self._waiting:
            self._waiting[sid] = Sighting(now, client)

    async def write(self, sign_ins: SignIns) -> None:
        """Write what waits; it waits on where the storage is in trouble."""
        waiting, self._waiting = self._waiting, {}
        if waiting and not await sign_ins.note(waiting):
            self._waiting = waiting | self._waiting
