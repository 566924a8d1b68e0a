"""What a position proves of a log."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.signout.log_extent import lacks

GAPS = ((5, 9), (20, 30))


def test_r04_positions_behind_the_end_and_in_gaps_are_lacking() -> None:
    """The ends of a gap were given: the last one before it, and the one with which the log went on."""
    assert [position for position in range(45) if lacks(position, 40, GAPS)] == [
        6, 7, 8, *range(21, 30), 41, 42, 43, 44
    ]  # fmt: skip


@given(st.integers(0, 100), st.integers(0, 100))
def test_an_index_that_has_a_position_lacks_it_not(position: int, end: int) -> None:
    """Without gaps, that is the end alone."""
    assert lacks(position, end) == (position > end)
