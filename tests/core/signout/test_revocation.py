"""The revocation index: what ends a session, against a list that is asked entry by entry."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.session.revocation_keys import EVERYONE, isid_key, sid_key, subject_key
from gateway.core.signout import revocation
from gateway.core.signout.revocation import (
    ENTRY_MARGIN,
    EVENT_SKEW,
    UNPLACED,
    Entry,
    NewEntry,
    RevocationIndex,
)
from tests.fakes.signed_in import signed_in

ALICE = subject_key("https://idp.example", "alice")
NOW = 1_000_000


def entry(key: str, position: int, **other: int | str | None) -> Entry:
    """An entry that lives for an hour."""
    fields: dict[str, object] = {"expires": NOW + 3600, "reason": "logout", **other}
    return Entry(key, position=position, **fields)  # type: ignore[arg-type]  # fields of several types


def index_of(*entries: Entry) -> RevocationIndex:
    index = RevocationIndex()
    for one in entries:
        index.apply(one)
    return index


def ended(index: RevocationIndex, sid: str = "s", *, seen: int = 0, login_at: int = NOW) -> Entry | None:
    return index.ended_by(signed_in(sid, (ALICE,), seen=seen, login_at=login_at))


def test_an_empty_index_ends_nothing() -> None:
    """Without entries every session lives."""
    assert ended(RevocationIndex()) is None


def test_a_session_entry_ends_its_session_whatever_it_has_seen() -> None:
    """The sid entry of a session needs no order: a session is never un-ended."""
    index = index_of(entry(sid_key("s"), 5))

    assert ended(index, "s", seen=9) is not None
    assert ended(index, "t") is None


def test_r06_a_subject_entry_ends_logins_before_it_in_the_log() -> None:
    """Order is by position: a login that had read the entry lives, whatever the clocks say."""
    index = index_of(entry(ALICE, 5))

    assert ended(index, seen=4, login_at=NOW + 1000) is not None
    assert ended(index, seen=5, login_at=NOW - 1000) is None


def test_r06_an_entry_for_everyone_is_ordered_the_same_way() -> None:
    """`*` ends all sessions that logged in before it."""
    index = index_of(entry(EVERYONE, 5))

    assert ended(index, seen=4) is not None
    assert ended(index, seen=5) is None


def test_r06_a_late_event_spares_who_signed_in_after_it_happened() -> None:
    """The event's own time counts, with a minute for clocks that differ."""
    index = index_of(entry(ALICE, 5, event_time=NOW - 500))

    assert ended(index, seen=4, login_at=NOW - 500 + EVENT_SKEW) is not None
    assert ended(index, seen=4, login_at=NOW - 500 + EVENT_SKEW + 1) is None


def test_r06_an_event_never_ends_a_login_that_had_read_it() -> None:
    """Within the minute the order of the log decides, so that a new sign-in is not a loop."""
    index = index_of(entry(ALICE, 5, event_time=NOW))

    assert ended(index, seen=5, login_at=NOW) is None


def test_r06_an_event_time_is_capped_at_its_receipt() -> None:
    """A sender whose clock is ahead cannot end the sessions of tomorrow."""
    ahead = NewEntry(ALICE, NOW + 9, "event", event_time=NOW + 86_400)
    behind = NewEntry(ALICE, NOW + 9, "event", event_time=NOW - 1)

    assert ahead.received(NOW).event_time == NOW
    assert behind.received(NOW) is behind


def test_an_entry_is_in_force_until_it_is_forgotten() -> None:
    """No clock is asked: what is there ends its session, and what was forgotten is remembered by its expiry."""
    index = index_of(entry(sid_key("s"), 1, expires=NOW + 1), entry(sid_key("t"), 2, expires=NOW))
    assert ended(index, "s") is not None
    assert ended(index, "t") is not None
    assert not index.may_be_forgotten(NOW - ENTRY_MARGIN)

    assert index.expire(NOW) == 1
    assert ended(index, "s") is not None
    assert ended(index, "t") is None
    assert index.may_be_forgotten(NOW - ENTRY_MARGIN)
    assert not index.may_be_forgotten(NOW - ENTRY_MARGIN + 1)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["s", "t"]), st.integers(0, 5_000)), max_size=8),
    st.lists(st.integers(0, 10_000), max_size=8),
    st.integers(0, 5_000),
)
def test_what_was_ended_never_lives_again(
    signed_out: list[tuple[str, int]], clocks: list[int], deadline: int
) -> None:
    """Whatever the clocks say by which entries are forgotten: its entry is there, or may have been forgotten."""
    index = RevocationIndex()
    for position, (sid, until) in enumerate(signed_out, start=1):
        index.apply(NewEntry(sid_key(sid), until + ENTRY_MARGIN, "logout").placed(position))
    ends_at = max((until for sid, until in signed_out if sid == "s"), default=None)
    for now in clocks:
        index.expire(now)
        if ends_at is not None:
            assert index.ended_by(signed_in("s")) or index.may_be_forgotten(min(ends_at, deadline))


def test_r02_the_entry_with_the_latest_barrier_is_named() -> None:
    """A session ended by an administrator and by logout is in its logout, in either order."""
    barrier = entry(sid_key("s"), 1, barrier=NOW + 120)
    plain = entry(sid_key("s"), 2, reason="admin")

    assert ended(index_of(barrier, plain)) == barrier
    assert ended(index_of(plain, barrier)) == barrier


def test_what_names_a_session_itself_is_told_from_what_ended_it() -> None:
    """Its own sign-out, held or in the log, and never an entry against its subject or everybody."""
    index = index_of(entry(ALICE, 1, barrier=NOW + 500), entry(EVERYONE, 2))
    assert index.sign_out_of("s") is None
    held = index.hold(NewEntry(sid_key("s"), NOW + 3600, "logout", barrier=NOW + 120), NOW)
    assert index.sign_out_of("s") is held
    index.release(held)
    index.apply(held.placed(3))
    placed = index.sign_out_of("s")
    assert placed is not None
    assert placed.position == 3
    assert index.sign_out_of("t") is None


def test_an_earlier_short_entry_does_not_hide_a_longer_one() -> None:
    """Entries of one key end their sessions each for their own time."""
    index = index_of(entry(sid_key("s"), 1, expires=NOW + 50), entry(sid_key("s"), 2, expires=NOW + 10))

    assert index.ended_by(signed_in("s")) is not None


def test_applying_twice_changes_nothing() -> None:
    """The tail may be read twice."""
    one = entry(ALICE, 3)
    index = index_of(one, one)

    assert len(index) == 1
    assert index.position == 3


def test_a_key_revoked_often_keeps_one_entry() -> None:
    """Asking stays a look-up per name after a thousand logouts of one name."""
    index = index_of(*(entry(ALICE, n, expires=NOW + n) for n in range(1, 1001)))

    assert len(index) == 1
    assert ended(index, seen=999) is not None


def test_a_held_entry_denies_before_it_has_a_position() -> None:
    """It ends every session that logged in until now, and the log position stays where it was."""
    index = index_of(entry(sid_key("other"), 7))
    held = index.hold(NewEntry(ALICE, NOW + 100, "admin"), NOW)

    assert held.position == UNPLACED
    assert index.position == 7
    assert ended(index, seen=7, login_at=NOW) is held
    assert ended(index, seen=7, login_at=NOW + EVENT_SKEW + 1) is None


def test_a_held_session_entry_denies_its_session() -> None:
    """Logout is immediate without the log."""
    index = RevocationIndex()
    held = index.hold(NewEntry(sid_key("s"), NOW + 100, "logout", barrier=NOW + 5), NOW)

    assert ended(index, "s") is held
    assert ended(index, "t") is None


def test_a_released_entry_leaves_its_placed_self() -> None:
    """When the log has the entry, only its place in the log counts."""
    index = RevocationIndex()
    new = NewEntry(ALICE, NOW + 100, "admin")
    held = index.hold(new, NOW)
    index.apply(new.placed(1))
    index.release(held)
    index.release(held)

    assert len(index) == 1
    assert ended(index, seen=0) == new.placed(1)
    assert ended(index, seen=1) is None


def test_r01_a_subject_entry_asks_for_a_sign_out_first() -> None:
    """A login attempt passes only from a browser that signed out after the entry."""
    index = index_of(entry(ALICE, 5))

    assert index.subject_entry_after((ALICE,), position=4, now=NOW) == entry(ALICE, 5)
    assert index.subject_entry_after((ALICE,), position=5, now=NOW) is None
    assert index.subject_entry_after(("sub:x|y",), position=0, now=NOW) is None
    assert index.subject_entry_after((ALICE,), position=0, now=NOW + 3600) is None


def test_r01_the_latest_unanswered_entry_is_named() -> None:
    """Of several names the one revoked last is told."""
    index = index_of(entry(ALICE, 5), entry("email:a@b", 8), entry(EVERYONE, 6))

    assert index.subject_entry_after((ALICE, "email:a@b"), position=0, now=NOW) == entry("email:a@b", 8)
    assert index.subject_entry_after((ALICE,), position=5, now=NOW) == entry(EVERYONE, 6)


def test_r01_a_held_entry_is_answered_by_a_later_sign_out_only() -> None:
    """Without a position its time decides; unknown times answer nothing."""
    index = RevocationIndex()
    held = index.hold(NewEntry(ALICE, NOW + 1000, "admin"), NOW)

    assert index.subject_entry_after((ALICE,), position=99, now=NOW) is held
    assert index.subject_entry_after((ALICE,), position=99, now=NOW, since=NOW + EVENT_SKEW) is held
    assert index.subject_entry_after((ALICE,), position=99, now=NOW, since=NOW + EVENT_SKEW + 1) is None


def test_expire_drops_the_dead_and_only_them() -> None:
    """Memory follows the live entries, held ones included, in bounded steps."""
    index = index_of(*(entry(sid_key(f"s{n}"), n, expires=NOW + n) for n in range(1, 11)))
    index.hold(NewEntry(sid_key("held"), NOW + 1, "logout"), NOW)

    assert len(index) == 11
    assert index.expire(NOW + 5, limit=2) == 3
    assert index.expire(NOW + 5) == 3
    assert len(index) == 5
    assert index.position == 10


def test_rebase_follows_another_log_and_forgives_nothing() -> None:
    """After a lost log positions go on from the new one."""
    index = index_of(entry(sid_key("s"), 50))
    index.rebase(10)

    assert index.position == 10
    assert ended(index, "s") is not None


THEIRS = isid_key("https://idp.example", "their-session")
keys = st.sampled_from([sid_key("s"), sid_key("t"), ALICE, THEIRS, "email:a@b", EVERYONE])
times = st.integers(min_value=0, max_value=300)
new_entries = st.builds(
    NewEntry,
    keys,
    times,
    st.just("x"),
    event_time=st.none() | times,
    barrier=st.none() | times,
)


def naive(
    entries: list[Entry], sid: str, aliases: tuple[str, ...], seen: int, login_at: int, forgotten: int
) -> object:
    """The rule as a list: which entries end the session, and which of them is named."""
    found = []
    for one in entries:
        reached = seen < one.position
        if one.event_time is not None and one.key != THEIRS:
            reached = reached and login_at <= one.event_time + 60
        mine = one.key == "sid:" + sid or (one.key in (*aliases, "*") and reached)
        if mine and forgotten < one.expires:
            found.append(one)
    best = max(found, key=lambda one: (one.barrier or 0, one.position), default=None)
    return best and ((best.barrier or 0), best.position)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(new_entries, max_size=12),
    st.lists(new_entries, max_size=3),
    st.sampled_from(["s", "t", "u"]),
    st.lists(st.sampled_from([ALICE, THEIRS, "email:a@b", "idp:x|y"]), unique=True),
    st.integers(min_value=0, max_value=14),
    times,
    times,
)
def test_the_index_answers_as_a_list_of_all_entries_would(
    logged: list[NewEntry],
    unsent: list[NewEntry],
    sid: str,
    aliases: list[str],
    seen: int,
    login_at: int,
    expired_at: int,
) -> None:
    """Covered and expired entries are dropped without a session noticing, for any entries and session."""
    index = RevocationIndex()
    model = [one.placed(position) for position, one in enumerate(logged, start=1)]
    for one in model:
        index.apply(one)
    model += [index.hold(one, 0) for one in unsent]
    index.expire(expired_at)
    names = tuple(aliases)

    found = index.ended_by(signed_in(sid, names, seen=seen, login_at=login_at))
    answer = found and ((found.barrier or 0), found.position)

    assert answer == naive(model, sid, names, seen, login_at, expired_at)
    assert index.position == len(logged)
    assert len(index) == sum(
        len(front) for table in (index._sids, index._named, index._held) for front in table.values()
    )


@settings(max_examples=200, deadline=None)
@given(st.lists(new_entries, max_size=10), st.lists(keys, max_size=3), times, st.none() | times, times)
def test_no_attempt_that_an_entry_would_end_is_let_through(
    logged: list[NewEntry], names: list[str], position: int, since: int | None, now: int
) -> None:
    """`subject_entry_after` names the latest live entry behind the position and time, as the list does."""
    index = RevocationIndex()
    model = [one.placed(number) for number, one in enumerate(logged, start=1)]
    for one in model:
        index.apply(one)
    aliases = [name for name in names if not name.startswith("sid:")]

    answer = index.subject_entry_after(aliases, position=position % 12, now=now, since=since)

    expected = [
        one
        for one in model
        if one.key in (*aliases, "*")
        and now < one.expires
        and one.position > position % 12
        and (since is None or one.event_time is None or one.key == THEIRS or since <= one.event_time + 60)
    ]
    assert (answer and answer.position) == (expected[-1].position if expected else None)


def test_the_question_of_every_request_allocates_nothing() -> None:
    """A live session costs look-ups only, also among many entries."""
    import tracemalloc

    index = index_of(*(entry(sid_key(f"s{n}"), n) for n in range(1, 2000)), entry("email:x@y", 2000))
    who = signed_in("live", (ALICE, "email:a@b", "idp:Okta|u1"), seen=5000, login_at=NOW)
    ask = index.ended_by
    ask(who)
    tracemalloc.start()
    try:
        before = tracemalloc.take_snapshot()
        for _ in range(1000):
            ask(who)
        grown = tracemalloc.take_snapshot().compare_to(before, "filename")
    finally:
        tracemalloc.stop()

    assert sum(stat.size_diff for stat in grown if stat.traceback[0].filename == revocation.__file__) <= 0


def test_whoever_listens_is_told_of_every_key_that_denies_anew() -> None:
    """When it is held, and when it is applied; not of what changes nothing."""
    heard: list[str] = []
    index = RevocationIndex()
    index.on_key = heard.append
    held = index.hold(NewEntry(sid_key("s"), NOW + 3600, "logout"), NOW)
    index.apply(entry(sid_key("s"), 5))
    index.release(held)
    index.apply(entry(sid_key("s"), 5))
    index.apply(entry(ALICE, 6))
    assert heard == [sid_key("s"), sid_key("s"), ALICE]
