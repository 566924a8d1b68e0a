"""The life of a session: both tables whole, and what holds for every copy of it."""

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
    WORTH,
    Knowledge,
    Outcome,
    State,
    Step,
    is_due,
    refresh_time,
    state_of,
    successor,
    visible_for,
)
from gateway.core.session.session import Life, Principal, Session, SessionLimits, life

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


def test_both_tables_are_whole() -> None:
    """Every state has its worth, and every outcome its step whatever is known."""
    assert set(WORTH) == set(State)
    assert set(STEPS) == set(product(Outcome, Knowledge))


def test_only_a_copy_that_may_pass_moves_renews_or_is_replaced() -> None:
    """Nothing leads out of an ended state."""
    for worth in WORTH.values():
        assert worth.serves or not (worth.moves or worth.renews or worth.replaced)
    assert {state for state, worth in WORTH.items() if worth.serves} == {
        State.FRESH,
        State.REFRESH_DUE,
        State.SUCCEEDED,
    }


def test_r10_only_the_newest_generation_is_ended_by_a_refusal() -> None:
    """And no failure of the provider ends anything; an ended session gets no new tokens."""
    assert {case for case, step in STEPS.items() if step is Step.END} == {(Outcome.REFUSED, Knowledge.NEWEST)}
    assert {outcome for (outcome, _), step in STEPS.items() if step is Step.PUBLISH} == {Outcome.RENEWED}
    assert {STEPS[outcome, Knowledge.ENDED] for outcome in Outcome} == {Step.DROP}


def test_r10_nothing_is_done_of_a_refusal_that_cannot_be_believed() -> None:
    """Without an answer of what is shared it is asked again; where a token may have been lost, the session stays."""
    assert STEPS[Outcome.REFUSED, Knowledge.UNKNOWN] is Step.ASK_AGAIN
    assert STEPS[Outcome.REFUSED, Knowledge.DOUBTED] is Step.KEEP


@pytest.mark.parametrize(
    ("at", "ended", "newest", "published", "state"),
    [
        (999, False, None, False, State.FRESH),
        (1_000, False, None, False, State.REFRESH_DUE),
        (1_000, False, 0, True, State.REFRESH_DUE),
        (1_000, False, 1, True, State.SUCCEEDED),
        (1_000, False, 1, False, State.SUPERSEDED),
        (999, False, 1, True, State.FRESH),
        (1_800, False, 1, True, State.IDLE_EXPIRED),
        (43_200, False, 1, True, State.ABSOLUTE_EXPIRED),
        (999, True, None, False, State.REVOKED),
        (43_200, True, 1, True, State.REVOKED),
    ],
)
def test_where_a_copy_stands(at: int, ended: bool, newest: int | None, published: bool, state: State) -> None:
    """Revocation before everything, then the deadlines, then the generation."""
    assert state_of(MADE, LIMITS, NOW + at, ended=ended, newest=newest, published=published) is state


@given(st.integers(min_value=-10, max_value=50_000))
def test_the_gate_and_the_table_agree_on_the_deadlines(at: int) -> None:
    """What the gate reads on every request is the same as what the table says."""
    alive = WORTH[state_of(MADE, LIMITS, NOW + at)].serves
    assert alive is (life(MADE, LIMITS, NOW + at) is Life.FRESH)


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
