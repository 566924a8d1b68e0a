"""What the sign-out receipt says, and above all what it does not say."""

from __future__ import annotations

import itertools

import pytest

from gateway.web.receipt import HopLine, began, entry, headline

OURS = HopLine("gateway", "This application", "returned", 100)


def hop(status: str, label: str = "Okta", evidence: str = "", at: int | None = None) -> HopLine:
    """A hop of this status."""
    return HopLine(label.lower(), label, status, at, evidence)


def test_r28_a_return_is_confirmed_with_its_evidence() -> None:
    """A returned hop says when, and how we know."""
    line = entry(hop("returned", at=101))
    assert (line.chip, line.outcome, line.at) == ("Confirmed", "Sign-out confirmed", 101)
    assert line.evidence == "Your browser came back from Okta."


@pytest.mark.parametrize("status", ["failed", "", "ok", "RETURNED", "done"])
def test_r28_what_was_not_seen_is_not_confirmed(status: str) -> None:
    """A failed hop, and any status we do not know, is never shown as a success."""
    line = entry(hop(status))
    assert (line.tone, line.chip) == ("bad", "Not confirmed")
    assert "still be signed in at Okta" in line.advice


def test_a_skipped_hop_says_that_the_session_there_lives() -> None:
    """Nobody reads "skipped" as "signed out"."""
    line = entry(hop("skipped", "Google", "Google offers no sign-out to applications."))
    assert line.evidence == "Google offers no sign-out to applications."
    assert line.advice == "If you were signed in at Google, you still are."
    assert line.at is None


def test_a_host_is_written_as_it_is() -> None:
    """A sentence that begins with one has no capital: names of hosts are copied from what is read."""
    line = entry(
        hop("skipped", "id.example.com", "id.example.com has no address for signing out applications")
    )
    assert line.evidence == "id.example.com has no address for signing out applications."
    assert entry(hop("skipped", "Okta", "nothing.")).evidence == "Nothing."


def test_only_a_durable_end_promises_that_copies_are_dead() -> None:
    """While the end is stored nowhere, the receipt does not speak for other instances (rule R4)."""
    assert "copy" in entry(OURS, durable=True).evidence
    assert entry(OURS, durable=False).evidence == ""
    assert headline([OURS], finished=True, durable=False).tone == "warn"


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
