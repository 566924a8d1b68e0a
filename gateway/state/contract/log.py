"""The contract of a revocation log, in words; `sqlite/log.py` keeps it for one host, `redis/log.py` for many."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.core.signout.log_extent import Gap
from gateway.core.signout.revocation import NewEntry, RevocationIndex
from gateway.state.contract.renewal import RenewalCause


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of an append.

    `durable`: the log has the entries, no crash loses them and every process sees them. If not, they deny
    in this process from now on and are sent until the log has them. `position`: the last position known to
    be in the log, the entries' own included when they are durable.
    """

    durable: bool
    position: int


class RevocationLog(Protocol):
    """One ordered list of entries shared by every process that has the same log. Appending and catching up
    are for an open log; otherwise they raise RuntimeError.

    Order: positions grow by commit, and whoever reads the tail gets every entry before the one it got last.
    """

    index: RevocationIndex
    """Every entry up to `index.position`, for the decisions of this process."""

    @property
    def log_id(self) -> str:
        """32 hexadecimal digits made with the log; empty before it was loaded. Sessions seal it; another id means
        the log was lost (rule R4).
        """

    on_renewed: Callable[[RenewalCause], None]
    """Told when the log has got another id because it may lack entries, in one process of all; must not raise."""

    @property
    def gaps(self) -> Sequence[Gap]:
        """Positions that the log has never given (`core/signout/log_extent.py`)."""

    async def open(self) -> None:
        """Connect, load the whole log and start the upkeep. To be called after a fork. A log that cannot be
        reached for now stays not loaded, and is tried again.

        Raises ConfigurationError when the log cannot be used as configured.
        """

    async def close(self) -> None:
        """Stop the upkeep and disconnect; what could not be sent stays spooled. May be called twice."""

    def moved(self) -> bool:
        """Has the log entries that the index has not, as far as this host knows? Cheap and synchronous: asked on
        every decision. On one host every process knows at once; elsewhere the index usually has them by then.
        """

    async def catch_up(self) -> None:
        """Read the tail into the index. Calls at the same time share one read.

        Never raises for trouble of the storage and answers within the deadline: `age` and `health` tell of
        it.
        """

    async def prove(self, position: int) -> None:
        """A session or a chain was sealed under this log by somebody who had read it up to this position, and the index
        does not have it. Read on; if the log itself does not go as far, it is an older copy, and gets another id.

        Never raises for trouble of the storage and answers within the deadline. Afterwards the index has the position,
        or the log has another id, or ``age`` is infinite until it has one; or the log could not be asked, and ``age``
        says for how long that may be believed (a log of many hosts), or is infinite (of one).
        """

    def append(self, entries: Sequence[NewEntry]) -> Awaitable[Appended]:
        """Add entries in this order, all or none. They deny in this process when this returns, so that whoever looked
        into the index before can do so in the same turn of the event loop; what it returns tells what became of them.

        Never raises for trouble of the storage and answers within the deadline of 250 ms.
        """

    def age(self) -> float:
        """Seconds since the index was last known to be in step with a log that takes entries (`Age`); infinite before
        it was loaded.
        """

    def health(self) -> str:
        """One line for people: in step or not, and why. Starts with "ok" when all is well."""

    @property
    def pending(self) -> int:
        """How many appended entries the log has not yet."""

    @property
    def spooled(self) -> float:
        """The part in use of the room that is reserved for what the log cannot take; beyond 1 there was more."""

    @property
    def loaded(self) -> bool:
        """Has the whole log been read once? Never loaded is not the same as nothing revoked (rule R5)."""


async def in_step(log: RevocationLog) -> RevocationIndex:
    """The index, for a decision: a log that has moved is read first (rule R4)."""
    if log.moved():
        await log.catch_up()
    return log.index


def completed(appended: Appended) -> Awaitable[Appended]:
    """What `append` returns when there is nothing to wait for."""
    future: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
    future.set_result(appended)
    return future
