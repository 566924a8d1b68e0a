"""An index is as old as the time in which it cannot have heard of everything."""

from __future__ import annotations

import math

from gateway.state.contract.age import Age


def test_it_is_infinite_before_the_first_reading() -> None:
    """Whatever the log takes."""
    age = Age()
    age.took(10)

    assert (age.at(10), age.of_taking(10)) == (math.inf, 0)


def test_a_log_that_refuses_is_as_old_as_its_last_yes() -> None:
    """However often it is read meanwhile; a log that nobody wanted anything of is not old for that."""
    age = Age()
    age.read(100)
    age.took(100)
    age.read(150)
    assert age.at(150) == 0
    age.refused("full", 150, since=120)
    age.read(200)
    assert (age.at(200), age.of_reading(200), age.of_taking(200)) == (80, 0, 80)
    age.took(201)

    assert (age.at(201), age.refusal) == (1, "")


def test_what_another_process_saw_counts_and_what_nobody_saw_begins_now() -> None:
    """A process that was just started knows by what is written down; a clock that is ahead makes nothing younger."""
    begun = Age()
    begun.read(50)
    begun.refused("full", 50, since=-300)
    assert begun.at(50) == 350
    begun.refused("full", 60, since=70)
    begun.read(65)
    assert begun.at(65) == 5

    new = Age()
    new.read(50)
    new.refused("full", 50, since=None)
    new.refused("full", 60, since=None)
    new.read(60)
    assert new.at(60) == 10
