"""A process dies, or stands still, at each line of what it does to the files, while others go on (`any_order`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.any_order import AnyOrder
from tests.model.test_any_order import LARGE
from tests.model.worker import ALL


def alone(machine: AnyOrder) -> None:
    """Signed out, and written to the log."""
    machine.somebody_signs_out(0, 0)


def on_a_full_disk(machine: AnyOrder) -> None:
    """Written to the spool."""
    machine.the_disk_is_full(True)
    machine.somebody_signs_out(0, 0)
    machine.one_finishes(0, spool=False)


def out_of_the_spool(machine: AnyOrder) -> None:
    """From there to the log, when there is room again."""
    on_a_full_disk(machine)
    machine.one_settles(0)
    machine.time_passes(0.3)
    machine.the_disk_is_full(False)
    machine.time_passes(1.1)


WAYS = (alone, on_a_full_disk, out_of_the_spool)
LINES = st.integers(1, 400)
"""More than any of these takes."""
AT_ANY = settings(max_examples=1_000 if LARGE else 30, deadline=None)


@contextmanager
def two_signed_in() -> Iterator[AnyOrder]:
    """And that everything is well in the end."""
    machine = AnyOrder()
    try:
        machine.somebody_signs_in(0, "alice")
        machine.somebody_signs_in(0, "bob")
        yield machine
        machine.nobody_is_revived_and_nobody_is_ended()
        machine.all_is_well()
    finally:
        machine.host.end()
        machine.directory.cleanup()


def goes_on(machine: AnyOrder, at: int, lines: int) -> None:
    """So far, over both of its threads."""
    process = machine.host.processes[at]
    while lines > 0 and (busy := [each for each in (process.files, process.spool) if each.busy]):
        lines = process.run(busy[0], lines)


@AT_ANY
@given(way=st.sampled_from(WAYS), lines=LINES)
def test_whoever_dies_at_any_line_takes_nothing_along(way: Callable[[AnyOrder], None], lines: int) -> None:
    """The others go on, and one starts."""
    with two_signed_in() as machine:
        way(machine)
        goes_on(machine, 0, lines)
        machine.time_passes(0.3)
        machine.nobody_is_revived_and_nobody_is_ended()
        machine.one_is_killed(0, again=True)
        machine.one_settles(1)
        machine.everybody_asks(0)
        machine.one_settles(0)


@AT_ANY
@given(way=st.sampled_from(WAYS), lines=LINES)
def test_whoever_stands_still_at_any_line_misses_nothing(way: Callable[[AnyOrder], None], lines: int) -> None:
    """The other one begins to read, stands still, and goes on when all is done."""
    with two_signed_in() as machine:
        way(machine)
        machine.time_passes(1.1)
        goes_on(machine, 1, lines)
        machine.one_settles(0)
        machine.time_passes(1.1)
        machine.one_settles(0)
        machine.nobody_is_revived_and_nobody_is_ended()
        machine.everybody_asks(1)
        machine.one_goes_on(1, spool=False, lines=ALL)
        machine.one_settles(1)


@AT_ANY
@given(lines=st.integers(1, 60))
def test_two_that_write_beside_each_other_miss_nothing_of_each_other(lines: int) -> None:
    """On a full disk: one stands still in the middle of its note in the spool, while the other one makes its own."""
    with two_signed_in() as machine:
        on_a_full_disk(machine)
        goes_on(machine, 0, lines)
        machine.somebody_signs_out(1, 1)
        machine.one_settles(1)
        machine.time_passes(0.3)
        machine.nobody_is_revived_and_nobody_is_ended()
        machine.one_settles(0)
        machine.nobody_is_revived_and_nobody_is_ended()
