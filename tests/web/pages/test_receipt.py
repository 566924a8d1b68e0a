"""What the sign-out receipt says, and above all what it does not say."""

from __future__ import annotations

import itertools

import pytest

from gateway.core.signout.evidence import ENDED, Asked, Evidence
from gateway.web.pages.receipt import HopLine, began, entry, headline, words

OURS = HopLine("gateway", "This application", "returned", 100)


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
    assert (line.tone, line.chip, line.outcome, line.at) == ("good", "Confirmed", "Sign-out confirmed", 101)
    assert line.evidence == f"{words(evidence, 'Okta')[0].upper()}{words(evidence, 'Okta')[1:]}."
    assert line.advice == ""


@pytest.mark.parametrize("evidence", [*sorted(set(Evidence) - ENDED), "", "your browser came back from Okta"])
def test_r28_a_browser_that_came_back_is_all_that_is_claimed_of_it(evidence: str) -> None:
    """From a provider that could have kept its session, or by evidence that this version does not know."""
    line = entry(hop("returned", evidence=evidence, at=101))
    assert (line.tone, line.chip, line.outcome) == ("skip", "Came back", "Your browser came back")
    assert "you are still signed in at Okta" in line.advice
    top = headline([OURS, hop("returned", evidence=evidence)], finished=True)
    assert top.title == "You are signed out of this application"
    assert "Okta" in top.summary


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("no_hint", "this browser had nothing left that names it"),
        ("hint_too_long", "what names it was too long to be sent"),
        ("hint_withdrawn", "Okta has other keys now than the one that signed what names it"),
        ("again", "naming it did not lead you back the first time"),
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
    said = {code: words(code, "Okta") for code in Evidence}
    assert all(said.values())
    assert [code for code, phrase in said.items() if "Okta" not in phrase] == [Evidence.NOT_CONFIGURED]
    assert len(set(said.values())) == len(Evidence)
    assert not any(code in phrase for code in (*Evidence, *Asked) if "_" in code for phrase in said.values())


@pytest.mark.parametrize("status", ["failed", "", "ok", "RETURNED", "done"])
def test_r28_what_was_not_seen_is_not_confirmed(status: str) -> None:
    """A failed hop, and any status we do not know, is never shown as a success."""
    line = entry(hop(status))
    assert (line.tone, line.chip) == ("bad", "Not confirmed")
    assert "still be signed in at Okta" in line.advice


def test_a_skipped_hop_says_that_the_session_there_lives() -> None:
    """Nobody reads "skipped" as "signed out"."""
    line = entry(hop("skipped", "Google", "no_endpoint"))
    assert line.evidence == (
        "Google has no address for signing out applications; only this application's session was ended."
    )
    assert line.advice == "If you were signed in at Google, you still are."
    assert line.at is None


def test_a_host_is_written_as_it_is() -> None:
    """A sentence that begins with one has no capital: names of hosts are copied from what is read."""
    line = entry(hop("skipped", "id.example.com", "no_endpoint"))
    assert line.evidence.startswith("id.example.com has no address for signing out applications;")
    assert entry(hop("skipped", "Okta", "no_hint")).evidence.startswith("This browser has nothing left")


def test_only_a_durable_end_promises_that_copies_are_dead() -> None:
    """While the end is stored nowhere, the receipt does not speak for other instances (rule R4)."""
    assert "copy" in entry(OURS, durable=True).evidence
    assert entry(OURS, durable=False).evidence == ""
    assert headline([OURS], finished=True, durable=False).tone == "warn"


def test_r28_what_is_on_no_line_is_not_done() -> None:
    """Nobody was asked, or somebody stands behind who was not."""
    alone = headline([OURS], finished=True)
    assert alone.title == "You are signed out of this application"
    assert "you may still be signed in" in alone.summary
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
    ours = HopLine("gateway", "This application", "skipped")
    assert entry(ours).outcome == "There was no session to end"
    assert headline([ours, hop("returned")], finished=True).title == "You are signed out"


STATUSES = ("returned", "skipped", "failed", "pending", "unknown")


@pytest.mark.parametrize(("first", "second"), list(itertools.product(STATUSES, STATUSES)))
def test_r28_the_headline_is_as_good_as_its_weakest_line(first: str, second: str) -> None:
    """Only when everything returned, and nothing is left, does the page say "You are signed out"."""
    top = headline([OURS, hop(first), hop(second, "Cognito")], finished=True)
    assert (top.title == "You are signed out") == (first == second == "returned")
    assert (top.tone == "good") == ({first, second} <= {"returned", "skipped"})


def test_a_session_that_could_not_be_ended_leads_the_page() -> None:
    """If our own session is not known to have ended, nothing else matters more."""
    ours = HopLine("gateway", "This application", "failed")
    assert headline([ours, hop("returned")], finished=True).title == "You may still be signed in"
    assert entry(ours).tone == "bad"


def test_an_unfinished_chain_asks_to_continue() -> None:
    """While a hop is pending the page does not claim more than our own end."""
    top = headline([OURS, hop("pending")], finished=False)
    assert top.title == "Signing out is not finished"
    assert entry(hop("pending")).chip == "Waiting"


def test_every_unsure_service_is_named() -> None:
    """The title lists each service that did not confirm."""
    top = headline([OURS, hop("failed"), hop("failed", "Cognito")], finished=True)
    assert top.title == "Okta and Cognito did not confirm your sign-out"


def test_without_hops_there_is_nothing_on_record() -> None:
    """An empty receipt is not a sign-out."""
    assert headline([], finished=True).title == "No sign-out on record"
    assert began([]) is None


def test_the_date_is_that_of_the_earliest_line() -> None:
    """A receipt is dated by its first event; lines without a time do not count."""
    assert began([hop("returned", at=101), OURS, hop("skipped")]) == 100
