"""No order of anything on one host revives who was signed out, or ends who was not (`any_order`)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from gateway.core.signout.revocation import UNPLACED, NewEntry, RevocationIndex
from gateway.state.contract.board import Board, Marks
from gateway.state.contract.counter import Counter
from gateway.state.contract.forgetting import Forgetting
from gateway.state.contract.log import Appended
from gateway.state.contract.spool import Spool
from gateway.state.sqlite import log as sqlite
from gateway.state.sqlite.table import Table
from tests.model.any_order import AnyOrder

LARGE = settings.default is not None and settings.default.max_examples > 500
"""As in `make fuzz`."""

TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=1_000 if LARGE else 40, stateful_step_count=40, deadline=None)


def lived_through(what: Callable[[AnyOrder], None]) -> None:
    """What happens, and that everything is well in the end."""
    machine = AnyOrder()
    try:
        what(machine)
        machine.nobody_is_revived_and_nobody_is_ended()
        machine.all_is_well()
    finally:
        machine.host.end()
        machine.directory.cleanup()


# What the model has found, each told as it happened.


def a_sign_out_that_another_process_cannot_read_in_time(machine: AnyOrder) -> None:
    """Its own disk job takes too long. It knew by the counter that somebody was signed out, and served them."""
    machine.somebody_signs_in(0, "alice")
    machine.somebody_signs_in(0, "bob")
    machine.somebody_signs_out(1, 1)
    machine.somebody_signs_out(0, 0)
    machine.one_settles(0)
    machine.everybody_asks(1)
    machine.time_passes(0.3)


def a_start_after_the_clock_has_fallen_back(machine: AnyOrder) -> None:
    """Entries of whole users, made by whoever had not seen it fall, expired while their sessions could still live."""
    machine.somebody_signs_in(0, "alice")
    machine.the_clock_is_set(-5.0)
    machine.one_is_killed(0, again=True)
    machine.one_is_killed(0, again=True)
    for _ in range(2):
        machine.one_settles(0)
        machine.one_settles(1)
    machine.all_of_a_person_ends(0, "alice")
    machine.one_settles(0)
    machine.the_clock_is_set(0.0)
    for _ in range(3):
        machine.much_time_passes(2.9)
        machine.nobody_is_revived_and_nobody_is_ended()


def a_start_on_a_full_disk_while_the_clock_is_ahead(machine: AnyOrder) -> None:
    """What was known of the clock could be read, but was not, because it could not be written."""
    machine.somebody_signs_in(0, "alice")
    machine.somebody_signs_in(0, "bob")
    machine.somebody_signs_out(0, 0)
    machine.one_settles(0)
    machine.the_disk_is_full(True)
    machine.the_clock_is_set(14.0)
    machine.one_is_killed(0, again=False)
    machine.one_is_killed(0, again=True)
    machine.one_settles(0)
    for _ in range(3):
        machine.time_passes(6.0)
        machine.one_settles(0)
    machine.the_clock_is_set(0.0)


def an_end_on_a_full_disk_after_the_clock_has_fallen_back(machine: AnyOrder) -> None:
    """What is written later is dated, and by that clock all sessions had begun later."""
    machine.somebody_signs_in(0, "alice")
    machine.the_clock_is_set(-5.0)
    machine.the_disk_is_full(True)
    machine.all_of_a_person_ends(0, "alice")
    machine.one_settles(0)
    machine.time_passes(0.3)


def a_clock_that_falls_back_while_an_end_is_in_the_spool(machine: AnyOrder) -> None:
    """Whoever read it there dated it anew."""
    machine.somebody_signs_in(0, "alice")
    machine.the_disk_is_full(True)
    machine.all_of_a_person_ends(0, "alice")
    machine.one_settles(0)
    machine.time_passes(0.3)
    machine.the_clock_is_set(-5.0)
    machine.everybody_asks(1)
    machine.one_settles(1)


def an_end_written_late_of_who_signed_in_by_a_clock_ahead(machine: AnyOrder) -> None:
    """The clock was half an hour ahead for a moment: their sign-in was later than the end, by time."""
    machine.the_clock_is_set(0.5)
    machine.somebody_signs_in(0, "alice")
    machine.the_clock_is_set(0.0)
    machine.all_of_a_person_ends(0, "alice")
    machine.much_time_passes(0.5)


FOUND = (
    an_end_written_late_of_who_signed_in_by_a_clock_ahead,
    a_clock_that_falls_back_while_an_end_is_in_the_spool,
    an_end_on_a_full_disk_after_the_clock_has_fallen_back,
    a_sign_out_that_another_process_cannot_read_in_time,
    a_start_after_the_clock_has_fallen_back,
    a_start_on_a_full_disk_while_the_clock_is_ahead,
)


@pytest.mark.parametrize("what", FOUND, ids=lambda what: what.__name__)
def test_what_was_found_is_fixed(what: Callable[[AnyOrder], None]) -> None:
    """By the model, or by whoever thought about it."""
    lived_through(what)


# The model can fail: each of these bugs would be found.


def an_ordinary_day(machine: AnyOrder) -> None:
    """Sign-ins, sign-outs, a full disk, a clock ahead, a kill and a start: of whom nothing is to be seen."""
    for person in ("alice", "bob", "alice", "bob"):
        machine.somebody_signs_in(0, person)
    machine.somebody_signs_out(0, 0)
    machine.nobody_is_revived_and_nobody_is_ended()
    machine.one_settles(0)
    machine.everybody_asks(1)
    machine.one_settles(1)
    machine.the_clock_is_set(14.0)
    for _ in range(2):
        machine.time_passes(1.1)
        machine.one_settles(0)
        machine.one_settles(1)
    machine.the_clock_is_set(0.0)
    machine.nobody_is_revived_and_nobody_is_ended()
    machine.the_disk_is_full(True)
    machine.somebody_signs_out(0, 1)
    machine.one_settles(0)
    machine.time_passes(0.3)
    machine.everybody_asks(1)
    machine.one_settles(1)
    machine.nobody_is_revived_and_nobody_is_ended()
    machine.one_is_killed(1, again=True)
    machine.one_settles(1)
    machine.nobody_is_revived_and_nobody_is_ended()
    machine.the_log_is_locked(True)


def too_much_for_the_spool(machine: AnyOrder) -> None:
    """More sign-outs on a full disk than there is room for."""
    for _ in range(9):
        machine.somebody_signs_in(0, "alice")
    machine.the_disk_is_full(True)
    for number in range(9):
        machine.somebody_signs_out(0, number)
        machine.one_settles(0)
    machine.everybody_asks(1)
    machine.one_settles(1)


def _held_only_later(_: RevocationIndex, entry: NewEntry, now: int) -> Any:
    return entry.dated(now).placed(UNPLACED)


def _trimmed_early(trim: Callable[..., int]) -> Callable[..., int]:
    return lambda table, now, *, limit: trim(table, now + 14 * 3_600, limit=limit)


BUGS: dict[str, tuple[Callable[[AnyOrder], None], Callable[[], AbstractContextManager[Any]]]] = {
    "a sign-out does not count here before it is written": (
        an_ordinary_day,
        lambda: patch.object(RevocationIndex, "hold", _held_only_later),
    ),
    "the log is trimmed too early": (
        an_ordinary_day,
        lambda: patch.object(Table, "trim", _trimmed_early(Table.trim)),
    ),
    "entries are forgotten by the wall clock": (
        an_ordinary_day,
        lambda: patch.object(Forgetting, "now", lambda self: int(self._wall())),
    ),
    "nobody looks into the spool": (
        an_ordinary_day,
        lambda: patch.object(Spool, "batches", lambda _: []),
    ),
    "others are not told of what was written": (
        an_ordinary_day,
        lambda: patch.object(Counter, "raise_to", lambda *_, **__: None),
    ),
    "everything is called durable": (
        an_ordinary_day,
        lambda: patch.object(sqlite, "Appended", lambda durable, position: Appended(True, position)),
    ),
    "marks of what is in no file are not seen": (
        too_much_for_the_spool,
        lambda: patch.object(Board, "marks", lambda _: Marks()),
    ),
}


@pytest.mark.parametrize("name", BUGS)
def test_the_model_finds_a_bug(name: str) -> None:
    """Which makes the very day fail that passes without it."""
    what, bug = BUGS[name]
    lived_through(what)
    with bug(), pytest.raises(AssertionError):
        lived_through(what)


def test_the_model_finds_a_bug_by_itself() -> None:
    """In any order, without a day that somebody has thought of; also one that is not found again, for names are random."""
    with patch.object(Table, "trim", _trimmed_early(Table.trim)), pytest.raises((AssertionError, Flaky)):
        run_state_machine_as_test(
            AnyOrder,
            settings=settings(
                max_examples=500,
                stateful_step_count=40,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
                report_multiple_bugs=False,
            ),
        )
