"""Entries on their way to the log: held in the index until the index has read them back at their position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core import dice
from gateway.core.revocation import Entry, NewEntry, RevocationIndex
from gateway.state.spool import Batch


@dataclass(slots=True)
class Outgoing:
    """A batch on its way. It is in flight while it has neither a position nor failed."""

    batch: Batch
    held: list[Entry]
    position: int | None = None
    failed: bool = False
    spooled: bool = False


class Outbox:
    """The batches of this process that the log may not have yet."""

    def __init__(self, index: RevocationIndex) -> None:
        self._index = index
        self._batches: dict[str, Outgoing] = {}

    def __len__(self) -> int:
        """How many entries are not known to be in the log."""
        return sum(len(one.held) for one in self._batches.values() if one.position is None)

    def take(self, entries: Sequence[NewEntry], now: int) -> Outgoing:
        """Deny by these entries from now on. The batch is dated, for it may have to be sent later."""
        held = [self._index.hold(entry, now) for entry in entries]
        batch = Batch(dice.token(9), tuple(entry.dated(now) for entry in entries))
        one = self._batches[batch.id] = Outgoing(batch, held)
        return one

    def unsent(self) -> list[Outgoing]:
        """The batches that failed."""
        return [one for one in self._batches.values() if one.failed]

    def in_flight(self) -> bool:
        """Is a batch neither sent nor failed?"""
        return any(one.position is None and not one.failed for one in self._batches.values())

    def committed(self) -> set[str]:
        """The batches that the log has although the spool may have them too."""
        return {name for name, one in self._batches.items() if one.position is not None}

    def unspooled(self) -> list[Outgoing]:
        """The batches that only this process's memory has."""
        return [one for one in self._batches.values() if one.position is None and not one.spooled]

    def settle(self) -> None:
        """Release what the index has read at its position, and forget it unless the spool may have it."""
        for name, one in list(self._batches.items()):
            if one.position is None or one.position > self._index.position:
                continue
            for entry in one.held:
                self._index.release(entry)
            if not one.spooled:
                del self._batches[name]

    def spool_cleared(self, names: set[str]) -> None:
        """The spool has these batches no more."""
        for name in names & self._batches.keys():
            self._batches[name].spooled = False
        self.settle()
