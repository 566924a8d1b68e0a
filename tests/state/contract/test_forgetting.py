"""Entries are forgotten by the slower clock, whatever is done to the wall clock."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.core.signout.revocation import ENTRY_MARGIN
from gateway.state.contract.forgetting import APART, SETTLED, Forgetting, boot_id, tell_of_clock

START = 1_800_000_000.0
HOURS = 3_600.0


class Machine:
    """A wall clock that somebody sets, and time that goes by."""

    def __init__(self) -> None:
        self.gone = 1_000.0
        self.set_by = 0.0

    def wall(self) -> float:
        return START + self.gone + self.set_by

    def elapsed(self) -> float:
        return self.gone

    def forgetting(self) -> Forgetting:
        return Forgetting(self.wall, self.elapsed)

    def rest(self, forgetting: Forgetting, seconds: float, beat: float = 1.0) -> None:
        """Time goes by, and the clock is looked at each beat."""
        until = self.gone + seconds
        while self.gone < until:
            self.gone += beat
            forgetting.look()

    @property
    def true(self) -> float:
        return START + self.gone


def test_a_jump_ahead_forgets_nothing() -> None:
    """For 70 seconds at +13 h it gains less than a second of them; back again all is as before."""
    machine = Machine()
    made = machine.forgetting()
    machine.set_by = 13 * HOURS
    machine.rest(made, 70)
    assert made.now() <= machine.true + 1
    assert "46" in made.complaint()
    machine.set_by = 0
    machine.rest(made, 1)
    assert int(machine.true) - 1 <= made.now() <= machine.true
    assert made.complaint() == ""


def test_a_clock_that_stays_is_believed() -> None:
    """One that was wrong at the start of the machine and was put right is followed, at last."""
    machine = Machine()
    made = machine.forgetting()
    machine.set_by = 20 * 365 * 24 * HOURS
    machine.rest(made, SETTLED + 20, beat=10)
    assert made.now() == int(machine.wall())
    assert made.complaint() == ""
    assert made.behind() == 0


def test_a_process_that_began_while_the_clock_was_wrong_learns_of_it() -> None:
    """By what a process before it went by."""
    machine = Machine()
    before = machine.forgetting()
    machine.set_by = 13 * HOURS
    made = machine.forgetting()
    assert made.now() > machine.true + 12 * HOURS
    made.learn(before.offset, before.latest, before.furthest)
    assert made.now() <= machine.true
    machine.set_by = 0
    machine.rest(made, 1)
    assert made.complaint() == "", "it has not fallen back: it was ahead"


def test_a_clock_that_falls_back_makes_entries_last() -> None:
    """They would expire at once by the clocks of all others."""
    machine = Machine()
    made = machine.forgetting()
    machine.set_by = -13 * HOURS
    made.look()
    assert made.behind() == 13 * HOURS
    assert made.now() <= machine.wall()
    assert "fallen back by 46800 s" in made.complaint()


def test_r06_a_process_that_began_after_the_clock_fell_back_makes_entries_last() -> None:
    """As those do that saw it fall, also after another start of the machine; until the clock has stayed for an hour."""
    machine = Machine()
    latest = machine.forgetting().latest
    machine.set_by = -5 * HOURS
    made = machine.forgetting()
    assert made.behind() == 0
    made.learn(math.inf, latest, latest)
    assert made.behind() == 5 * HOURS
    assert made.latest == latest
    machine.gone = 0.0  # and it stands a while less in the past
    another = machine.forgetting()
    another.learn(math.inf, latest, latest)
    assert another.behind() == 5 * HOURS + 1_000
    machine.rest(another, SETTLED + 20, beat=10)
    assert another.behind() == 0


def test_r06_no_sign_in_was_later_than_what_is_dated_now() -> None:
    """By a clock that was half an hour ahead for a moment, also before this process; nobody signs in by one that is further
    ahead. After an hour it has been long enough.
    """
    machine = Machine()
    made = machine.forgetting()
    assert made.date() == int(machine.true)
    machine.set_by = HOURS / 2
    machine.rest(made, 2)
    signed_in_at = machine.wall()
    machine.set_by = 0
    machine.rest(made, 2)
    assert made.date() >= signed_in_at
    another = machine.forgetting()
    another.learn(made.offset, made.latest, made.furthest)
    assert another.date() >= signed_in_at
    machine.set_by = 14 * HOURS
    machine.rest(made, 2)
    machine.set_by = 0
    machine.rest(made, 2)
    assert made.date() <= machine.true + ENTRY_MARGIN + 1
    machine.rest(made, SETTLED + 20, beat=10)
    assert made.date() <= machine.true + 1


def test_a_clock_that_is_back_where_it_was_is_believed_at_once() -> None:
    """Nobody is told for an hour to set a clock right that is right."""
    machine = Machine()
    made = machine.forgetting()
    machine.set_by = -5 * HOURS
    machine.rest(made, 10)
    machine.set_by = 0
    machine.rest(made, 1)
    assert made.complaint() == ""
    assert machine.true - 1 <= made.now() <= machine.true


def test_a_clock_that_is_put_right_bit_by_bit_is_no_news() -> None:
    """As time daemons do it."""
    machine = Machine()
    made = machine.forgetting()
    for _ in range(600):
        machine.set_by += 0.0005
        machine.rest(made, 1)
    assert abs(made.now() - machine.wall()) <= 1
    assert made.complaint() == ""


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0.1, 50)), max_size=20))
def test_it_is_never_ahead_of_both(steps: list[tuple[float, float]]) -> None:
    """Of what the wall clock says, and of the time gone by since the start plus a hundredth, within an hour."""
    machine = Machine()
    made = machine.forgetting()
    began = machine.gone
    for set_to, seconds in steps:
        machine.set_by = set_to
        machine.rest(made, seconds, beat=seconds)
        assert made.now() <= machine.wall()
        assert made.now() <= machine.true + 0.01 * (machine.gone - began) + 1
        assert made.behind() >= 0


def test_the_log_says_it_when_it_begins_and_when_it_ends() -> None:
    """Not at every beat."""
    machine = Machine()
    made = machine.forgetting()
    with capture_logs() as told:
        for set_to in (0.0, APART / 2, 5 * HOURS, 5 * HOURS, 0.0, 0.0):
            machine.set_by = set_to
            machine.gone += 1
            tell_of_clock(made)
    assert [line["event"] for line in told] == ["clock_disagrees", "clock_agrees"]


def test_a_boot_has_an_id() -> None:
    """The same for every process, until the machine starts anew."""
    assert boot_id() == boot_id() != ""
