"""The time for an answer follows what answers take, within bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.state.redis.pace import Pace


def test_a_server_that_is_near_has_the_least() -> None:
    """From the beginning."""
    pace = Pace(0.25, 5.0)
    assert pace.within == 0.25
    for _ in range(20):
        pace.took(0.001)
    assert pace.within == 0.25


@pytest.mark.parametrize("far", [0.3, 1.0, 2.0])
def test_one_that_is_far_away_gets_its_time(far: float) -> None:
    """Found by doubling; after a few answers there is still room, and no more than is needed."""
    pace = Pace(0.25, 5.0)
    while pace.within < far:
        pace.gave_up()
    for _ in range(30):
        pace.took(far)
        assert pace.within >= far
    assert pace.within < 1.5 * far
    assert pace.usual == pytest.approx(far)


def test_one_that_is_gone_is_given_up_sooner_when_it_is_back() -> None:
    """What an outage has taught is forgotten with the first answers."""
    pace = Pace(0.25, 5.0)
    pace.took(0.001)
    for _ in range(10):
        pace.gave_up()
    assert pace.within == 5.0
    for _ in range(10):
        pace.took(0.001)
    assert pace.within == 0.25


def test_a_first_guess_counts_until_something_is_known() -> None:
    """And only upwards."""
    pace = Pace(0.25, 5.0)
    pace.presume(0.01)
    assert pace.within == 0.25
    pace.presume(0.9)
    assert pace.within == 1.8
    pace.took(0.3)
    pace.presume(4.0)
    assert pace.within <= 0.9


@given(st.lists(st.floats(min_value=0, max_value=100) | st.none()))
def test_it_stays_within_its_bounds(answers: list[float | None]) -> None:
    """Whatever comes, or does not."""
    pace = Pace(0.25, 5.0)
    for took in answers:
        if took is None:
            pace.gave_up()
        else:
            pace.took(took)
        assert 0.25 <= pace.within <= 5.0
