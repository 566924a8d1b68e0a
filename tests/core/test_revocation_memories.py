"""Entries that remember something and end nothing: our own sign-outs (rule R21), and tokens that were taken."""

from __future__ import annotations

import pytest

from gateway.core.revocation import (
    EVENT_SKEW,
    NEWS_WITHIN,
    OWN_HOP,
    UNPLACED,
    Entry,
    NewEntry,
    RevocationIndex,
    email_key,
    ends_sessions,
    hop_entries,
    isid_key,
    sid_key,
    subject_key,
    token_key,
)

NOW = 1_000_000
ALICE = subject_key("https://example.okta.com", "00uALICE")
MAIL = email_key("alice@example.com")
SESSION = isid_key("https://example.okta.com", "102")


def after_a_sign_out() -> RevocationIndex:
    """An index in which Alice has signed out here at `NOW`."""
    index = RevocationIndex()
    for position, entry in enumerate(hop_entries((ALICE, MAIL, SESSION), NOW), start=1):
        index.apply(entry.placed(position))
    return index


def test_r21_our_own_sign_out_is_known_by_each_name_of_the_user() -> None:
    """Whichever of them the provider's news has; a session at the provider is no user."""
    index = after_a_sign_out()
    assert index.signed_out_here([ALICE], at=NOW + 1, now=NOW + 1)
    assert index.signed_out_here(["email:somebody@example.com", MAIL], at=NOW + 1, now=NOW + 1)
    assert not index.signed_out_here([SESSION], at=NOW + 1, now=NOW + 1)
    assert not index.signed_out_here([email_key("bob@example.com")], at=NOW + 1, now=NOW + 1)


@pytest.mark.parametrize(
    ("at", "ours"),
    [
        (-EVENT_SKEW - 1, False),
        (-EVENT_SKEW, True),
        (OWN_HOP, True),
        (OWN_HOP + EVENT_SKEW, True),
        (OWN_HOP + EVENT_SKEW + 1, False),
    ],
)
def test_r21_only_what_happened_within_two_minutes_is_ours(at: int, ours: bool) -> None:
    """By the event's own time, with a minute for clocks that differ; however late the news is."""
    index = after_a_sign_out()
    assert index.signed_out_here([ALICE], at=NOW + at, now=NOW + 600) is ours
    late = NOW + OWN_HOP + NEWS_WITHIN
    assert index.signed_out_here([ALICE], at=NOW + at, now=late - 1) is ours
    assert not index.signed_out_here([ALICE], at=NOW + at, now=late)


def test_a_memory_ends_nothing() -> None:
    """No session of that user, and no list of what was ended has it."""
    index = after_a_sign_out()
    assert index.ended_by("a", (ALICE, MAIL, SESSION), seen=0, login_at=0, now=NOW) is None
    assert index.subject_entry_after((ALICE, MAIL), position=0, now=NOW) is None
    assert index.live(NOW) == []
    memories = [entry.key for entry in hop_entries((ALICE, MAIL), NOW)]
    assert not any(map(ends_sessions, [*memories, token_key("https://example.okta.com", "jti")]))
    assert all(map(ends_sessions, [ALICE, MAIL, SESSION, sid_key("a"), "*"]))


def test_what_is_not_in_the_log_yet_is_remembered_as_well() -> None:
    """While the log cannot be written."""
    index = RevocationIndex()
    for entry in hop_entries((ALICE,), NOW):
        index.hold(entry, NOW)
    assert index.signed_out_here([ALICE], at=NOW + 1, now=NOW + 1)


def test_whether_a_key_was_ended_is_asked_by_the_very_key() -> None:
    """Not by what its sessions are called besides."""
    index = after_a_sign_out()
    assert not index.is_ended(ALICE, NOW)
    index.apply(NewEntry(ALICE, NOW + 60, "universal_logout").placed(9))
    assert index.is_ended(ALICE, NOW)
    assert not index.is_ended(MAIL, NOW)
    assert not index.is_ended(ALICE, NOW + 60)


TOKEN = token_key("https://idp.example", "id-of-a-token")


def taken(position: int) -> Entry:
    """The entry of a token, for an hour."""
    return NewEntry(TOKEN, NOW + 3600, "backchannel").placed(position)


def test_a_token_that_was_taken_is_known_until_it_can_come_no_more() -> None:
    """By its issuer and id; a later one is another."""
    index = RevocationIndex()
    index.apply(taken(1))
    assert index.taken(TOKEN, NOW) == taken(1)
    assert index.taken(token_key("https://idp.example", "another"), NOW) is None
    assert index.taken(token_key("https://other.example", "id-of-a-token"), NOW) is None
    assert index.taken(TOKEN, NOW + 3600) is None


def test_a_token_is_known_before_the_log_has_it() -> None:
    """Held, as everything that the log did not take yet."""
    index = RevocationIndex()
    held = index.hold(NewEntry(TOKEN, NOW + 60, "backchannel"), NOW)
    assert index.taken(TOKEN, NOW) is held
    assert held.position == UNPLACED


def test_a_token_ends_nothing_and_is_not_listed_among_what_does() -> None:
    """It is remembered, no more: a subject cannot be made to look like one."""
    index = RevocationIndex()
    index.apply(taken(5))
    assert index.ended_by("s", (ALICE,), seen=0, login_at=NOW, now=NOW) is None
    assert index.live(NOW) == []
    assert token_key("a|b", "c") != token_key("a", "b|c")


def test_what_ends_nothing_is_not_told_of() -> None:
    """Whoever is told looks through all sessions for what an entry might have ended."""
    index, told = RevocationIndex(), list[str]()
    index.on_key = told.append
    index.apply(taken(1))
    index.hold(NewEntry(TOKEN, NOW + 60, "backchannel"), NOW)
    for one in hop_entries([ALICE], NOW):
        index.apply(one.placed(2))
    assert told == []
    index.apply(NewEntry(ALICE, NOW + 60, "backchannel").placed(3))
    index.hold(NewEntry(ALICE, NOW + 60, "backchannel"), NOW)
    assert told == [ALICE, ALICE]
