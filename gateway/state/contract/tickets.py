"""The contract for sessions that are kept for their tickets, in words (design section 4).

What is kept is sealed, and nobody here can open it. Every change names the revision that it was made from, so that of
two processes that change one session at the same time one finds out. Nothing but a sign-in makes a session: what was
removed does not come back by a change that was under way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from gateway.state.contract.refreshes import Unavailable

__all__ = ["Absent", "Found", "Overtaken", "StoredSession", "Tickets", "Unavailable"]


@dataclass(frozen=True, slots=True)
class StoredSession:
    """What is kept of a session; ``revision`` grows with every change."""

    revision: int
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Absent:
    """Nothing is kept: the session was removed, its time is over, or there never was one."""


@dataclass(frozen=True, slots=True)
class Overtaken:
    """Somebody else has changed it meanwhile."""


Found = StoredSession | Absent | Unavailable


class Tickets(Protocol):
    """Sessions of all processes that share the revocation log, by sid.

    No call raises for trouble of the storage, and each is answered within a quarter of a second; that goes for every
    one of many that come at the same time.
    """

    async def open(self) -> None:
        """Connect. To be called after a fork, and after the log was opened."""

    async def close(self) -> None:
        """Disconnect. May be called twice."""

    async def read(self, sid: str) -> Found:
        """What is kept of a session."""

    async def create(self, sid: str, sealed: bytes, *, keep: int) -> bool:
        """Keep a new session, in revision 1; whether that was done. One that is there is never replaced.

        :param keep: seconds, whatever happens to it meanwhile.
        """

    async def replace(self, sid: str, revision: int, sealed: bytes) -> Found | Overtaken:
        """Put another value in the place of ``revision``; what is kept then."""

    async def remove(self, sid: str) -> bool:
        """Keep it no longer; whether the storage was told."""

    def health(self) -> str:
        """One line for people: starts with "ok" when the last question was answered."""
