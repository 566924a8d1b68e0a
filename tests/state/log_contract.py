"""What every revocation log must do, whatever it is kept in.

A test module takes the contract by inheriting from `LogContract` and giving a `make` fixture: a function that
makes another, unopened log over the same store, as another process would.
"""

from __future__ import annotations

import asyncio
import gc
import math
import sys
import time
from collections.abc import AsyncIterator, Callable
from types import FrameType
from typing import Any

import pytest

from gateway.core import clock
from gateway.core.session.revocation_keys import EVERYONE, sid_key, subject_key
from gateway.core.signout.revocation import ENTRY_MARGIN, Entry, NewEntry
from gateway.state.contract.forgetting import Forgetting
from gateway.state.contract.log import RevocationLog, in_step
from gateway.state.contract.renewal import RenewalCause
from tests.fakes.patience import PATIENCE
from tests.fakes.signed_in import signed_in

ALICE = subject_key("https://idp.example", "alice")
Make = Callable[[], RevocationLog]


def new(key: str, *, lives: int = 3600, **other: int | None) -> NewEntry:
    """An entry that lives for an hour from now."""
    return NewEntry(key, clock.now() + lives, "test", **other)


def ended(log: RevocationLog, sid: str, *, seen: int | None = None) -> Entry | None:
    """What the log says of a session of Alice that logged in now, when the log stood at `seen`."""
    now = clock.now()
    position = log.index.position if seen is None else seen
    return log.index.ended_by(signed_in(sid, (ALICE,), seen=position, login_at=now))


async def within(seconds: float, happens: Callable[[], bool]) -> bool:
    """Does it happen in time?"""
    until = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.01)
    return True


def called(work: Callable[[], object]) -> list[str]:
    """``work`` and the functions that it calls, in Python and in C; not those that whatever is garbage just then calls."""
    found: list[str] = []

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event in {"call", "c_call"}:
            found.append(frame.f_code.co_qualname if event == "call" else argument.__qualname__)

    gc.disable()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return found[:-1]  # without the call that ends this


class Clock:
    """A wall clock that somebody sets, for every log made from here on; the time that goes by goes on as it does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.set_by = 0.0
        monkeypatch.setattr(clock, "now", lambda: int(time.time() + self.set_by))
        monkeypatch.setattr(clock, "precise", lambda: time.time() + self.set_by)
        wall = Forgetting.__init__.__defaults__
        assert wall is not None
        monkeypatch.setattr(Forgetting.__init__, "__defaults__", (lambda: time.time() + self.set_by, wall[1]))


class LogContract:
    """The tests. `one` and `other` are two logs over one store, open."""

    async def test_r06_a_clock_that_jumps_ahead_revives_nobody(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """For as long as it is wrong, and after: neither here nor in a process that began meanwhile or later."""
        clock_of_machine = Clock(monkeypatch)
        before = [make()]
        await before[0].open()
        seen = before[0].index.position
        assert (await before[0].append([new(sid_key("s")), new(ALICE)])).durable
        try:
            clock_of_machine.set_by = 13 * 3_600.0
            before.append(make())
            await before[1].open()
            for log in before:
                monkeypatch.setattr(log, "_trimmed_at", -math.inf)
            assert await within(PATIENCE, lambda: all(vars(log)["_trimmed_at"] > -math.inf for log in before))
            clock_of_machine.set_by = 0.0
            before.append(make())
            await before[2].open()
            for log in before:
                assert ended(log, "s") is not None
                assert ended(log, "other", seen=seen) is not None
        finally:
            for log in before:
                await log.close()

    async def test_r06_what_was_trimmed_is_kept_in_mind(self, make: Make, one: RevocationLog) -> None:
        """The entries are gone for good; that they may have been there every process knows, later ones too."""
        now = clock.now()
        deadline = now - ENTRY_MARGIN
        await one.append([NewEntry(sid_key("s"), now, "test")])
        await self.trim(one, now)
        later = make()
        await later.open()
        try:
            assert ended(later, "s") is None
            assert later.index.may_be_forgotten(deadline)
            assert not later.index.may_be_forgotten(deadline + 1)
            assert await within(PATIENCE, lambda: one.index.may_be_forgotten(deadline))
        finally:
            await later.close()

    async def trim(self, log: RevocationLog, now: int) -> None:
        """Have the store remove what expired before ``now``, as a process would whose clock says so."""
        raise AssertionError("each store has its own way")

    @pytest.fixture
    async def one(self, make: Make) -> AsyncIterator[RevocationLog]:
        log = make()
        await log.open()
        yield log
        await log.close()

    @pytest.fixture
    async def other(self, make: Make, one: RevocationLog) -> AsyncIterator[RevocationLog]:
        log = make()
        await log.open()
        yield log
        await log.close()

    async def test_a_log_that_was_not_opened_is_not_loaded(self, make: Make) -> None:
        """Never loaded is not the same as nothing revoked (rule R5)."""
        log = make()

        assert not log.loaded
        assert log.age() == float("inf")
        assert log.health().startswith("not loaded")

    async def test_an_open_log_is_in_step(self, one: RevocationLog) -> None:
        """It is loaded, has an id of 32 hexadecimal digits, and is well."""
        assert one.loaded
        assert len(bytes.fromhex(one.log_id)) == 16
        assert one.age() < PATIENCE
        assert not one.moved()
        assert one.health().startswith("ok")
        assert one.pending == 0

    async def test_an_appended_entry_denies(self, one: RevocationLog) -> None:
        """Once acknowledged it is durable and in the index at its position."""
        answer = await one.append([new(sid_key("s"), barrier=clock.now() + 120)])

        assert answer.durable
        assert answer.position == one.index.position
        found = ended(one, "s")
        assert found is not None
        assert found.position == answer.position
        assert found.barrier is not None

    async def test_an_entry_denies_before_the_append_awaits(self, one: RevocationLog) -> None:
        """Nothing that runs after the call finds the session alive, so that nobody else ends it once more."""
        appending = one.append([new(sid_key("s"))])

        assert ended(one, "s") is not None
        assert (await appending).durable

    async def test_nothing_appended_is_nothing_done(self, one: RevocationLog) -> None:
        """An empty append is durable and moves nothing."""
        before = one.index.position

        assert (await one.append([])).durable
        assert one.index.position == before

    async def test_r04_another_process_has_an_entry_as_soon_as_it_asks(
        self, one: RevocationLog, other: RevocationLog
    ) -> None:
        """When append has answered, `catch_up` brings the entry everywhere, and then nothing has moved."""
        await one.append([new(sid_key("s")), new(ALICE)])
        await other.catch_up()

        assert not other.moved()
        assert ended(other, "s") is not None
        assert other.index.position == one.index.position

    async def test_r04_whoever_decides_reads_a_log_that_has_moved_and_no_other(
        self, one: RevocationLog, other: RevocationLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`in_step` brings the entry of another process, and waits for nothing where there is nothing to read."""
        await one.append([new(sid_key("s"))])
        assert await within(PATIENCE, lambda: other.moved() or ended(other, "s") is not None)
        index = await in_step(other)
        assert index is other.index
        assert ended(other, "s") is not None
        monkeypatch.setattr(other, "moved", lambda: False)
        with pytest.raises(StopIteration):
            in_step(other).send(None)

    async def test_r06_positions_order_logins_and_entries_of_all_processes(
        self, one: RevocationLog, other: RevocationLog
    ) -> None:
        """A login that read the tail lives, one from before it does not, wherever it is asked."""
        before = one.index.position
        await other.append([new(ALICE)])
        await one.catch_up()

        assert ended(one, "s", seen=before) is not None
        assert ended(one, "s") is None
        await one.append([new(EVERYONE)])
        await other.catch_up()
        assert ended(other, "s", seen=one.index.position - 1) is not None

    async def test_an_own_append_hides_no_entry_of_another(
        self, one: RevocationLog, other: RevocationLog
    ) -> None:
        """What the other wrote before comes with the answer: positions are never skipped."""
        await other.append([new(sid_key("theirs"))])
        await one.append([new(sid_key("mine"))])

        assert ended(one, "theirs") is not None
        assert ended(one, "mine") is not None

    async def test_r04_a_position_that_was_not_read_yet_is_no_proof(
        self, one: RevocationLog, other: RevocationLog
    ) -> None:
        """A session of another process may have seen more than this one has read: it reads, and that is all."""
        before = one.log_id
        sealed = (await other.append([new(sid_key("s"))])).position
        await one.prove(sealed)

        assert one.log_id == other.log_id == before
        assert one.index.position >= sealed
        assert one.age() < math.inf
        assert ended(one, "s") is not None

    async def test_r04_a_position_that_the_log_never_gave_makes_it_another_log(
        self, make: Make, one: RevocationLog, other: RevocationLog
    ) -> None:
        """It is an older copy of the one that did. One process of all tells of it, and nobody is let in meanwhile."""
        told: list[RenewalCause] = []
        one.on_renewed = other.on_renewed = told.append
        await one.append([new(sid_key("s"))])
        before, sealed = one.log_id, one.index.position + 5
        await asyncio.gather(one.prove(sealed), other.prove(sealed))

        assert all(log.log_id != before or log.age() == math.inf for log in (one, other))
        assert await within(PATIENCE, lambda: one.log_id == other.log_id != before)
        assert await within(PATIENCE, lambda: one.age() < math.inf and other.age() < math.inf)
        assert await within(PATIENCE, lambda: told == [RenewalCause.SESSION])
        assert one.index.position > sealed
        assert ended(other, "s") is not None
        assert await within(PATIENCE, lambda: "a browser has seen more of it" in other.health())
        assert other.health().startswith("ok")
        later = make()
        later.on_renewed = told.append
        await later.open()
        after = later.log_id
        await later.prove(sealed)
        assert later.log_id == after == one.log_id
        await later.close()
        assert told == [RenewalCause.SESSION]

    async def test_a_batch_keeps_its_order(self, one: RevocationLog, other: RevocationLog) -> None:
        """Entries of one append follow each other."""
        await one.append([new(sid_key(f"s{n}")) for n in range(5)])
        await other.catch_up()

        positions = [found.position for n in range(5) if (found := ended(other, f"s{n}")) is not None]
        assert positions == sorted(positions)
        assert len(positions) == 5

    async def test_appends_at_the_same_time_all_arrive(
        self, one: RevocationLog, other: RevocationLog
    ) -> None:
        """Two processes write at once and neither loses anything."""
        answers = await asyncio.gather(
            *((one, other)[n % 2].append([new(sid_key(f"s{n}"))]) for n in range(30))
        )
        await asyncio.gather(one.catch_up(), other.catch_up())

        assert all(answer.durable for answer in answers)
        assert len(one.index) == len(other.index) == 30
        assert one.index.position == other.index.position

    async def test_many_callers_catch_up_together(self, one: RevocationLog, other: RevocationLog) -> None:
        """Every caller has the entry when its call ends, also one that came while a read was under way."""
        reading = asyncio.ensure_future(other.catch_up())
        await asyncio.sleep(0)
        await one.append([new(sid_key("s"))])
        await asyncio.gather(*(other.catch_up() for _ in range(20)))

        assert ended(other, "s") is not None
        await reading

    async def test_a_cancelled_caller_loses_no_entry(self, one: RevocationLog, other: RevocationLog) -> None:
        """A client that goes away in the middle of a read or a logout changes nothing for the others."""
        appending = asyncio.ensure_future(one.append([new(sid_key("s"))]))
        await asyncio.sleep(0)
        appending.cancel()
        assert await within(PATIENCE, lambda: one.pending == 0)
        reading = asyncio.ensure_future(other.catch_up())
        await asyncio.sleep(0)
        reading.cancel()
        await other.catch_up()

        assert ended(other, "s") is not None

    async def test_a_restart_loses_nothing(self, make: Make, one: RevocationLog) -> None:
        """The id stays, the position goes on, every entry is there before the first question."""
        answer = await one.append([new(sid_key("s"))])
        await one.close()
        again = make()
        await again.open()

        assert again.log_id == one.log_id
        assert again.index.position == answer.position
        assert ended(again, "s") is not None
        assert (await again.append([new(ALICE)])).position > answer.position
        await again.close()

    async def test_r06_an_event_time_is_capped_at_the_receipt(self, one: RevocationLog) -> None:
        """A sender's clock cannot reach into the future."""
        await one.append([new(sid_key("s"), event_time=clock.now() + 9999)])
        found = ended(one, "s")

        assert found is not None
        assert found.event_time is not None
        assert found.event_time <= clock.now()

    async def test_odd_names_are_kept_as_they_are(self, one: RevocationLog, other: RevocationLog) -> None:
        """Names come from other people's systems: any text is a key."""
        name = subject_key("https://i", "\u00e9|%\x00\U0001f600'\";--\ud800")
        await one.append([new(name)])
        await other.catch_up()
        now = clock.now()

        assert other.index.ended_by(signed_in("x", (name,), login_at=now)) is not None

    async def test_the_upkeep_reads_without_being_asked(
        self, one: RevocationLog, other: RevocationLog
    ) -> None:
        """A process without requests stays in step, and its age stays low."""
        await one.append([new(sid_key("s"))])

        assert await within(PATIENCE, lambda: ended(other, "s") is not None)
        assert await within(PATIENCE, lambda: other.age() < 2)

    async def test_a_closed_log_takes_nothing(self, make: Make) -> None:
        """It says so, instead of denying in a process that nobody will hear of."""
        log = make()
        await log.open()
        await log.close()
        with pytest.raises(RuntimeError):
            await log.append([new(ALICE)])
        with pytest.raises(RuntimeError):
            await log.catch_up()
        with pytest.raises(RuntimeError):
            await log.prove(1)

    async def test_closing_twice_is_closing(self, make: Make) -> None:
        """Also for a log that was never opened."""
        log = make()
        await log.close()
        await log.open()
        await log.close()
        await log.close()
