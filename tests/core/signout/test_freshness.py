"""Has the person proved who they are, and when (rule R1; OpenID Connect Core §3.1.2.1)?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.session.attempt import Attempt
from gateway.core.session.revocation_keys import isid_key, subject_key
from gateway.core.signout.freshness import Freshness, answers, freshness
from gateway.core.signout.revocation import EVENT_SKEW, UNPLACED, NewEntry

NOW = 1_700_000_000
ATTEMPT = Attempt("s" * 22, NOW, "/", seen=5, log="log-id")
ALICE = subject_key("https://idp.example", "alice")
THEIRS = isid_key("https://idp.example", "their-session")


@pytest.mark.parametrize(
    ("max_age", "authenticated_at", "found"),
    [
        (None, None, Freshness.FRESH),
        (None, 0, Freshness.FRESH),
        (0, None, Freshness.UNKNOWN),
        (0, NOW + 300, Freshness.FRESH),
        (0, NOW, Freshness.FRESH),
        (0, NOW - EVENT_SKEW, Freshness.FRESH),
        (0, NOW - EVENT_SKEW - 1, Freshness.STALE),
        (300, NOW - 300 - EVENT_SKEW, Freshness.FRESH),
        (300, NOW - 300 - EVENT_SKEW - 1, Freshness.STALE),
    ],
)
def test_a_proof_is_as_recent_as_was_asked_for(
    max_age: int | None, authenticated_at: int | None, found: Freshness
) -> None:
    """Counted from the begin of the attempt, with a minute; who asked for nothing gets no questions."""
    assert freshness(replace(ATTEMPT, max_age=max_age), authenticated_at) is found


@given(
    key=st.sampled_from([ALICE, "*", "email:a@b", THEIRS]),
    position=st.integers(0, 10) | st.just(UNPLACED),
    event_time=st.none() | st.integers(NOW - 500, NOW + 500),
    at=st.none() | st.integers(NOW - 500, NOW + 500),
)
def test_r01_a_proof_answers_what_it_came_after_and_nothing_else(
    key: str, position: int, event_time: int | None, at: int | None
) -> None:
    """By the order of the log and one clock, or by a clear distance in time; never what names the provider's session."""
    entry = NewEntry(key, NOW + 9_999, "operator", event_time).placed(position)
    in_the_attempt = position <= 5 and at is not None and at >= NOW
    clearly_after = event_time is not None and at is not None and at > event_time + EVENT_SKEW
    assert answers(entry, ATTEMPT, at) is (key != THEIRS and (in_the_attempt or clearly_after))


def test_r01_without_auth_time_nothing_is_answered() -> None:
    """Whatever the entry: who does not say when, has not said it."""
    assert not answers(NewEntry(ALICE, NOW + 9, "operator", NOW - 9_999).placed(1), ATTEMPT, None)
