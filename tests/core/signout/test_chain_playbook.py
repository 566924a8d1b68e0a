"""Sign-outs told as stories: what happens at which second, and what the person is shown.

The pure machine alone, with the hops' answers as the stories have them; ``tests/flows/test_chain_edges.py`` has the
same over sockets.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.core.signout import chain as chains
from gateway.core.signout.chain import FAILED, PENDING, RETURNED, SKIPPED, TRIES, ChainLimits, Done, Go, Step
from gateway.core.signout.evidence import Evidence

LIMITS = ChainLimits(hop_deadline=30, barrier=120)
DAWN = 1_700_000_000


@dataclass
class Story:
    """One browser. ``wordless`` are hops that have nothing to ask of it, with why."""

    hops: tuple[str, ...]
    wordless: dict[str, Evidence] = field(default_factory=dict)
    now: int = DAWN
    step: Step | None = None

    def signs_out(self) -> str:
        """The person presses the button."""
        return self._shown(chains.begin(self.hops, LIMITS, now=self.now, nonce=f"chain of {self.now}"))

    def comes_back_from(self, hop: str) -> str:
        chain = self._chain()
        step = chains.returned(chain, hop, Evidence.CAME_BACK, LIMITS, now=self.now)
        return self._shown(step if step is not None else chains.resumed(chain, LIMITS, now=self.now))

    def opens_a_page(self) -> str:
        return self._shown(chains.resumed(self._chain(), LIMITS, now=self.now))

    def presses_continue(self) -> str:
        return self._shown(chains.resumed(self._chain(), LIMITS, now=self.now, pushed=True))

    def later(self, seconds: int) -> Story:
        self.now += seconds
        return self

    def receipt(self) -> dict[str, str]:
        return {hop.name: hop.status for hop in self._chain().hops}

    def may_sign_in(self) -> bool:
        return not self._chain().barrier_stands(LIMITS, self.now)

    def _chain(self) -> chains.Chain:
        assert self.step is not None
        # Through its cookie and back: between two requests nothing else is remembered.
        chain = chains.FORMAT.read(chains.FORMAT.plain(self.step.chain))
        assert chain is not None
        return chain

    def _shown(self, step: Step) -> str:
        while (current := step.chain.current) is not None and current.name in self.wordless:
            step = chains.settled(step.chain, SKIPPED, self.wordless[current.name], LIMITS, now=self.now)
        self.step = step
        if isinstance(step, Done):
            return "the receipt"
        current = step.chain.current
        assert current is not None
        return f"off to {current.name}" if isinstance(step, Go) else f"waiting for {current.name}"


def test_all_is_well() -> None:
    """Alice signs out; Cognito comes back, Okta comes back, and she reads what was ended."""
    alice = Story(("cognito", "okta"))
    assert alice.signs_out() == "off to cognito"
    assert not alice.may_sign_in()
    assert alice.later(1).comes_back_from("cognito") == "off to okta"
    assert alice.later(1).comes_back_from("okta") == "the receipt"
    assert alice.receipt() == {"cognito": RETURNED, "okta": RETURNED}
    assert alice.may_sign_in()


def test_okta_does_not_come_back() -> None:
    """Alice signs out; Cognito comes back; Okta does not; 30 s later she opens a page, and 30 s after that another."""
    alice = Story(("cognito", "okta"))
    alice.signs_out()
    assert alice.later(1).comes_back_from("cognito") == "off to okta"
    assert alice.later(12).opens_a_page() == "waiting for okta"
    assert alice.later(18).opens_a_page() == "off to okta"
    assert alice.later(30).opens_a_page() == "the receipt"
    assert alice.receipt() == {"cognito": RETURNED, "okta": FAILED}
    assert alice.may_sign_in()


def test_the_tab_is_closed_over_the_weekend() -> None:
    """Bob closes the tab at Cognito; on Monday he opens the application: on it goes, and nobody was signed in."""
    bob = Story(("cognito", "okta"))
    bob.signs_out()
    assert bob.later(60 * 3_600).opens_a_page() == "off to cognito"
    assert bob.later(2).comes_back_from("cognito") == "off to okta"
    assert bob.later(1).comes_back_from("okta") == "the receipt"
    assert bob.receipt() == {"cognito": RETURNED, "okta": RETURNED}


def test_an_impatient_person() -> None:
    """Carol presses "continue" at once and again and again: a double click is no verdict, a later click is."""
    carol = Story(("oidc", "okta"))
    carol.signs_out()
    assert carol.later(1).presses_continue() == "off to oidc"
    assert carol.later(1).presses_continue() == "off to oidc"
    assert carol.receipt() == {"oidc": PENDING, "okta": PENDING}
    assert carol.later(5).presses_continue() == "off to okta"
    assert carol.receipt() == {"oidc": FAILED, "okta": PENDING}


def test_the_back_button() -> None:
    """Dave goes back from Okta to what he thinks is Cognito's return: nothing is counted twice, nothing moves."""
    dave = Story(("cognito", "okta"))
    dave.signs_out()
    dave.later(1).comes_back_from("cognito")
    assert dave.later(2).comes_back_from("cognito") == "waiting for okta"
    assert dave.later(1).comes_back_from("okta") == "the receipt"
    assert dave.later(1).comes_back_from("okta") == "the receipt"


def test_two_tabs() -> None:
    """Erin signs out in two tabs: the second chain is the browser's, and the first one's proof is worth nothing."""
    first, second = Story(("oidc",)), Story(("oidc",), now=DAWN + 1)
    first.signs_out()
    second.signs_out()
    assert first.step is not None
    assert second.step is not None
    assert first.step.chain.return_nonce("oidc") != second.step.chain.return_nonce("oidc")


def test_the_hint_is_lost() -> None:
    """Frank's browser has lost what names him to Okta: that hop is skipped with the reason, the next one is walked."""
    frank = Story(("oidc", "okta_signout"), {"oidc": Evidence.NO_HINT})
    assert frank.signs_out() == "off to okta_signout"
    assert frank.later(1).comes_back_from("okta_signout") == "the receipt"
    assert frank.receipt() == {"oidc": SKIPPED, "okta_signout": RETURNED}
    assert frank.step is not None
    assert frank.step.chain.hops[0].evidence == "no_hint"


def test_a_provider_with_nothing_to_ask() -> None:
    """Grace uses Google: the receipt at once, and no claim about Google."""
    grace = Story(("google",), {"google": Evidence.NO_ENDPOINT})
    assert grace.signs_out() == "the receipt"
    assert grace.receipt() == {"google": SKIPPED}
    assert grace.may_sign_in()


def test_a_hop_that_leaves_while_the_browser_is_there() -> None:
    """Heidi is at a hop that the next deployment does not have: it is settled where it stands, and the rest goes on."""
    heidi = Story(("keycloak", "url"))
    heidi.signs_out()
    heidi.wordless["keycloak"] = Evidence.NOT_CONFIGURED
    assert heidi.later(3).opens_a_page() == "off to url"
    assert heidi.later(1).comes_back_from("url") == "the receipt"


class AnySignOut(RuleBasedStateMachine):
    """Every event in any order, with hops that have nothing to ask among the others."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story(("a", "b", "c", "d"))
        self.came_back: set[str] = set()
        self.begun = False

    @rule(wordless=st.sets(st.sampled_from("abcd")))
    @precondition(lambda self: not self.begun)
    def the_person_signs_out(self, wordless: set[str]) -> None:
        self.begun = True
        self.story.wordless = dict.fromkeys(wordless, Evidence.NO_HINT)
        self.story.signs_out()

    @rule(hop=st.sampled_from(["a", "b", "c", "d", "x"]))
    @precondition(lambda self: self.begun)
    def a_return_is_visited(self, hop: str) -> None:
        current = self.story._chain().current
        if current is not None and current.name == hop:
            self.came_back.add(hop)
        self.story.comes_back_from(hop)

    @rule()
    @precondition(lambda self: self.begun)
    def a_page_is_opened(self) -> None:
        self.story.opens_a_page()

    @rule()
    @precondition(lambda self: self.begun)
    def continue_is_pressed(self) -> None:
        self.story.presses_continue()

    @rule(seconds=st.integers(0, 90))
    def time_passes(self, seconds: int) -> None:
        self.story.now += seconds

    @rule(hop=st.sampled_from("abcd"))
    @precondition(lambda self: self.begun)
    def a_deployment_takes_a_hop_out(self, hop: str) -> None:
        self.story.wordless[hop] = Evidence.NOT_CONFIGURED

    @invariant()
    def no_return_is_claimed_that_did_not_happen(self) -> None:
        if self.begun:
            claimed = {name for name, status in self.story.receipt().items() if status == RETURNED}
            assert claimed == self.came_back

    @invariant()
    def it_ends_within_so_many_deadlines(self) -> None:
        """Whatever has happened: somebody who only opens pages reads the receipt after tries times hops of them."""
        if not self.begun:
            return
        story = Story(self.story.hops, dict(self.story.wordless), self.story.now, self.story.step)
        deadlines = 0
        while not story._chain().closed:
            story.later(LIMITS.hop_deadline).opens_a_page()
            deadlines += 1
            assert deadlines <= TRIES * len(story.hops)
        assert PENDING not in story.receipt().values()

    @invariant()
    def the_barrier_falls(self) -> None:
        """No sign-in waits for longer than the barrier, whatever the hops do."""
        if self.begun:
            chain = self.story._chain()
            assert not chain.barrier_stands(LIMITS, chain.started + LIMITS.barrier)


AnySignOut.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAnySignOut = AnySignOut.TestCase
