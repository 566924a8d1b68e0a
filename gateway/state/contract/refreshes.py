"""The contract for what processes tell each other about refreshes, in words (rule R10).

Refreshing spends a token that may be good once only, so of all processes that see a session whose refresh is due one
does it, and the others get what came of it. Nothing here ends a session: without an answer nobody refreshes, and the
session goes on as it is.

What came of it may never be told: a process is killed, or an answer of the provider lost. That a token was sent is
therefore remembered for as long as the session can live, until whoever sent it says that it was not spent; a refusal
of a token that may have been sent twice says nothing, nor does one of the token that came for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Granted:
    """The asker is to refresh; nobody else is until it publishes, releases, or its lease is over.

    :ivar sure: a refusal by the provider can be believed: nobody can have spent the token, nor sent the one before it
        twice. :ivar lapsed: somebody has let the lease run out, and may still come with what the token was good for.
    """

    sure: bool = True
    lapsed: bool = False


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
class Ahead:
    """Somebody has had a later generation to refresh, which nobody has published."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The storage did not answer."""

    why: str


Later = Succeeded | Outdated
Claim = Granted | Busy | Later | Ahead | Unavailable


class Refreshes(Protocol):
    """What is known of the generations of sessions, by all processes that share the revocation log.

    No call raises for trouble of the storage.
    """

    async def open(self) -> None:
        """Connect. To be called after a fork, and after the log was opened."""

    async def close(self) -> None:
        """Disconnect. May be called twice."""

    async def claim(self, sid: str, generation: int, *, lease: int, keep: int = 0) -> Claim:
        """Ask to refresh ``generation`` of a session.

        :param lease: seconds after which another may try, should this process not be heard of again.
        :param keep: seconds for which it is known that this was tried.
        """

    async def renew(self, sid: str, generation: int, *, lease: int, keep: int = 0) -> Claim:
        """Hold a granted claim for ``lease`` seconds more, also where the storage has forgotten it; what :meth:`claim`
        would say if it were another's by now.
        """

    async def later(self, sid: str, generation: int) -> Later | Unavailable | None:
        """What is known of generations after ``generation``; None: there is none."""

    async def publish(
        self, sid: str, generation: int, sealed: bytes, *, visible: int, keep: int
    ) -> bool | None:
        """Make a generation known; None without an answer, False when another one as late is known.

        It may be tried again with the same ``sealed``: what was taken is taken, whether its answer arrived or not.

        :param visible: seconds for which it is handed out. :param keep: seconds for which it is known to exist.
        """

    async def release(self, sid: str, generation: int, *, spent: bool = False) -> None:
        """Give a granted claim back: there is no new generation.

        :param spent: there may be one all the same, that nobody has got.
        """
