"""What every store of refreshes must do, whatever it is kept in.

A test module takes the contract by inheriting from `RefreshesContract` and giving a `make` fixture: a function that
makes another, unopened store over the same place, as another process would.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.core import clock
from gateway.state.contract.refreshes import Ahead, Busy, Granted, Outdated, Refreshes, Succeeded

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
        claims = await asyncio.gather(*((one, other)[n % 2].claim("s", 0, lease=600) for n in range(10)))

        assert [type(claim) for claim in claims if not isinstance(claim, Busy)] == [Granted]

    async def test_a_claim_that_was_given_back_is_granted_again(
        self, one: Refreshes, other: Refreshes
    ) -> None:
        """A refresh that failed is tried again, by anybody."""
        await one.claim("s", 0, lease=600)
        await one.release("s", 0)

        assert isinstance(await other.claim("s", 0, lease=600), Granted)

    async def test_a_lease_ends(
        self, one: Refreshes, other: Refreshes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process that died over its refresh hinders nobody for long."""
        await one.claim("s", 0, lease=300)
        assert isinstance(await other.claim("s", 0, lease=300), Busy)
        await self.pass_seconds(301, monkeypatch)

        assert isinstance(await other.claim("s", 0, lease=300), Granted)

    async def test_a_lease_is_held_for_as_long_as_somebody_says_so(
        self, one: Refreshes, other: Refreshes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Beyond its time; and nobody holds that of another."""
        await one.claim("s", 0, lease=300, keep=3_600)
        assert isinstance(await other.renew("s", 0, lease=600), Busy)
        assert await one.renew("s", 0, lease=600) == Granted()
        await self.pass_seconds(301, monkeypatch)

        assert isinstance(await other.claim("s", 0, lease=600, keep=3_600), Busy)

    async def test_a_lease_that_ran_out_is_taken_back_by_its_holder_alone(
        self, one: Refreshes, other: Refreshes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If nobody has taken it meanwhile."""
        await one.claim("s", 0, lease=300, keep=3_600)
        await self.pass_seconds(301, monkeypatch)
        assert await one.renew("s", 0, lease=600) == Granted()

        assert isinstance(await other.claim("s", 0, lease=600, keep=3_600), Busy)

    async def test_who_was_not_heard_of_again_is_told_of(
        self, one: Refreshes, other: Refreshes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The token may be spent and its successor on its way: the next one waits for it, and believes no refusal."""
        await one.claim("s", 3, lease=300, keep=3_600)
        await self.pass_seconds(301, monkeypatch)

        assert await other.claim("s", 3, lease=600, keep=3_600) == Granted(sure=False, lapsed=True)
        assert isinstance(await one.renew("s", 3, lease=600), Busy)
        assert await other.renew("s", 3, lease=600) == Granted(sure=False)

    @pytest.mark.parametrize("spent", [False, True])
    async def test_what_became_of_a_token_is_remembered(
        self, one: Refreshes, other: Refreshes, spent: bool
    ) -> None:
        """A refusal of one that may be spent is not believed, whoever tries it, nor at any later try."""
        await one.claim("s", 3, lease=600, keep=3_600)
        await one.release("s", 3, spent=spent)
        assert await other.claim("s", 3, lease=600, keep=3_600) == Granted(sure=not spent)
        await other.release("s", 3)

        assert await one.claim("s", 3, lease=600, keep=3_600) == Granted(sure=not spent)

    async def test_nor_is_one_of_the_token_that_came_for_it(
        self, one: Refreshes, other: Refreshes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A provider that is shown a spent token may end all that came of it; the generation after that is believed."""
        await one.claim("s", 3, lease=300, keep=3_600)
        await self.pass_seconds(301, monkeypatch)
        await other.claim("s", 3, lease=600, keep=3_600)
        assert await one.publish("s", 4, b"late", visible=600, keep=3_600)
        assert await other.claim("s", 4, lease=600, keep=3_600) == Granted(sure=False)
        assert await other.publish("s", 5, b"sealed", visible=600, keep=3_600)

        assert await one.claim("s", 5, lease=600, keep=3_600) == Granted()

    async def test_a_token_that_was_taken_was_good(self, one: Refreshes, other: Refreshes) -> None:
        """However often it was sent: the provider takes it more than once."""
        await one.claim("s", 3, lease=600, keep=3_600)
        await one.release("s", 3, spent=True)
        await other.claim("s", 3, lease=600, keep=3_600)
        await other.publish("s", 4, b"sealed", visible=600, keep=3_600)

        assert await one.claim("s", 4, lease=600, keep=3_600) == Granted()

    async def test_a_generation_that_nobody_published_is_known_to_exist(
        self, one: Refreshes, other: Refreshes
    ) -> None:
        """A browser had it from a process that is gone; an older copy must not be refreshed beside it."""
        await one.claim("s", 3, lease=600, keep=3_600)
        await other.release("s", 3)
        await one.release("s", 3)
        await one.claim("s", 4, lease=600, keep=3_600)
        await one.release("s", 4)

        assert await other.claim("s", 3, lease=600, keep=3_600) == Ahead()
        assert await other.renew("s", 3, lease=600) == Ahead()
        assert await other.claim("s", 4, lease=600, keep=3_600) == Granted()

    async def test_what_was_published_once_is_published(self, one: Refreshes, other: Refreshes) -> None:
        """The answer may have been lost: the next try finds out. Two of one token are doubted."""
        await one.claim("s", 3, lease=600, keep=3_600)
        assert await one.publish("s", 4, b"sealed", visible=600, keep=3_600)
        assert await one.publish("s", 4, b"sealed", visible=600, keep=3_600)
        assert await other.publish("s", 4, b"another", visible=600, keep=3_600) is False

        assert await other.claim("s", 4, lease=600, keep=3_600) == Granted(sure=False)

    async def test_what_is_published_is_handed_out(self, one: Refreshes, other: Refreshes) -> None:
        """To every older generation, by claim and by question; the generation itself gets nothing."""
        await one.claim("s", 3, lease=600)
        assert await one.publish("s", 4, b"\x00sealed", visible=600, keep=3_600)

        assert await other.claim("s", 3, lease=600) == Succeeded(4, b"\x00sealed")
        assert await other.later("s", 0) == Succeeded(4, b"\x00sealed")
        assert await other.later("s", 4) is None
        assert isinstance(await other.claim("s", 4, lease=600), Granted)

    async def test_r10_an_older_generation_is_never_published(self, one: Refreshes, other: Refreshes) -> None:
        """Nor the same once more: whoever was slower has to take what is there."""
        assert await one.publish("s", 2, b"first", visible=600, keep=3_600)
        assert await other.publish("s", 2, b"second", visible=600, keep=3_600) is False
        assert await other.publish("s", 1, b"older", visible=600, keep=3_600) is False

        assert await other.later("s", 0) == Succeeded(2, b"first")

    async def test_that_there_is_a_later_one_is_known_for_longer(
        self, one: Refreshes, other: Refreshes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After its time it is not handed out any more, and then forgotten."""
        await one.publish("s", 1, b"sealed", visible=300, keep=3_600)
        await self.pass_seconds(301, monkeypatch)
        assert await other.later("s", 0) == Outdated(1)
        assert await other.claim("s", 0, lease=600) == Outdated(1)
        await self.pass_seconds(3_600, monkeypatch)

        assert await other.later("s", 0) is None

    async def test_sessions_do_not_mix(self, one: Refreshes) -> None:
        """What is known of one says nothing of another."""
        await one.publish("s", 1, b"sealed", visible=600, keep=3_600)

        assert await one.later("S", 0) is None
        assert isinstance(await one.claim("t", 0, lease=600), Granted)

    async def test_a_closed_store_says_so(self, make: Make) -> None:
        """Closing twice is closing."""
        store = make()
        await store.open()
        await store.close()
        await store.close()
        with pytest.raises(RuntimeError):
            await store.claim("s", 0, lease=600)

    async def pass_seconds(self, seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let time go by for the store: where it asks our clock, that is put forward."""
        true = clock.now
        monkeypatch.setattr(clock, "now", lambda: true() + seconds)
