"""The life of a session: the table whole, and what holds for every copy of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.session.lifecycle import (
    LONGEST,
    OVERLAP,
    STEPS,
    Knowledge,
    Newest,
    Outcome,
    Step,
    current,
    is_due,
    refresh_time,
    successor,
    visible_for,
)
from gateway.core.session.session import Principal, Session, SessionLimits

NOW = 1_700_000_000
LIMITS = SessionLimits(idle=1_800, absolute=43_200)
WHO = Principal("https://idp.example.com", "s-1", "alice", groups=("staff",))
MADE = Session(
    sid="sid",
    log_id="log",
    principal=WHO,
    aliases=("sub:https://idp.example.com|s-1",),
    login_at=NOW,
    seen=7,
    idle_until=NOW + 1_800,
    absolute_until=NOW + 43_200,
    refresh_token="old",
    refresh_at=NOW + 1_000,
)


def test_the_table_is_whole() -> None:
    """Every outcome has its step, whatever is known."""
    assert set(STEPS) == set(product(Outcome, Knowledge))


def test_r10_only_the_newest_generation_is_ended_by_a_refusal() -> None:
    """And no failure of the provider ends anything; an ended session gets no new tokens."""
    assert {case for case, step in STEPS.items() if step is Step.END} == {(Outcome.REFUSED, Knowledge.NEWEST)}
    assert {outcome for (outcome, _), step in STEPS.items() if step is Step.PUBLISH} == {Outcome.RENEWED}
    assert {STEPS[outcome, Knowledge.ENDED] for outcome in Outcome} == {Step.DROP}


def test_r10_nothing_is_done_of_a_refusal_that_cannot_be_believed() -> None:
    """Without an answer of what is shared it is asked again; where a token may have been lost, the session stays."""
    assert STEPS[Outcome.REFUSED, Knowledge.UNKNOWN] is Step.ASK_AGAIN
    assert STEPS[Outcome.REFUSED, Knowledge.DOUBTED] is Step.KEEP


LATER = replace(MADE, generation=1, refresh_at=NOW + 9_000, idle_until=NOW + 1_500)
ITSELF, SUCCESSOR, NONE = MADE, replace(LATER, idle_until=MADE.idle_until), None


@pytest.mark.parametrize(
    ("at", "newest", "counts"),
    [
        (1_000, None, ITSELF),
        (1_000, Newest(0, MADE), ITSELF),
        (1_000, Newest(1, LATER), SUCCESSOR),
        (1_000, Newest(1, None), NONE),
        (999, Newest(1, LATER), ITSELF),
        (999, Newest(1, None), ITSELF),
        (1_799, Newest(1, LATER), SUCCESSOR),
        (1_800, Newest(1, LATER), ITSELF),
        (1_800, Newest(1, None), ITSELF),
        (43_200, Newest(1, replace(LATER, idle_until=NOW + 43_200)), ITSELF),
    ],
)
def test_which_copy_counts(at: int, newest: Newest | None, counts: Session | None) -> None:
    """A successor stands in for a copy that is due and alive; one whose time is over gets none to live on by."""
    assert current(MADE, newest, LIMITS, NOW + at) == counts


def test_p24_a_successor_takes_the_later_deadline_and_what_pages_keep() -> None:
    """Activity that only one of the two copies has seen is not lost."""
    ahead = replace(LATER, idle_until=NOW + 1_900)
    found = current(replace(MADE, page={"a": 1}), Newest(1, ahead), LIMITS, NOW + 1_000)
    assert found == replace(ahead, page={"a": 1})


@given(
    st.text(min_size=1, max_size=20),
    st.integers(min_value=0, max_value=100),
    st.none() | st.integers(min_value=0, max_value=10 * LONGEST),
)
def test_tokens_are_refreshed_before_they_expire_and_not_all_at_once(
    sid: str, generation: int, lives: int | None
) -> None:
    """After 80 to 90 % of their time, at least once an hour; all copies of a generation agree."""
    at = refresh_time(sid, generation, now=NOW, lives=lives)
    lifetime = min(lives or LONGEST, LONGEST)
    assert NOW < at <= NOW + max(1, lifetime * 0.9)
    assert at >= NOW + int(lifetime * 0.8)
    assert at == refresh_time(sid, generation, now=NOW, lives=lives)


def test_refreshes_are_spread() -> None:
    """Users who signed in in the same second do not all come back in the same one."""
    times = {refresh_time(f"sid-{n}", 0, now=NOW, lives=3_600) for n in range(1_000)}
    assert max(times) - min(times) > 300
    assert len(times) > 200


def test_r06_a_refresh_moves_no_deadline() -> None:
    """Sign-in, log position, both deadlines and the id stay; names are only ever added (R19)."""
    other = replace(WHO, groups=("admins",))
    later = successor(
        MADE, other, ("email:a@b.example",),
        refresh_token="new", access_token="access", access_until=NOW + 9, refresh_at=NOW + 5_000,
    )  # fmt: skip
    changed = {
        "principal",
        "aliases",
        "generation",
        "refresh_token",
        "access_token",
        "access_until",
        "refresh_at",
    }
    for name in Session.__dataclass_fields__:
        assert (getattr(later, name) != getattr(MADE, name)) is (name in changed), name
    assert later.aliases == (*MADE.aliases, "email:a@b.example")
    assert (later.generation, later.refresh_token, later.principal) == (1, "new", other)


def test_a_provider_that_keeps_the_refresh_token_good_names_none() -> None:
    """Then the old one goes on (RFC 6749 §6)."""
    later = successor(
        MADE, WHO, (), refresh_token=None, access_token=None, access_until=0, refresh_at=NOW + 5_000
    )
    assert later.refresh_token == "old"


def test_a_session_without_a_refresh_token_is_never_due() -> None:
    """There is nothing to refresh it with."""
    assert not is_due(replace(MADE, refresh_token=None, refresh_at=None), NOW + 40_000)


def test_a_successor_outlives_every_copy_before_it() -> None:
    """Whoever comes back within the idle time finds it."""
    assert visible_for(LIMITS) == LIMITS.idle + OVERLAP
