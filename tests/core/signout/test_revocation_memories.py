"""Entries that remember something and end nothing: our own sign-outs (rule R21), and tokens that were taken."""

from __future__ import annotations

import pytest

from gateway.core.session.revocation_keys import (
    email_key,
    ends_sessions,
    hop_name,
    isid_key,
    sid_key,
    subject_key,
    token_key,
)
from gateway.core.signout.revocation import (
    EVENT_SKEW,
    MARKS,
    NEWS_WITHIN,
    OWN_HOP,
    UNPLACED,
    Entry,
    NewEntry,
    RevocationIndex,
    hop_marks,
)
from tests.fakes.signed_in import signed_in

NOW = 1_000_000
ALICE = subject_key("https://example.okta.com", "00uALICE")
MAIL = email_key("alice@example.com")
SESSION = isid_key("https://example.okta.com", "102")


def remember(index: RevocationIndex, *entries: NewEntry) -> None:
    for entry in entries:
        index.apply(entry.placed(index.position + 1))


def after_a_sign_out(*times: int) -> RevocationIndex:
    """An index in which Alice was sent to the provider at `NOW`, or at these times."""
    index = RevocationIndex()
    for at in times or (NOW,):
        remember(index, *hop_marks(map(hop_name, (ALICE, MAIL)), at))
    return index


def is_ours(
    index: RevocationIndex, *keys: str, at: int, now: int | None = None, way: str = "backchannel"
) -> bool:
    """Whether this news is of our own sign-out; if so, it has come."""
    heard = index.own_news(keys, way=way, at=at, now=at if now is None else now)
    remember(index, *heard)
    return bool(heard)


def test_r21_our_own_sign_out_is_known_by_each_name_of_the_user() -> None:
    """Whichever of them the provider's news has; a session at the provider is no user."""
    for names in ([ALICE], ["email:somebody@example.com", MAIL], [ALICE, MAIL]):
        assert is_ours(after_a_sign_out(), *names, at=NOW + 1)
    assert not is_ours(after_a_sign_out(), SESSION, at=NOW + 1)
    assert not is_ours(after_a_sign_out(), email_key("bob@example.com"), at=NOW + 1)
    assert not is_ours(RevocationIndex(), ALICE, at=NOW + 1)


def test_r21_one_sign_out_is_one_piece_of_news() -> None:
    """The next is somebody else's: an administrator, or a sign-out that began elsewhere."""
    index = after_a_sign_out()
    assert is_ours(index, ALICE, at=NOW + 1)
    assert not is_ours(index, ALICE, at=NOW + 2)
    assert is_ours(index, ALICE, at=NOW + 2, way="security_events")  # another may tell of it too
    assert not is_ours(index, ALICE, at=NOW + 3, way="security_events")


def test_r21_news_under_two_names_is_one() -> None:
    """Told by one of them it has come by that one; told by both it has come by both."""
    index = after_a_sign_out()
    assert is_ours(index, ALICE, MAIL, at=NOW + 1)
    assert not is_ours(index, ALICE, at=NOW + 2)
    assert not is_ours(index, MAIL, at=NOW + 2)


@pytest.mark.parametrize("news", [(NOW + 1, NOW + 6), (NOW + 6, NOW + 6)])
def test_r21_two_sign_outs_are_two_pieces_of_news(news: tuple[int, int]) -> None:
    """In two browsers of one user, in whatever order the provider tells of them; a third is none of them."""
    index = after_a_sign_out(NOW, NOW + 5)
    assert [is_ours(index, ALICE, at=at) for at in (*news, NOW + 7)] == [True, True, False]


def test_what_is_remembered_of_one_user_is_bounded() -> None:
    """Somebody who signs out again and again; the latest count."""
    index = after_a_sign_out(*range(NOW, NOW + 3 * MARKS))
    assert len(index) == 2 * MARKS
    assert [is_ours(index, ALICE, at=NOW + 3 * MARKS) for _ in range(MARKS + 1)] == [True] * MARKS + [False]
    assert index.expire(NOW + OWN_HOP + NEWS_WITHIN + 3 * MARKS) > 0
    assert len(index) == 0


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
    late = NOW + OWN_HOP + NEWS_WITHIN
    assert is_ours(after_a_sign_out(), ALICE, at=NOW + at, now=NOW + 600) is ours
    assert is_ours(after_a_sign_out(), ALICE, at=NOW + at, now=late - 1) is ours
    assert not is_ours(after_a_sign_out(), ALICE, at=NOW + at, now=late)


def test_a_memory_ends_nothing() -> None:
    """No session of that user, and no list of what was ended has it; nor does it tell anybody who that was."""
    index = after_a_sign_out()
    assert is_ours(index, ALICE, at=NOW)
    assert index.ended_by(signed_in("a", (ALICE, MAIL, SESSION))) is None
    assert index.subject_entry_after((ALICE, MAIL), position=0, now=NOW) is None
    assert index.live(NOW) == []
    memories = [entry.key for entry in hop_marks(map(hop_name, (ALICE, MAIL)), NOW)]
    assert not any(map(ends_sessions, [*memories, token_key("https://example.okta.com", "jti")]))
    assert not any("alice" in key for key in memories)
    assert all(map(ends_sessions, [ALICE, MAIL, SESSION, sid_key("a"), "*"]))


def test_what_is_not_in_the_log_yet_is_remembered_as_well() -> None:
    """While the log cannot be written."""
    index = RevocationIndex()
    for entry in hop_marks([hop_name(ALICE)], NOW):
        index.hold(entry, NOW)
    (heard,) = index.own_news([ALICE], way="backchannel", at=NOW + 1, now=NOW + 1)
    index.hold(heard, NOW + 1)
    assert index.own_news([ALICE], way="backchannel", at=NOW + 1, now=NOW + 1) == ()


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
    assert index.ended_by(signed_in("s", (ALICE,), login_at=NOW)) is None
    assert index.live(NOW) == []
    assert token_key("a|b", "c") != token_key("a", "b|c")


def test_what_ends_nothing_is_not_told_of() -> None:
    """Whoever is told looks through all sessions for what an entry might have ended."""
    index, told = RevocationIndex(), list[str]()
    index.on_key = told.append
    index.apply(taken(1))
    index.hold(NewEntry(TOKEN, NOW + 60, "backchannel"), NOW)
    for one in hop_marks([hop_name(ALICE)], NOW):
        index.apply(one.placed(2))
    assert told == []
    index.apply(NewEntry(ALICE, NOW + 60, "backchannel").placed(3))
    index.hold(NewEntry(ALICE, NOW + 60, "backchannel"), NOW)
    assert told == [ALICE, ALICE]
