"""Sessions kept in memory for tickets: what Redis does, with every wait in the test's hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from gateway.state.contract.tickets import Absent, Found, Overtaken, StoredSession, Unavailable


@dataclass
class Vault:
    """What all processes share.

    :ivar down: it does not answer. :ivar held: nobody is answered before the test lets them, or, with ``writes_only``,
        nobody who changes something.
    """

    now: int = 0
    down: bool = False
    held: bool = False
    writes_only: bool = False
    kept: dict[str, tuple[int, bytes, int]] = field(default_factory=dict)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    reads: int = 0
    writes: int = 0

    def let_one_go_on(self, at: int = 0) -> None:
        self.waiting.pop(at % len(self.waiting)).set_result(None)


class MemoryTickets:
    """One process's way to it (:class:`gateway.state.contract.tickets.Tickets`)."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self._open = False

    async def open(self) -> None:
        self._open = True

    async def close(self) -> None:
        self._open = False

    def health(self) -> str:
        return "away" if self.vault.down else "ok"

    async def read(self, sid: str) -> Found:
        self.vault.reads += 1
        if not await self._answers(reading=True):
            return Unavailable("away")
        found = self._found(sid)
        return found or Absent()

    async def create(self, sid: str, sealed: bytes, *, keep: int) -> bool:
        if not await self._answers():
            return False
        if (found := self._found(sid)) is not None:
            return found.sealed == sealed
        self.vault.kept[sid] = 1, sealed, self.vault.now + max(1, keep)
        return True

    async def replace(self, sid: str, revision: int, sealed: bytes) -> Found | Overtaken:
        self.vault.writes += 1
        if not await self._answers():
            return Unavailable("away")
        found = self._found(sid)
        if found is None:
            return Absent()
        if found.revision != revision:
            return Overtaken()
        self.vault.kept[sid] = revision + 1, sealed, self.vault.kept[sid][2]
        return StoredSession(revision + 1, sealed)

    async def remove(self, sid: str) -> bool:
        if not await self._answers():
            return False
        self.vault.kept.pop(sid, None)
        return True

    def _found(self, sid: str) -> StoredSession | None:
        revision, sealed, until = self.vault.kept.get(sid, (0, b"", 0))
        return StoredSession(revision, sealed) if self.vault.now < until else None

    async def _answers(self, *, reading: bool = False) -> bool:
        if not self._open:
            raise RuntimeError("the state is not open")
        if self.vault.held and not (reading and self.vault.writes_only):
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.vault.waiting.append(waiting)
            await waiting
        else:
            await asyncio.sleep(0)
        return not self.vault.down
