"""The contract for what processes tell each other about refreshes, in words (rule R10).

Refreshing spends a token that may be good once only, so of all processes that see a session whose refresh is due one
does it, and the others get what came of it. Nothing here ends a session: without an answer nobody refreshes, and the
session goes on as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Granted:
    """The asker is to refresh; nobody else is until it publishes, releases, or its lease is over."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Another process is at it."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """A later generation is published."""

    generation: int
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outdated:
    """There is a later generation, but it is not published any more."""

    generation: int


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The storage did not answer."""

    why: str


Claim = Granted | Busy | Succeeded | Outdated | Unavailable


class Refreshes(Protocol):
    """What is known of the generations of sessions, by all processes that share the revocation log.

    No call raises for trouble of the storage.
    """

    async def open(self) -> None:
        """Connect. To be called after a fork, and after the log was opened."""

    async def close(self) -> None:
        """Disconnect. May be called twice."""

    async def claim(self, sid: str, generation: int, *, lease: int) -> Claim:
        """Ask to refresh ``generation`` of a session.

        :param lease: seconds after which another may try, should this process die over it.
        """

    async def later(self, sid: str, generation: int) -> Succeeded | Outdated | None:
        """What is known of generations after ``generation``; None also without an answer."""

    async def publish(self, sid: str, generation: int, sealed: bytes, *, visible: int, keep: int) -> bool:
        """Make a generation known; False when the same or a later one is, or the storage did not take it.

        :param visible: seconds for which it is handed out. :param keep: seconds for which it is known to exist.
        """

    async def release(self, sid: str, generation: int) -> None:
        """Give a granted claim back: the refresh did not happen."""
