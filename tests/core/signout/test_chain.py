"""The logout chain: its table cell by cell, and what holds whatever happens (rules R2, R3, R28)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.core.signout import chain as chains
from gateway.core.signout.chain import (
    DOUBLE_CLICK,
    FAILED,
    PENDING,
    RETURNED,
    SKIPPED,
    TRIES,
    Chain,
    ChainLimits,
    Done,
    Go,
    HopState,
    Step,
    Wait,
    begin,
    not_sent,
    resumed,
)
from gateway.core.signout.evidence import Asked, Evidence
from gateway.core.signout.revocation import UNPLACED, NewEntry

LIMITS = ChainLimits(hop_deadline=30, barrier=120)
START = 1_700_000_000


@dataclass
class Playbook:
    """A browser's way through a logout, read like a script: what happens at which second, and what follows."""

    step: Step
    at: int = 0

    @classmethod
    def begin(cls, *hops: str) -> Playbook:
        return cls(chains.begin(hops, LIMITS, now=START))

    @property
    def chain(self) -> Chain:
        return self.step.chain

    @property
    def now(self) -> int:
        return START + self.at

    def returns(self, at: int, hop: str) -> str:
        self.at = at
        step = chains.returned(self.chain, hop, Evidence.CAME_BACK, LIMITS, now=self.now)
        return self._follow(step) if step is not None else "nothing"

    def navigates(self, at: int) -> str:
        self.at = at
        return self._follow(chains.resumed(self.chain, LIMITS, now=self.now))

    def continues(self, at: int) -> str:
        self.at = at
        return self._follow(chains.resumed(self.chain, LIMITS, now=self.now, pushed=True))

    def _follow(self, step: Step) -> str:
        self.step = step
        return self.told()

    def told(self) -> str:
        current = self.chain.current
        match self.step:
            case Go():
                assert current is not None
                return f"go {current.name} {current.tries}"
            case Wait(seconds=seconds):
                return f"wait {seconds}"
            case Done():
                return "done: " + " ".join(f"{hop.name} {hop.status}" for hop in self.chain.hops)

    def statuses(self) -> list[str]:
        return [hop.status for hop in self.chain.hops]


def test_the_chain_as_it_should_be() -> None:
    """Each hop returns on its first try."""
    play = Playbook.begin("cognito", "okta")
    assert play.told() == "go cognito 1"
    assert play.returns(1, "cognito") == "go okta 1"
    assert play.returns(2, "okta") == "done: cognito returned okta returned"
    assert play.chain.closed == START + 2


def test_first_try_row() -> None:
    """Row one: its return · a navigation before and after the deadline · "continue"."""
    assert Playbook.begin("a", "b").returns(5, "a") == "go b 1"
    assert Playbook.begin("a", "b").navigates(0) == "wait 30"
    assert Playbook.begin("a", "b").navigates(29) == "wait 1"
    assert Playbook.begin("a", "b").navigates(30) == "go a 2"
    assert Playbook.begin("a", "b").continues(1) == "go a 2"


def second_try() -> Playbook:
    play = Playbook.begin("a", "b")
    assert play.navigates(30) == "go a 2"
    return play


def test_second_try_row() -> None:
    """Row two: the same questions to a hop that is being retried; its deadline is a new one."""
    assert second_try().returns(45, "a") == "go b 1"
    assert second_try().navigates(31) == "wait 29"
    assert second_try().navigates(59) == "wait 1"
    assert second_try().navigates(60) == "go b 1"
    assert second_try().continues(40) == "go b 1"


def test_r03_a_second_impatient_click_is_no_verdict() -> None:
    """Whoever clicks twice is sent to the hop again; only a later click gives it up."""
    play = Playbook.begin("a", "b")
    assert play.continues(5) == "go a 2"
    assert play.continues(5) == "go a 2"
    assert play.continues(5 + DOUBLE_CLICK - 1) == "go a 2"
    assert play.statuses() == [PENDING, PENDING]
    assert play.continues(5 + DOUBLE_CLICK) == "go b 1"
    assert play.statuses() == [FAILED, PENDING]


def test_closed_row() -> None:
    """Row three: nothing moves a closed chain."""
    play = Playbook.begin("a")
    assert play.returns(1, "a") == "done: a returned"
    closed = play.chain
    assert play.returns(2, "a") == "nothing"
    assert play.navigates(500) == "done: a returned"
    assert play.continues(501) == "done: a returned"
    assert play.chain == closed


def test_r03_a_broken_hop_locks_nobody_out() -> None:
    """Two hops that never return: each is retried once, marked, and the chain is over."""
    play = Playbook.begin("a", "b")
    assert [play.navigates(at) for at in (30, 60, 90, 120)] == [
        "go a 2",
        "go b 1",
        "go b 2",
        "done: a failed b failed",
    ]


def test_r28_a_late_return_still_counts() -> None:
    """After its deadline, as long as the hop is the current one, its return is a return."""
    play = Playbook.begin("a")
    assert play.returns(4_000, "a") == "done: a returned"


@pytest.mark.parametrize("stray", ["b", "a", "", "A", "unknown"])
def test_r28_a_return_counts_for_the_current_hop_only(stray: str) -> None:
    """The return of a hop that is to come, or is over, or is none, changes nothing."""
    play = Playbook.begin("a", "b", "c")
    if stray == "a":
        play.returns(1, "a")
    before = play.chain
    assert play.returns(2, stray) == "nothing"
    assert play.chain == before


def test_a_chain_without_hops_is_done_at_once() -> None:
    """Only our own session was to be ended."""
    play = Playbook.begin()
    assert play.told() == "done: "
    assert play.chain.current is None


def test_r28_every_chain_and_every_hop_has_its_own_nonce() -> None:
    """One hop's provider cannot work out another's, and an older chain's is worth nothing."""
    nonces = [chains.begin(["a", "b"], LIMITS, now=START, nonce=nonce).chain for nonce in ("one", "two")]
    returns = [chain.return_nonce(hop) for chain in nonces for hop in ("a", "b")]
    assert len(set(returns)) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", each) for each in returns)


def test_a_hop_with_nothing_to_ask_is_settled_where_it_stands() -> None:
    """Its reason is kept, the next hop has a deadline of its own, and after the last one the chain is closed."""
    play = Playbook.begin("a", "b")
    step = chains.settled(play.chain, SKIPPED, Evidence.NO_ENDPOINT, LIMITS, now=START + 7)
    assert isinstance(step, Go)
    assert (step.chain.hops[0].status, step.chain.hops[0].evidence) == (SKIPPED, "no_endpoint")
    assert (step.chain.hops[1].tries, step.chain.deadline) == (1, START + 37)
    last = chains.settled(step.chain, SKIPPED, Evidence.NO_ENDPOINT, LIMITS, now=START + 7)
    assert isinstance(last, Done)
    assert last.chain.closed == START + 7


def test_r28_what_was_asked_once_is_never_called_skipped() -> None:
    """At its second try there may be nothing left to ask of the browser; it did not come back from the first."""
    play = Playbook.begin("a", "b")
    retried = chains.resumed(play.chain, LIMITS, now=START + 31)
    assert isinstance(retried, Go)
    step = chains.settled(retried.chain, SKIPPED, Evidence.NO_HINT, LIMITS, now=START + 31)
    assert (step.chain.hops[0].status, step.chain.hops[0].evidence) == (FAILED, Evidence.NO_RETURN)


def test_how_a_hop_was_asked_stands_in_the_chain() -> None:
    """As codes."""
    chain = chains.sent(Playbook.begin("a", "b").chain, Asked.NO_HINT)
    assert (chain.asked_of("a"), chain.asked_of("b"), chain.asked_of("x")) == ("no_hint", "", "")


@pytest.mark.parametrize("evidence", [*Evidence, "your browser came back from Okta", ""])
def test_only_some_evidence_means_that_a_session_is_over(evidence: str) -> None:
    """What an older version has sealed is none."""
    chain = replace(Playbook.begin("a").chain, hops=(HopState("a", RETURNED, START, evidence),))
    assert chain.has_ended("a") is (evidence in {"session_ended", "ended_address_reached"})
    assert not chain.has_ended("x")


def test_r03_the_barrier_stands_two_minutes_at_the_most() -> None:
    """From the first moment until the chain closes, or two minutes, whichever is first."""
    play = Playbook.begin("a")
    assert play.chain.barrier_stands(LIMITS, START)
    assert play.chain.barrier_stands(LIMITS, START + 119)
    assert not play.chain.barrier_stands(LIMITS, START + 120)
    play.returns(3, "a")
    assert not play.chain.barrier_stands(LIMITS, START + 4)


def test_r02_a_logout_supersedes_what_began_before_it() -> None:
    """A session whose callback began before the logout, or in its very second, is one it was meant to end."""
    chain = Playbook.begin("a").chain
    assert chain.supersedes(START - 1)
    assert chain.supersedes(START)
    assert not chain.supersedes(START + 1)


def entry(position: int, *, event_time: int | None = None):
    return NewEntry("sub:x|y", START + 99_999, "test", event_time=event_time).placed(position)


def test_r01_a_closed_chain_answers_what_came_before_it() -> None:
    """Entries up to its position are answered, later ones, another log's and anything while it is open are not."""
    play = Playbook.begin("a")
    assert not play.chain.answers(entry(1), "log")
    play.returns(9, "a")
    closed = replace(play.chain, position=5, log_id="log")
    assert closed.answers(entry(5), "log")
    assert not closed.answers(entry(6), "log")
    assert not closed.answers(entry(5), "another log")


def test_r01_a_held_entry_is_answered_by_time() -> None:
    """While the log cannot be written an entry has no position: a chain that closed after it answers it, or the
    same logout would be begun for ever.
    """
    play = Playbook.begin("a")
    play.returns(9, "a")
    closed = replace(play.chain, position=5, log_id="log")
    assert closed.answers(entry(UNPLACED, event_time=START + 9), "log")
    assert not closed.answers(entry(UNPLACED, event_time=START + 10), "log")


@pytest.mark.parametrize(("hops", "index"), [((), 0), (("a",), 1), (("a",), -1)])
def test_a_chain_has_a_current_hop_or_is_closed(hops: tuple[str, ...], index: int) -> None:
    """Whoever made it, and whatever it was sealed by."""
    with pytest.raises(ValueError, match="current hop"):
        Chain(START, tuple(HopState(hop) for hop in hops), index, 0)
    assert (
        chains.FORMAT.read({"v": 1, "t": START, "h": [{"n": hop} for hop in hops], "i": index, "d": 0})
        is None
    )


class AnyLogout(RuleBasedStateMachine):
    """Returns, navigations, clicks and pauses in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.hops = ["a", "b", "c"]
        self.play = Playbook.begin(*self.hops)
        self.now = 0
        self.seen: list[str] = []
        self.moves = 0

    def _current(self) -> str:
        current = self.play.chain.current
        return current.name if current else ""

    @rule(hop=st.sampled_from(["a", "b", "c", "x"]))
    def the_browser_returns(self, hop: str) -> None:
        if hop == self._current():
            self.seen.append(hop)
        self.play.returns(self.now, hop)

    @rule()
    def somebody_navigates(self) -> None:
        self.play.navigates(self.now)

    @rule()
    def somebody_clicks(self) -> None:
        self.play.continues(self.now)

    @rule(seconds=st.integers(0, 200))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    @precondition(lambda self: not self.play.chain.closed)
    def nobody_is_locked_out(self) -> None:
        """From anywhere, navigations alone lead to the end: two per hop and deadline."""
        play, at = Playbook(self.play.step, self.now), self.now
        for _ in range(TRIES * len(self.hops) + 1):
            if play.chain.closed:
                break
            at += LIMITS.hop_deadline
            play.navigates(at)
        assert play.chain.closed

    @invariant()
    def nothing_is_claimed_that_was_not_seen(self) -> None:
        returned = [hop.name for hop in self.play.chain.hops if hop.status == RETURNED]
        assert returned == self.seen

    @invariant()
    def every_hop_is_settled_before_the_end(self) -> None:
        chain = self.play.chain
        assert bool(chain.closed) == all(hop.status in {RETURNED, FAILED} for hop in chain.hops)
        assert all(hop.tries <= TRIES for hop in chain.hops)

    @invariant()
    def the_hops_are_walked_in_order(self) -> None:
        settled = [hop.status != PENDING for hop in self.play.chain.hops]
        assert settled == sorted(settled, reverse=True)


AnyLogout.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestAnyLogout = AnyLogout.TestCase


def test_a_chain_that_nobody_was_sent_into_waits_for_nobody() -> None:
    """The first navigation that comes goes to the first hop, and that counts as its first try."""
    begun = not_sent(begin(["cognito"], LIMITS, now=100).chain)
    step = resumed(begun, LIMITS, now=100)
    assert isinstance(step, Go)
    assert step.chain == begin(["cognito"], LIMITS, now=100).chain
