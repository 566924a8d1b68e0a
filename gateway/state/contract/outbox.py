"""Entries on their way to the log: held in the index until the index has read them back at their position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core import dice
from gateway.core.signout.revocation import Entry, NewEntry, RevocationIndex
from gateway.state.contract.spool import Batch


@dataclass(slots=True)
class Outgoing:
    """A batch on its way. It is in flight while it has neither a position nor failed.

    `batch` is dated, for it may have to be sent late; `new` are its entries as they are when it is not. `held`:
    what denies in this process meanwhile; empty for entries that the index has, but the log has lost.
    """

    batch: Batch
    new: tuple[NewEntry, ...]
    held: list[Entry]
    position: int | None = None
    failed: bool = False
    spooled: bool = False
    """It is in the spool, or being written there."""
    kept: bool = False
    """It is in the spool."""
    late: bool = False
    """Whoever waits for it has been told that the log has it not, or will be."""
    new_until: int = 0
    """Milliseconds by the log's own clock, where it has one: what it takes after that is late."""
    copied: bool = False
    """More than one server has it, where there is more than one."""
    resting: bool = False
    """Another process has spooled it and, as long as it lives, sends it."""


class Outbox:
    """The batches of this process that the log may not have yet."""

    def __init__(self, index: RevocationIndex) -> None:
        self._index = index
        self._batches: dict[str, Outgoing] = {}

    def __len__(self) -> int:
        """How many entries are not known to be in the log."""
        return sum(len(one.batch.entries) for one in self._batches.values() if one.position is None)

    def __contains__(self, name: str) -> bool:
        return name in self._batches

    def take(self, entries: Sequence[NewEntry], now: int) -> Outgoing:
        """Deny by these entries from now on. The batch is dated, for it may have to be sent later."""
        batch = Batch(dice.token(9), tuple(entry.dated(now) for entry in entries))
        return self._add(batch, tuple(entries), [self._index.hold(entry, now) for entry in entries])

    def adopt(self, batch: Batch, now: int) -> None:
        """Deny by a batch that another process has spooled, and send it once it was roused."""
        held = [self._index.hold(entry, now) for entry in batch.entries]
        one = self._add(batch, batch.entries, held)
        one.spooled = one.kept = one.resting = True

    def rouse(self) -> bool:
        """Send what other processes have spooled and the log has not yet; is there anything?"""
        found = [one for one in self._batches.values() if one.resting and one.position is None]
        for one in found:
            one.resting = False
        return bool(found)

    def restore(self, name: str, entry: Entry) -> None:
        """Send an entry that the index has and the log has no more."""
        if name not in self._batches:
            self._add(Batch(name, (entry,)), (entry,), [])

    def unsent(self) -> list[Outgoing]:
        """The batches that failed."""
        return [one for one in self._batches.values() if one.failed]

    def waiting(self) -> list[Outgoing]:
        """The batches to send, which are not known to be in the log, the oldest first."""
        return [one for one in self._batches.values() if one.position is None and not one.resting]

    def in_flight(self) -> bool:
        """Is a batch neither sent nor failed?"""
        return any(one.position is None and not one.failed for one in self._batches.values())

    def found(self, name: str, position: int) -> None:
        """The log has an entry of this batch at this position; batches of other processes are ignored."""
        if name in self._batches:
            self._batches[name].position = position
            self._batches[name].failed = False

    def committed(self) -> set[str]:
        """The batches that the log has although the spool may have them too."""
        return {name for name, one in self._batches.items() if one.position is not None}

    def unspooled(self) -> list[Outgoing]:
        """The batches that only this process's memory has."""
        return [
            one for one in self._batches.values() if one.position is None and not one.spooled and one.held
        ]

    def unwritten(self) -> list[Outgoing]:
        """The batches that should be in the spool by now, and are not."""
        return [
            one
            for one in self._batches.values()
            if one.position is None and not one.spooled and (one.failed or one.late)
        ]

    def unkept(self) -> int:
        """How many entries are in this process's memory only although they should be elsewhere by now."""
        return sum(
            len(one.batch.entries)
            for one in self._batches.values()
            if one.position is None and one.late and not one.kept and one.held
        )

    def settle(self) -> None:
        """Release what the index has read at its position, and forget it unless the spool may have it."""
        for name, one in list(self._batches.items()):
            if one.position is None or one.position > self._index.position:
                continue
            for entry in one.held:
                self._index.release(entry)
            if not one.spooled:
                del self._batches[name]

    def spool_lost(self) -> None:
        """Whatever the spool had, it has it no more."""
        self.spool_cleared(set(self._batches))

    def _add(self, batch: Batch, new: tuple[NewEntry, ...], held: list[Entry]) -> Outgoing:
        one = self._batches[batch.id] = Outgoing(batch, new, held)
        return one

    def spool_cleared(self, names: set[str]) -> None:
        """The spool has these batches no more."""
        for name in names & self._batches.keys():
            self._batches[name].spooled = self._batches[name].kept = False
        self.settle()
