"""What every store of refreshes must do, whatever it is kept in.

A test module takes the contract by inheriting from `RefreshesContract` and giving a `make` fixture: a function that
makes another, unopened store over the same place, as another process would.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.core import clock
from gateway.state.refreshes import Busy, Granted, Outdated, Refreshes, Succeeded

Make = Callable[[], Refreshes]


class RefreshesContract:
    """The tests. `one` and `other` are two stores over one place, open."""

    @pytest.fixture
    async def one(self, make: Make) -> AsyncIterator[Refreshes]:
        store = make()
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def other(self, make: Make, one: Refreshes) -> AsyncIterator[Refreshes]:
        store = make()
        await store.open()
        yield store
        await store.close()

    async def test_r10_one_of_many_is_granted_the_refresh(self, one: Refreshes, other: Refreshes) -> None:
        """However many ask at once, in however many processes."""
        claims = await asyncio.gather(*((one, other)[n % 2].claim("s", 0, lease=10) for n in range(10)))

        assert [type(claim) for claim in claims if not isinstance(claim, Busy)] == [Granted]

    async def test_a_claim_that_was_given_back_is_granted_again(
        self, one: Refreshes, other: Refreshes
    ) -> None:
        """A refresh that failed is tried again, by anybody."""
        await one.claim("s", 0, lease=10)
        await one.release("s", 0)

        assert isinstance(await other.claim("s", 0, lease=10), Granted)

    async def test_a_lease_ends(
        self, one: Refreshes, other: Refreshes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process that died over its refresh hinders nobody for long."""
        await one.claim("s", 0, lease=1)
        assert isinstance(await other.claim("s", 0, lease=1), Busy)
        await self.pass_seconds(2, monkeypatch)

        assert isinstance(await other.claim("s", 0, lease=1), Granted)

    async def test_what_is_published_is_handed_out(self, one: Refreshes, other: Refreshes) -> None:
        """To every older generation, by claim and by question; the generation itself gets nothing."""
        await one.claim("s", 3, lease=10)
        assert await one.publish("s", 4, b"\x00sealed", visible=60, keep=600)

        assert await other.claim("s", 3, lease=10) == Succeeded(4, b"\x00sealed")
        assert await other.later("s", 0) == Succeeded(4, b"\x00sealed")
        assert await other.later("s", 4) is None
        assert isinstance(await other.claim("s", 4, lease=10), Granted)

    async def test_r10_an_older_generation_is_never_published(self, one: Refreshes, other: Refreshes) -> None:
        """Nor the same once more: whoever was slower has to take what is there."""
        assert await one.publish("s", 2, b"first", visible=60, keep=600)
        assert not await other.publish("s", 2, b"second", visible=60, keep=600)
        assert not await other.publish("s", 1, b"older", visible=60, keep=600)

        assert await other.later("s", 0) == Succeeded(2, b"first")

    async def test_that_there_is_a_later_one_is_known_for_longer(
        self, one: Refreshes, other: Refreshes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After its time it is not handed out any more, and then forgotten."""
        await one.publish("s", 1, b"sealed", visible=1, keep=4)
        await self.pass_seconds(2, monkeypatch)
        assert await other.later("s", 0) == Outdated(1)
        assert await other.claim("s", 0, lease=10) == Outdated(1)
        await self.pass_seconds(4, monkeypatch)

        assert await other.later("s", 0) is None

    async def test_sessions_do_not_mix(self, one: Refreshes) -> None:
        """What is known of one says nothing of another."""
        await one.publish("s", 1, b"sealed", visible=60, keep=600)

        assert await one.later("S", 0) is None
        assert isinstance(await one.claim("t", 0, lease=10), Granted)

    async def test_a_closed_store_says_so(self, make: Make) -> None:
        """Closing twice is closing."""
        store = make()
        await store.open()
        await store.close()
        await store.close()
        with pytest.raises(RuntimeError):
            await store.claim("s", 0, lease=10)

    async def pass_seconds(self, seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let time go by for the store: where it asks our clock, that is put forward."""
        true = clock.now
        monkeypatch.setattr(clock, "now", lambda: true() + seconds)
