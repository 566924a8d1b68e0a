"""What the sign-out receipt says, and above all what it does not say."""

from __future__ import annotations

import itertools

import pytest

from gateway.core.signout.evidence import ENDED, Asked, Evidence
from gateway.web.pages.catalogue import MESSAGES, message
from gateway.web.pages.receipt import HopLine, began, entry, headline

OURS = HopLine("gateway", message("page.this_application"), "returned", 100)


def hop(
    status: str, label: str = "Okta", evidence: str | None = None, at: int | None = None, asked: str = ""
) -> HopLine:
    """A hop of this status; one that returned has ended its session, unless something else is said."""
    known = "session_ended" if status == "returned" else ""
    return HopLine(label.lower(), label, status, at, known if evidence is None else evidence, asked)


@pytest.mark.parametrize("evidence", sorted(ENDED))
def test_r28_a_return_is_confirmed_with_its_evidence(evidence: str) -> None:
    """A hop that is known to have ended its session says when, and how we know."""
    line = entry(hop("returned", evidence=evidence, at=101))
    assert (line.tone, line.chip, line.outcome, line.at) == (
        "good",
        message("line.confirmed"),
        message("line.confirmed_outcome"),
        101,
    )
    assert line.evidence == message(f"evidence.{evidence}", service="Okta")
    assert line.advice == ""


@pytest.mark.parametrize("evidence", [*sorted(set(Evidence) - ENDED), "", "your browser came back from Okta"])
def test_r28_a_browser_that_came_back_is_all_that_is_claimed_of_it(evidence: str) -> None:
    """From a provider that could have kept its session, or by evidence that this version does not know."""
    line = entry(hop("returned", evidence=evidence, at=101))
    assert (line.tone, line.chip, line.outcome) == (
        "skip",
        message("line.came_back"),
        message("line.came_back_outcome"),
    )
    assert "you are still signed in at Okta" in line.advice
    top = headline([OURS, hop("returned", evidence=evidence)], finished=True)
    assert top.title == message("headline.here")
    assert "Okta" in top.summary


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("no_hint", "this browser had nothing left that identifies it"),
        ("hint_too_long", "what identifies it was too long to be sent"),
        ("hint_withdrawn", "it has changed the keys"),
        ("again", "telling it did not bring you back the first time"),
    ],
)
def test_the_receipt_says_what_follows_from_a_hint_that_was_not_sent(asked: str, said: str) -> None:
    """The provider may have asked, and been told no; where its session is over all the same, nothing follows."""
    line = entry(hop("returned", evidence="came_back", asked=asked))
    assert said in line.advice
    assert "it may have asked you" in line.advice
    assert entry(hop("returned", asked=asked)).advice == ""


def test_every_code_has_its_words() -> None:
    """A phrase that names the service, except where the step is no service any more; never a code on a page."""
    said = {code: message(f"evidence.{code}", service="Okta") for code in Evidence}
    assert [code for code, phrase in said.items() if "Okta" not in phrase] == [Evidence.NOT_CONFIGURED]
    assert (
        len(set(said.values()))
        == len(Evidence)
        == len([name for name in MESSAGES if name.startswith("evidence.")])
    )
    assert not any(code in phrase for code in (*Evidence, *Asked) if "_" in code for phrase in said.values())


@pytest.mark.parametrize("status", ["failed", "", "ok", "RETURNED", "done"])
def test_r28_what_was_not_seen_is_not_confirmed(status: str) -> None:
    """A failed hop, and any status we do not know, is never shown as a success."""
    line = entry(hop(status))
    assert (line.tone, line.chip) == ("bad", message("line.not_confirmed"))
    assert "still be signed in at Okta" in line.advice


def test_a_skipped_hop_says_that_the_session_there_lives() -> None:
    """Nobody reads "skipped" as "signed out"."""
    line = entry(hop("skipped", "Google", "no_endpoint"))
    assert line.evidence == message("evidence.no_endpoint", service="Google")
    assert line.advice == message("line.skipped_advice", service="Google")
    assert line.at is None


def test_only_a_durable_end_promises_that_copies_are_dead() -> None:
    """While the end is stored nowhere, the receipt does not speak for other instances (rule R4)."""
    assert "copy" in entry(OURS, durable=True).evidence
    assert entry(OURS, durable=False).evidence == ""
    assert headline([OURS], finished=True, durable=False).tone == "warn"


def test_r28_what_is_on_no_line_is_not_done() -> None:
    """Nobody was asked, or somebody stands behind who was not."""
    alone = headline([OURS], finished=True)
    assert alone.title == message("headline.here")
    assert "You may still be signed in" in alone.summary
    behind = headline([OURS, hop("returned")], finished=True, behind=True)
    assert "may still have you signed in" in behind.summary
    assert "close this page" not in behind.summary
    assert headline([OURS, hop("returned")], finished=True).summary.startswith("Everything below is done.")


def test_r28_what_is_not_stored_is_no_step_that_went_through() -> None:
    """Whatever the lines say."""
    for line in (hop("skipped"), hop("returned", evidence="came_back"), hop("returned")):
        top = headline([OURS, line], finished=True, durable=False)
        assert (top.tone, "went through" in top.summary) == ("warn", False)


def test_a_sign_out_without_a_session_says_so() -> None:
    """Our own line can be skipped because there was nothing to end; the rest still counts."""
    ours = HopLine("gateway", message("page.this_application"), "skipped")
    assert entry(ours).outcome == message("line.nothing_outcome")
    assert headline([ours, hop("returned")], finished=True).title == message("headline.done")


STATUSES = ("returned", "skipped", "failed", "pending", "unknown")


@pytest.mark.parametrize(("first", "second"), list(itertools.product(STATUSES, STATUSES)))
def test_r28_the_headline_is_as_good_as_its_weakest_line(first: str, second: str) -> None:
    """Only when everything returned, and nothing is left, does the page say "You are signed out"."""
    top = headline([OURS, hop(first), hop(second, "Cognito")], finished=True)
    assert (top.title == message("headline.done")) == (first == second == "returned")
    assert (top.tone == "good") == ({first, second} <= {"returned", "skipped"})


def test_a_session_that_could_not_be_ended_leads_the_page() -> None:
    """If our own session is not known to have ended, nothing else matters more."""
    ours = HopLine("gateway", message("page.this_application"), "failed")
    assert headline([ours, hop("returned")], finished=True).title == message("headline.not_ended")
    assert entry(ours).tone == "bad"


def test_an_unfinished_chain_asks_to_continue() -> None:
    """While a hop is pending the page does not claim more than our own end."""
    top = headline([OURS, hop("pending")], finished=False)
    assert top.title == message("headline.unfinished")
    assert entry(hop("pending")).chip == message("line.waiting")


def test_every_unsure_service_is_named() -> None:
    """The title lists each service that did not confirm."""
    top = headline([OURS, hop("failed"), hop("failed", "Cognito")], finished=True)
    assert top.title == "Okta and Cognito did not confirm your sign-out"


def test_without_hops_there_is_nothing_on_record() -> None:
    """An empty receipt is not a sign-out."""
    assert headline([], finished=True).title == message("headline.none")
    assert began([]) is None


def test_the_date_is_that_of_the_earliest_line() -> None:
    """A receipt is dated by its first event; lines without a time do not count."""
    assert began([hop("returned", at=101), OURS, hop("skipped")]) == 100
