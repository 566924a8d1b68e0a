"""What everything must do that keeps sessions for tickets; see `refreshes_contract.py` for how it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.state.contract.tickets import Absent, Overtaken, StoredSession, Tickets

Make = Callable[[], Tickets]


class TicketsContract:
    """The tests. `one` and `other` are two over one place, open."""

    @pytest.fixture
    async def one(self, make: Make) -> AsyncIterator[Tickets]:
        made = make()
        await made.open()
        yield made
        await made.close()

    @pytest.fixture
    async def other(self, make: Make, one: Tickets) -> AsyncIterator[Tickets]:
        made = make()
        await made.open()
        yield made
        await made.close()

    async def test_what_one_process_keeps_every_process_reads(self, one: Tickets, other: Tickets) -> None:
        """Byte for byte; what nobody has kept is absent."""
        assert await one.create("a", b"\x00\xff sealed \r\n", keep=600)

        assert await other.read("a") == StoredSession(1, b"\x00\xff sealed \r\n")
        assert await other.read("A") == Absent()
        assert other.health() == "ok"

    async def test_a_session_is_made_once(self, one: Tickets, other: Tickets) -> None:
        """Nobody's sign-in takes the place of another's; the same one again is the answer that was lost."""
        assert await one.create("a", b"first", keep=600)
        assert not await other.create("a", b"second", keep=600)
        assert await other.create("a", b"first", keep=600)

        assert await other.read("a") == StoredSession(1, b"first")

    async def test_a_change_names_what_it_was_made_from(self, one: Tickets, other: Tickets) -> None:
        """Of two at the same time one is too late, and knows it."""
        await one.create("a", b"first", keep=600)
        answers = await asyncio.gather(one.replace("a", 1, b"one's"), other.replace("a", 1, b"other's"))

        (done,) = [answer for answer in answers if isinstance(answer, StoredSession)]
        assert Overtaken() in answers
        assert done.revision == 2
        assert await one.read("a") == done
        assert isinstance(await other.replace("a", 2, b"third"), StoredSession)
        assert await other.replace("a", 2, b"late") == Overtaken()
        assert await one.read("a") == StoredSession(3, b"third")

    async def test_r10_what_was_removed_does_not_come_back(self, one: Tickets, other: Tickets) -> None:
        """A change that was under way when somebody signed out finds nothing to change."""
        await one.create("a", b"first", keep=600)
        assert await other.remove("a")

        assert await one.replace("a", 1, b"second") == Absent()
        assert await one.read("a") == Absent()
        assert await one.remove("a")

    async def test_a_session_goes_with_its_time(self, one: Tickets) -> None:
        """Which no change prolongs."""
        await one.create("a", b"first", keep=600)
        await one.replace("a", 1, b"second")
        await self.pass_seconds(300)
        assert isinstance(await one.read("a"), StoredSession)
        await self.pass_seconds(301)

        assert await one.read("a") == Absent()
        assert await one.create("b", b"over already", keep=-5)
        await self.pass_seconds(2)
        assert await one.read("b") == Absent()

    async def test_many_are_read_together(self, one: Tickets) -> None:
        """Each gets its own, also who asks twice."""
        names = [f"s{n}" for n in range(300)]
        for name in names[::2]:
            await one.create(name, name.encode(), keep=600)
        found = await asyncio.gather(*(one.read(name) for name in (*names, *names)))

        assert found[:300] == found[300:]
        assert found[:300:2] == [StoredSession(1, name.encode()) for name in names[::2]]
        assert set(found[1:300:2]) == {Absent()}

    async def test_what_is_closed_says_so(self, make: Make) -> None:
        """Closing twice is closing."""
        made = make()
        await made.open()
        await made.close()
        await made.close()
        with pytest.raises(RuntimeError):
            await made.read("a")

    async def pass_seconds(self, seconds: int) -> None:
        """Let time go by for the storage."""
        raise NotImplementedError
