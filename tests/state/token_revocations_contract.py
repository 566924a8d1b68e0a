"""What every store of token revocations must do, whatever it is kept in.

A test module takes the contract by inheriting from `TokenRevocationsContract` and giving a `make` fixture: a function
that makes another, unopened store over the same place, as another process would.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.core import clock, dice
from gateway.state.contract.token_revocations import AT_ONCE, LARGEST, SLOTS, Taken, TokenRevocations, Waiting

Make = Callable[[], TokenRevocations]
DAY = 86_400


class TokenRevocationsContract:
    """The tests. `one` and `other` are two stores over one place, open."""

    most_module: object
    """The module of the store, whose `MOST` bounds it."""

    @pytest.fixture
    async def one(self, make: Make) -> AsyncIterator[TokenRevocations]:
        store = make()
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def other(self, make: Make, one: TokenRevocations) -> AsyncIterator[TokenRevocations]:
        store = make()
        await store.open()
        yield store
        await store.close()

    async def test_what_is_parked_is_given_to_one_of_all(
        self, one: TokenRevocations, other: TokenRevocations
    ) -> None:
        """However many ask at once, in however many processes; and byte for byte."""
        sealed = bytes(range(256)) * 8
        assert await one.park("s", sealed, due=0, latest=60, keep=DAY)
        answers = await asyncio.gather(*((one, other)[n % 2].take(lease=600) for n in range(10)))
        (taken,) = [each for answer in answers for each in answer]

        assert (taken.sealed, taken.tries) == (sealed, 1)
        assert DAY - 60 < taken.left <= DAY

    async def test_it_waits_until_it_is_due(
        self, one: TokenRevocations, other: TokenRevocations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody is given it before; whoever asks hears when that will be."""
        assert await one.waiting() == Waiting(0, None)
        await one.park("s", b"sealed", due=3_600, latest=7_200, keep=DAY)
        assert await other.take(lease=600) == []
        waiting = await other.waiting()
        assert waiting is not None
        assert waiting.count == 1
        assert 3_000 < (waiting.due_in or 0) <= 3_600
        await self.pass_seconds(3_601, monkeypatch)

        assert [each.sealed for each in await other.take(lease=600)] == [b"sealed"]

    async def test_it_is_brought_forward(self, one: TokenRevocations, other: TokenRevocations) -> None:
        """All records of the session, and none of another."""
        await one.park("s", b"first", due=60, latest=600, keep=DAY)
        await one.park("s", b"second", due=60, latest=600, keep=DAY)
        await one.park("other", b"not this", due=60, latest=600, keep=DAY)

        assert await other.move("s", due=0) == 2
        assert await other.move("nobody", due=0) == 0
        assert {each.sealed for each in await one.take(lease=600)} == {b"first", b"second"}

    async def test_it_is_put_back_only_so_far(
        self, one: TokenRevocations, other: TokenRevocations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever a browser does again and again, it is due in the end."""
        await one.park("s", b"sealed", due=100, latest=1_000, keep=DAY)
        for _ in range(5):
            await other.move("s", due=900)
        await self.pass_seconds(500, monkeypatch)
        assert await one.take(lease=600) == []
        for _ in range(5):
            await other.move("s", due=900)
        await self.pass_seconds(501, monkeypatch)

        assert [each.sealed for each in await one.take(lease=600)] == [b"sealed"]

    async def test_a_record_that_somebody_has_taken_is_not_moved(
        self, one: TokenRevocations, other: TokenRevocations
    ) -> None:
        """Nor one that is put off because the provider did not answer."""
        await one.park("s", b"sealed", due=0, latest=600, keep=DAY)
        (taken,) = await one.take(lease=600)
        assert await other.move("s", due=0) == 0
        assert await other.take(lease=600) == []
        await one.put_off(taken.name, due=600)

        assert await other.move("s", due=0) == 0
        assert await other.take(lease=600) == []

    async def test_another_takes_over_from_one_that_died(
        self, one: TokenRevocations, other: TokenRevocations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When the lease is over, and not before."""
        await one.park("s", b"sealed", due=0, latest=60, keep=DAY)
        await one.take(lease=600)
        await self.pass_seconds(300, monkeypatch)
        assert await other.take(lease=600) == []
        await self.pass_seconds(301, monkeypatch)

        assert [(each.sealed, each.tries) for each in await other.take(lease=600)] == [(b"sealed", 2)]

    async def test_what_was_put_off_comes_again(
        self, one: TokenRevocations, other: TokenRevocations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With the number of its tries; also beyond its latest, and after its deadline, for somebody has to say so."""
        await one.park("s", b"sealed", due=0, latest=60, keep=1_000)
        (taken,) = await one.take(lease=600)
        await one.put_off(taken.name, due=1_200)
        await self.pass_seconds(900, monkeypatch)
        assert await other.take(lease=600) == []
        await self.pass_seconds(301, monkeypatch)
        (again,) = await other.take(lease=600)

        assert (again.name, again.sealed, again.tries) == (taken.name, b"sealed", 2)
        assert again.left < 0

    async def test_what_is_finished_is_gone(
        self, one: TokenRevocations, other: TokenRevocations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And is not brought back by whoever was slower."""
        await one.park("s", b"sealed", due=0, latest=60, keep=DAY)
        (taken,) = await one.take(lease=600)
        await other.finish(taken.name)
        await one.put_off(taken.name, due=0)
        await self.pass_seconds(60, monkeypatch)

        assert await one.take(lease=600) == []
        assert await one.waiting() == Waiting(0, None)

    async def test_the_same_twice_is_one(self, one: TokenRevocations, other: TokenRevocations) -> None:
        """The answer to the first may have been lost on its way."""
        assert await one.park("s", b"sealed", due=60, latest=60, keep=DAY)
        assert await other.park("s", b"sealed", due=60, latest=60, keep=DAY)

        waiting = await one.waiting()
        assert waiting is not None
        assert waiting.count == 1

    async def test_a_session_has_so_many_records(self, one: TokenRevocations) -> None:
        """Whoever can make one end again and again fills nothing."""
        parked = [await one.park("s", b"%d" % n, due=60, latest=60, keep=DAY) for n in range(SLOTS + 2)]

        assert parked == [True] * SLOTS + [False] * 2
        assert await one.park("other", b"sealed", due=60, latest=60, keep=DAY)

    async def test_it_is_bounded(self, one: TokenRevocations, monkeypatch: pytest.MonkeyPatch) -> None:
        """In bytes and in number; there is room again when one is finished."""
        monkeypatch.setattr(self.most_module, "MOST", 3)
        assert not await one.park("large", dice.key() * (LARGEST // 32) + b"x", due=0, latest=60, keep=DAY)
        assert await one.park("large", dice.key() * (LARGEST // 32), due=0, latest=60, keep=DAY)
        assert [await one.park(str(n), b"sealed", due=60, latest=60, keep=DAY) for n in range(3)] == [
            True,
            True,
            False,
        ]
        (taken,) = await one.take(lease=600)
        await one.finish(taken.name)

        assert await one.park("2", b"sealed", due=60, latest=60, keep=DAY)

    async def test_many_are_given_in_pieces(self, one: TokenRevocations, other: TokenRevocations) -> None:
        """No two of them have a record in common, and all of them have all."""
        for n in range(AT_ONCE + 4):
            await one.park(f"s{n}", b"%d" % n, due=0, latest=60, keep=DAY)
        first, second = await one.take(lease=600), await other.take(lease=600)

        assert len(first) == AT_ONCE
        assert sorted(int(each.sealed) for each in [*first, *second]) == list(range(AT_ONCE + 4))

    async def test_names_of_sessions_are_taken_as_they_are(self, one: TokenRevocations) -> None:
        """Those of base64url, and any other."""
        for sid in ("a-_9", "a/0", "a/1/2", "é"):
            await one.park(sid, sid.encode(), due=0, latest=60, keep=DAY)
        taken: list[Taken] = await one.take(lease=600)
        assert {each.sealed.decode() for each in taken} == {"a-_9", "a/0", "a/1/2", "é"}
        for each in taken:
            await one.finish(each.name)

        assert await one.waiting() == Waiting(0, None)

    async def test_a_closed_store_says_so(self, make: Make) -> None:
        """Closing twice is closing."""
        store = make()
        await store.open()
        await store.close()
        await store.close()
        with pytest.raises(RuntimeError):
            await store.take(lease=600)

    async def pass_seconds(self, seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let time pass for the store: by the clock that this process reads, unless the store has another."""
        true = clock.now
        monkeypatch.setattr(clock, "now", lambda: true() + seconds)
