"""The contract for refresh tokens that are still to be revoked, in words.

A provider may end its own session together with a token that is revoked, so a token waits here until the browser has
been there to sign out; and one that could not be revoked waits until the provider answers. What is kept is sealed, and
nobody here can open it.

A *record* has a time when it is *due*, which may be moved while nobody has taken it, but never beyond its *latest*; and
a *deadline*, when it is given up. Whoever takes the records that are due has them for a while, the *lease*: then, if he
has neither finished them nor put them off, they are due again, for anybody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

MOST: Final = 8_192
"""Records, of all sessions together."""
LARGEST: Final = 8 * 1024
"""Bytes of a record: with their number, 64 MiB at the most. A refresh token that fits into a cookie fits here."""
SLOTS: Final = 4
"""Records of one session: its own token, and those of refreshes that were under way when it ended."""
AT_ONCE: Final = 16
"""Records that are handed out together."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A record that its taker is to see to.

    :ivar name: of the record. :ivar tries: how often it has been taken, this time included.
    :ivar left: seconds until its deadline; less than nothing after it.
    """

    name: str
    sealed: bytes = field(repr=False)
    tries: int
    left: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What there is: ``count`` records; the next one is due in so many seconds, None where there is none."""

    count: int
    due_in: int | None


class TokenRevocations(Protocol):
    """The records of all processes that share the revocation log. All times are given in seconds from now.

    No call raises for trouble of the storage.
    """

    async def open(self) -> None:
        """Connect. To be called after a fork, and after the log was opened."""

    async def close(self) -> None:
        """Disconnect. May be called twice."""

    async def park(self, sid: str, sealed: bytes, *, due: int, latest: int, keep: int) -> bool:
        """Keep a record of a session; whether it survives whatever happens to this process.

        False for want of an answer, and where there is no room: see the bounds above. The same twice is one.

        :param latest: when it is due however it may be moved. :param keep: until its deadline.
        """

    async def move(self, sid: str, *, due: int) -> int | None:
        """Have the records of a session due then, as far as nobody has taken them yet; how many, None: no answer."""

    async def take(self, *, lease: int) -> list[Taken]:
        """Some of the records that are due, the longest waiting first; nobody else is given them within the lease."""

    async def put_off(self, name: str, *, due: int) -> None:
        """A record that was taken is to be taken again then."""

    async def finish(self, name: str) -> None:
        """Keep a record no longer."""

    async def waiting(self) -> Waiting | None:
        """A read; None for want of an answer."""
