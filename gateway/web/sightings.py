"""When and from where sessions were seen last, gathered here and written together.

A session is noted when its cookie is opened for the first time by this process: at sign-in, and after each time it was
set anew, which is once a minute while somebody is active; never on the way of an ordinary request.
"""

from __future__ import annotations

from gateway.core.sign_in import Sighting
from gateway.state.sign_ins import SignIns

WRITE_EVERY = 5.0
"""Seconds between two writings."""
GATHERED = 50_000
"""Sessions waiting to be written; beyond, the list shows older activity."""


class Sightings:
    """What waits to be written."""

    def __init__(self) -> None:
        self._waiting: dict[str, Sighting] = {}

    def note(self, sid: str, client: str, now: int) -> None:
        """A cookie of the session was opened."""
        if len(self._waiting) < GATHERED or sid in self._waiting:
            self._waiting[sid] = Sighting(now, client)

    async def write(self, sign_ins: SignIns) -> None:
        """Write what waits; it waits on where the storage is in trouble."""
        waiting, self._waiting = self._waiting, {}
        if waiting and not await sign_ins.note(waiting):
            self._waiting = waiting | self._waiting
