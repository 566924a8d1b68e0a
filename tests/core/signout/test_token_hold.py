"""Until when a refresh token is kept from being revoked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.session.session import Principal, Session
from gateway.core.session.ticket import issued, ticket_of
from gateway.core.signout import chain as chains
from gateway.core.signout.chain import FAILED, RETURNED, SKIPPED, Chain, ChainLimits
from gateway.core.signout.evidence import Evidence
from gateway.core.signout.token_hold import Hold, Parked, parked, session_of

LIMITS = ChainLimits(hop_deadline=30, barrier=120)
NOW = 1_800_000_000


def begun(*hops: str, now: int = NOW) -> Chain:
    return chains.begin(hops, LIMITS, now=now, nonce="nonce", sid="sid").chain


def hold(*hops: str, limits: ChainLimits = LIMITS, chain: Sequence[str] = ()) -> Hold:
    return Hold(frozenset(hops), limits, chain)


def test_without_a_hop_of_the_provider_nothing_is_waited_for() -> None:
    """Neither in a chain without one, nor in an empty one."""
    assert hold().until(begun("okta_signout")) == 0
    assert hold("cognito").until(begun("okta_signout")) == 0
    assert hold("cognito").until(begun()) == 0
    assert hold("cognito", chain=["okta_signout"]).at_first() == hold(chain=["cognito"]).at_first() == 0


def test_it_waits_for_the_barrier_at_least() -> None:
    """So long the chain is under way, whatever its hops do."""
    assert hold("cognito").until(begun("cognito", "okta_signout")) == NOW + 120
    assert hold("cognito", chain=["cognito", "okta_signout"]).at_first() == 120


def test_it_waits_until_its_hop_can_be_over() -> None:
    """Every hop before it may take its whole time; one that is tried again has it once more."""
    long = ChainLimits(hop_deadline=100, barrier=120)
    chain = chains.begin(["a", "b", "own"], long, now=NOW).chain
    assert hold("own", limits=long).until(chain) == NOW + 300
    assert hold("own", limits=long, chain=["a", "b", "own"]).at_first() == 300
    again = chains.resumed(chain, long, now=NOW + 500).chain
    assert hold("own", limits=long).until(again) == NOW + 800


@pytest.mark.parametrize("status", [RETURNED, SKIPPED, FAILED])
def test_a_hop_that_is_settled_is_not_waited_for(status: str) -> None:
    """However it was settled, and whatever is still to come."""
    step = chains.settled(begun("cognito", "okta_signout"), status, Evidence.CAME_BACK, LIMITS, now=NOW + 5)
    assert hold("cognito").until(step.chain) == 0
    assert hold("cognito", "okta_signout").until(step.chain) == NOW + 120


def test_all_its_hops_are_waited_for() -> None:
    """Where a second one stands in for the first, the first one's failing is not the end."""
    both = hold("oidc", "okta_signout")
    step = chains.settled(begun("oidc", "okta_signout"), FAILED, Evidence.CAME_BACK, LIMITS, now=NOW + 60)
    assert both.until(step.chain) == NOW + 120
    assert (
        both.until(chains.settled(step.chain, RETURNED, Evidence.CAME_BACK, LIMITS, now=NOW + 61).chain) == 0
    )


@given(st.lists(st.sampled_from([RETURNED, SKIPPED, FAILED, "again"]), max_size=12))
def test_a_chain_that_is_over_holds_nothing(moves: list[str]) -> None:
    """Whatever happened on its way; and while it is not, the token is due some time."""
    chain, now = begun("a", "own", "b"), NOW
    for move in moves:
        now += 7
        assert 0 <= hold("own").until(chain) <= now + 120 + 3 * 30
        if chain.closed:
            break
        if move == "again":
            chain = chains.resumed(chain, LIMITS, now=now, pushed=True).chain
        else:
            chain = chains.settled(chain, move, Evidence.CAME_BACK, LIMITS, now=now).chain
    if chain.closed:
        assert hold("a", "own", "b").until(chain) == 0


def test_what_waits_for_a_chain_is_found_by_its_session() -> None:
    """Or, where there was none, by a name from which nobody can tell the nonce, and that stays the same."""
    assert session_of(begun("cognito")) == "sid"
    nameless = replace(begun("cognito"), sid="")
    later = chains.settled(nameless, RETURNED, Evidence.CAME_BACK, LIMITS, now=NOW).chain
    assert session_of(nameless) == session_of(later) != ""
    assert "nonce" not in session_of(nameless)
    assert session_of(nameless) != session_of(replace(nameless, nonce="another"))


def session(**changes: object) -> Session:
    made = Session(
        sid="sid", log_id="log", principal=Principal("https://idp.example", "s-1", "alice"), aliases=(), login_at=NOW,
        seen=0, idle_until=NOW, absolute_until=NOW, refresh_token="first",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]  # names of its fields


def test_the_tokens_of_the_copy_and_of_the_latest_are_kept() -> None:
    """Each once, the latest first; with what finds a generation that is later still."""
    latest = session(refresh_token="second", generation=4)
    with_ticket = issued(session())
    one = parked(with_ticket, latest)
    assert one == Parked("sid", ("second", "first"), 4, with_ticket.ticket, ("s-1", "alice"))
    assert parked(latest, latest).tokens == ("second",)
    assert parked(session(refresh_token=None), session(refresh_token=None)).tokens == ()


def test_no_token_is_shown() -> None:
    """Wherever what is parked is printed."""
    shown = repr(Parked("sid", ("refresh",), 0, ticket_of(issued(session()))))
    assert "refresh" not in shown
    assert "secret" not in shown.replace("secret=", "")
