"""Login attempts in the browser's cookies (pains P11 and P13, rules R26 and R33)."""

from __future__ import annotations

import re
from dataclasses import replace

from gateway.core import dice
from gateway.core.http.own_cookies import NO_COOKIES, OwnCookies, read
from gateway.core.session.attempt import (
    LIFETIME,
    LONGEST_IN_STATE,
    MAX_ATTEMPTS,
    Attempt,
    Returned,
    read_state,
)
from gateway.core.session.cookies import ATTEMPT_BUDGET
from gateway.core.session.sealing import PROMOTE_AFTER, Deployment, KeyRing, SealingKey
from gateway.core.session.session import SessionLimits
from gateway.web.session.attempts import SCRIPTLESS_BUDGET, Attempts
from gateway.web.session.session import Sessions

NOW = 1_700_000_000
HERE = Deployment("https://app.example.com", "https://idp", "client")


def attempts(key: bytes = b"1") -> Attempts:
    ring = KeyRing([SealingKey.of(b"k" * 31 + key)], now=NOW - PROMOTE_AFTER)
    return Attempts(Sessions(ring, HERE, SessionLimits(1_800, 43_200)))


def attempt(started: int = NOW, rd: str = "/reports/3") -> Attempt:
    return Attempt(dice.token(16), started, rd)


def bare(one: Attempt) -> Attempt:
    """As its cookie has it: the way back travels in its state."""
    return replace(one, rd="")


def returned(state: str) -> Returned:
    """What a callback with it brings."""
    found = read_state(state)
    assert found is not None
    return found


def jar(lines: list[str], before: dict[str, str] | None = None) -> dict[str, str]:
    kept = dict(before or {})
    for line in lines:
        name, _, value = line.partition(";")[0].partition("=")
        kept.pop(name, None)
        if "Max-Age=0" not in line:
            kept[name] = value
    return kept


def own(kept: dict[str, str]) -> OwnCookies:
    return read(["; ".join(f"{name}={value}" for name, value in kept.items()).encode()])


def test_p11_each_attempt_has_its_own_cookie() -> None:
    """Two tabs, two cookies; each is found by the id in front of its state."""
    one, two = attempt(), attempt(NOW + 1)
    book = attempts()
    first = book.store(one, NO_COOKIES, NOW, script=True).cookies
    second = book.store(two, own(jar(first)), NOW + 1, script=True).cookies
    kept = own(jar(second, jar(first)))
    assert book.find(kept, one.attempt_id, NOW) == bare(one)
    assert book.find(kept, two.attempt_id, NOW) == bare(two)
    assert book.all(kept, NOW + 1) == [bare(two), bare(one)]


def test_p11_an_expired_attempt_is_not_found() -> None:
    """An hour after it began, whatever the browser still sends."""
    one, book = attempt(), attempts()
    kept = own(jar(book.store(one, NO_COOKIES, NOW, script=True).cookies))
    assert book.find(kept, one.attempt_id, NOW + LIFETIME - 1) == bare(one)
    assert book.find(kept, one.attempt_id, NOW + LIFETIME) is None


def test_p11_the_sixth_drops_the_oldest() -> None:
    """Never more than five, and it is the oldest that goes."""
    book, kept = attempts(), dict[str, str]()
    made = [attempt(NOW + at) for at in range(MAX_ATTEMPTS + 2)]
    for one in made:
        kept = jar(book.store(one, own(kept), one.started, script=True).cookies, kept)
    assert book.all(own(kept), NOW + 10) == [bare(one) for one in made[::-1][:MAX_ATTEMPTS]]
    assert len(kept) == MAX_ATTEMPTS


def test_r26_an_attempt_under_a_key_unknown_here_is_left_alone() -> None:
    """It may be under way at another replica; it goes only when there are too many."""
    elsewhere = jar(attempts(b"2").store(attempt(), NO_COOKIES, NOW, script=True).cookies)
    (name,) = elsewhere
    book = attempts()
    kept = jar(book.store(attempt(), own(elsewhere), NOW, script=True).cookies, elsewhere)
    assert name in kept
    for at in range(1, MAX_ATTEMPTS):
        kept = jar(book.store(attempt(NOW + at), own(kept), NOW + at, script=True).cookies, kept)
    assert name not in kept
    assert len(kept) == MAX_ATTEMPTS


def test_r33_a_way_back_that_does_not_fit_waits_in_the_tab() -> None:
    """With a script it is handed to the page, whole; without one the cookie may be larger; beyond that it is lost."""
    book = attempts()
    for length in (10, 100, LONGEST_IN_STATE, LONGEST_IN_STATE + 1, 1_024, 4_000):
        one = attempt(rd="/" + dice.token(length)[: length - 1])
        begun = book.store(one, NO_COOKIES, NOW, script=True)
        (line,) = begun.cookies
        assert len(line.partition(";")[0]) <= ATTEMPT_BUDGET
        assert (book.way_back(returned(begun.state), NOW) or "") + begun.waiting == one.rd
        begun = book.store(one, NO_COOKIES, NOW, script=False)
        (line,) = begun.cookies
        assert len(line.partition(";")[0]) <= SCRIPTLESS_BUDGET
        found = book.find(own(jar([line])), one.attempt_id, NOW)
        assert found is not None
        known = found.rd + (book.way_back(returned(begun.state), NOW) or "")
        assert (known == one.rd) == (length <= 1_024)


def test_p22_the_way_back_lives_as_long_as_the_tab_at_the_provider() -> None:
    """It is read out of the state, whether the attempt's cookie is still there, has expired, or never was."""
    one, book = attempt(rd="/reports?q=\\d+&x=%20"), attempts()
    state = book.store(one, NO_COOKIES, NOW, script=True).state
    assert book.way_back(returned(state), NOW + 365 * 86_400) == one.rd
    assert book.way_back(returned(one.state), NOW) == ""


def test_p22_a_short_state_has_no_way_back_to_the_first_page() -> None:
    """Where nothing is to be remembered nothing is sent along."""
    for rd in ("/", ""):
        one = attempt(rd=rd)
        assert attempts().store(one, NO_COOKIES, NOW, script=True).state == one.state


def test_nobody_gives_one_attempt_the_way_back_of_another() -> None:
    """Moved to another state, made elsewhere, broken or cut, it is none."""
    one, two, book = attempt(rd="/one"), attempt(rd="/two"), attempts()
    box = returned(book.store(one, NO_COOKIES, NOW, script=True).state).box
    assert book.way_back(returned(f"{two.state}.{box}"), NOW) is None
    assert attempts(b"2").way_back(returned(f"{one.state}.{box}"), NOW) is None
    for broken in (box[:-1], box[:-2], box[:-4] + "AAAA", "A", "_" * 80):
        assert book.way_back(returned(f"{one.state}.{broken}"), NOW) is None


def test_a_state_is_never_longer_than_half_a_kilobyte() -> None:
    """Nor has it letters that a provider does not take (Okta: no more than base64url and a dot)."""
    one = attempt(rd="/" + dice.token(LONGEST_IN_STATE)[: LONGEST_IN_STATE - 1])
    state = attempts().store(one, NO_COOKIES, NOW, script=True).state
    assert re.fullmatch(r"[A-Za-z0-9._-]{33,512}", state)


def test_an_unasked_callback_leaves_a_mark_for_a_minute() -> None:
    """Which leads nowhere, and tells that a sign-in was begun."""
    book = attempts()
    name, lines = book.unasked(NO_COOKIES, NOW)
    assert lines[0].endswith("Max-Age=60")
    mark = book.find(own(jar(lines)), name, NOW)
    assert mark is not None
    assert (mark.restarted, mark.landed, mark.rd) == (True, True, "")


def test_p13_a_finished_attempt_leaves_a_mark_for_a_minute() -> None:
    """The browser forgets it after the loop's window; once it has landed, it holds no way back any more."""
    one, book = attempt(), attempts()
    (line,) = book.finish(one, NO_COOKIES, NOW + 5)
    assert line.endswith("Max-Age=60")
    finished = book.find(own(jar([line])), one.attempt_id, NOW + 5)
    assert finished == replace(one, finished=NOW + 5)
    (line,) = book.land(finished, own(jar([line])), NOW + 6)
    assert line.endswith("Max-Age=60")
    landed = book.find(own(jar([line])), one.attempt_id, NOW + 6)
    assert landed == replace(one, rd="", finished=NOW + 5, landed=True)


def test_an_attempt_cannot_stand_in_for_another() -> None:
    """The name is sealed in: one attempt's value under another's name is nothing."""
    one, book = attempt(), attempts()
    (value,) = jar(book.store(one, NO_COOKIES, NOW, script=True).cookies).values()
    assert book.find(own({"__Host-login_0123abcd": value}), "0123abcd", NOW) is None


def test_what_is_cleared_is_gone() -> None:
    """By the same attributes that set it."""
    one, book = attempt(), attempts()
    kept = jar(book.store(one, NO_COOKIES, NOW, script=True).cookies)
    assert jar(book.clear(one.attempt_id), kept) == {}
