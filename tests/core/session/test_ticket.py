"""The ticket and the sealed session: three things are needed to read one, and any two are not enough."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core import dice
from gateway.core.http.own_cookies import NO_COOKIES, OwnCookies
from gateway.core.session.cookies import CookieTooLargeError, session_cookie, ticket_cookie
from gateway.core.session.sealing import Deployment, Failure, KeyRing, Opened, SealingKey
from gateway.core.session.session import Principal, Session, SessionLimits, life
from gateway.core.session.ticket import (
    FORMAT,
    LARGEST,
    husk,
    issued,
    opened,
    sealed,
    ticket_of,
)

NOW = 1_700_000_000
HERE = Deployment("https://app.example.com", "https://idp", "client")
RING = KeyRing([SealingKey.of(bytes(range(32)))], now=0)


def session(**changes: Any) -> Session:
    principal = Principal("https://idp", "s-1", "alice", groups=("admins", "staff"))
    made = Session("sid-1", "log", principal, ("sub:https://idp|s-1",), NOW, 5, NOW + 1_800, NOW + 43_200)
    return issued(replace(made, **changes))


def test_what_was_sealed_opens() -> None:
    """With its secret, and is the session again."""
    one = session(refresh_token="r", generation=3, page={"a": 1})
    assert opened(sealed(one, HERE), ticket_of(one), HERE) == one


def test_a_ticket_goes_through_its_cookie() -> None:
    """One small cookie, that says nothing to who has no key."""
    cookie, ticket = ticket_cookie(3_600), ticket_of(session())
    (line,) = cookie.set(FORMAT.plain(ticket), RING, HERE, now=NOW, carried=NO_COOKIES)
    value = line.partition("; ")[0].partition("=")[2]
    found = cookie.open(OwnCookies({b"__Host-session": value.encode()}), RING, HERE, now=NOW)

    assert isinstance(found, Opened)
    assert FORMAT.read_from(found) == ticket
    assert len(line) < 500


def test_a_cookie_of_the_other_store_is_no_ticket() -> None:
    """Nor the other way round: their purposes differ."""
    kept, ticket = session_cookie(3_600), ticket_cookie(3_600)
    for one, other in ((kept, ticket), (ticket, kept)):
        (line,) = one.set(FORMAT.plain(ticket_of(session())), RING, HERE, now=NOW, carried=NO_COOKIES)
        value = line.partition("; ")[0].partition("=")[2]
        found = other.open(OwnCookies({b"__Host-session": value.encode()}), RING, HERE, now=NOW)
        assert found is Failure.FORGED


def test_a_ticket_takes_the_place_of_a_session_in_pieces() -> None:
    """Who changes the store has browsers with the cookies of before."""
    carried = OwnCookies({b"__Host-session_1": b"x", b"__Host-session_2": b"y"})
    lines = ticket_cookie(3_600).set(FORMAT.plain(ticket_of(session())), RING, HERE, now=NOW, carried=carried)

    assert [line.partition("=")[0] for line in lines if "Max-Age=0" in line] == [
        "__Host-session_1",
        "__Host-session_2",
    ]


@given(st.integers(min_value=0), st.integers(1, 255))
def test_r26_no_byte_of_what_is_kept_can_be_changed(at: int, flip: int) -> None:
    """Whoever writes to the store can take sessions away, and alter none."""
    one = session()
    box = bytearray(sealed(one, HERE))
    box[at % len(box)] ^= flip

    assert opened(bytes(box), ticket_of(one), HERE) is None


@given(st.binary(max_size=200))
@example(b"")
def test_nothing_that_is_kept_raises(box: bytes) -> None:
    """Whatever somebody has put there."""
    assert opened(box, replace(ticket_of(session()), secret=bytes(32)), HERE) is None


def test_r26_what_is_kept_is_bound_to_its_session_and_deployment() -> None:
    """Under another's name, with another's secret, in another deployment it is nothing."""
    one, other = session(), session()
    box, ticket = sealed(one, HERE), ticket_of(one)
    elsewhere = [
        replace(HERE, public_url="https://staging.example.com"),
        replace(HERE, issuer="https://idp2"),
        replace(HERE, client_id="other"),
    ]

    assert opened(box, replace(ticket, sid="sid-2"), HERE) is None
    assert opened(box, replace(ticket, secret=ticket_of(other).secret), HERE) is None
    assert [opened(box, ticket, each) for each in elsewhere] == [None] * 3


def test_every_sign_in_has_its_own_secret_and_it_is_told_to_nobody() -> None:
    """Neither in what is kept, nor where values are printed."""
    one, other = session(), session()
    secret = ticket_of(one).secret

    assert secret != ticket_of(other).secret
    assert secret not in sealed(one, HERE)
    assert repr(secret) not in repr(one) + repr(ticket_of(one))


def test_many_groups_fit_and_too_many_do_not() -> None:
    """The cookie's budget binds no ticket; the store has one of its own, before deflating and after."""
    groups = tuple(f"{n:03}{dice.token(43)}" for n in range(100))
    one = session(principal=Principal("https://idp", "s-1", "alice", groups=groups))
    assert opened(sealed(one, HERE), ticket_of(one), HERE) == one

    for claim in (dice.token(LARGEST), "a" * LARGEST):
        with pytest.raises(CookieTooLargeError) as refused:
            sealed(session(principal=Principal("https://idp", "s-1", "alice", claims={"c": claim})), HERE)
        assert refused.value.budget == LARGEST


def test_a_session_without_a_ticket_has_no_ticket() -> None:
    """It is kept in its cookie."""
    with pytest.raises(ValueError, match="cookie"):
        ticket_of(replace(session(), ticket=None))


@pytest.mark.parametrize("away", [False, True])
def test_a_husk_has_what_ends_a_session_and_nothing_else(away: bool) -> None:
    """Its names and positions, for the revocation log; no rights, and nothing that takes a session takes it."""
    one = session(refresh_token="r", access_token="a")
    rest = husk(ticket_of(one), away=away)
    taken: Session = rest  # type: ignore[assignment]  # unused, and so an error, where a husk could be somebody

    assert (rest.sid, rest.log_id, rest.login_at, rest.seen) == (one.sid, one.log_id, one.login_at, one.seen)
    assert (rest.aliases, rest.who) == (("sub:https://idp|s-1",), ("https://idp", "s-1", ""))
    assert not isinstance(taken, Session)
    assert life(rest, SessionLimits(1_800, 43_200), NOW).value == "fresh"
