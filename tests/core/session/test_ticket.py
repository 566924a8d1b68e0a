"""The ticket and the sealed session: three things are needed to read one, and any two are not enough."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core import dice
from gateway.core.http.own_cookies import NO_COOKIES, OwnCookies
from gateway.core.session.cookies import CookieTooLargeError, session_cookie, ticket_cookie
from gateway.core.session.sealing import Deployment, Failure, KeyRing, Opened, SealingKey
from gateway.core.session.session import Known, Principal, Session, SessionLimits, life
from gateway.core.session.ticket import (
    LARGEST,
    Ticket,
    from_plain,
    husk,
    issued,
    opened,
    sealed,
    ticket_of,
    to_plain,
)

NOW = 1_700_000_000
HERE = Deployment("https://app.example.com", "https://idp", "client")
RING = KeyRing([SealingKey.of(bytes(range(32)))], now=0)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)


def session(**changes: Any) -> Session:
    principal = Principal("https://idp", "s-1", "alice", groups=("admins", "staff"))
    made = Session("sid-1", "log", principal, ("sub:https://idp|s-1",), NOW, 5, NOW + 1_800, NOW + 43_200)
    return issued(replace(made, **changes))


def test_what_was_sealed_opens() -> None:
    """With its secret, and is the session again."""
    one = session(refresh_token="r", generation=3, page={"a": 1})
    assert one.secret is not None

    assert opened(sealed(one, HERE), one.sid, one.secret, HERE) == one


def test_a_ticket_goes_through_its_cookie() -> None:
    """One small cookie, that says nothing to who has no key."""
    cookie, ticket = ticket_cookie(3_600), ticket_of(session())
    (line,) = cookie.set(to_plain(ticket), RING, HERE, now=NOW, carried=NO_COOKIES)
    value = line.partition("; ")[0].partition("=")[2]
    found = cookie.open(OwnCookies({b"__Host-session": value.encode()}), RING, HERE, now=NOW)

    assert isinstance(found, Opened)
    assert from_plain(found.plain) == ticket
    assert len(line) < 500


def test_a_cookie_of_the_other_store_is_no_ticket() -> None:
    """Nor the other way round: their purposes differ."""
    kept, ticket = session_cookie(3_600), ticket_cookie(3_600)
    for one, other in ((kept, ticket), (ticket, kept)):
        (line,) = one.set(to_plain(ticket_of(session())), RING, HERE, now=NOW, carried=NO_COOKIES)
        value = line.partition("; ")[0].partition("=")[2]
        found = other.open(OwnCookies({b"__Host-session": value.encode()}), RING, HERE, now=NOW)
        assert found is Failure.FORGED


def test_a_ticket_takes_the_place_of_a_session_in_pieces() -> None:
    """Who changes the store has browsers with the cookies of before."""
    carried = OwnCookies({b"__Host-session_1": b"x", b"__Host-session_2": b"y"})
    lines = ticket_cookie(3_600).set(to_plain(ticket_of(session())), RING, HERE, now=NOW, carried=carried)

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

    assert opened(bytes(box), one.sid, one.secret or b"", HERE) is None


@given(st.binary(max_size=200))
@example(b"")
def test_nothing_that_is_kept_raises(box: bytes) -> None:
    """Whatever somebody has put there."""
    assert opened(box, "sid-1", bytes(32), HERE) is None


def test_r26_what_is_kept_is_bound_to_its_session_and_deployment() -> None:
    """Under another's name, with another's secret, in another deployment it is nothing."""
    one, other = session(), session()
    box, secret = sealed(one, HERE), one.secret or b""
    elsewhere = [
        replace(HERE, public_url="https://staging.example.com"),
        replace(HERE, issuer="https://idp2"),
        replace(HERE, client_id="other"),
    ]

    assert opened(box, "sid-2", secret, HERE) is None
    assert opened(box, one.sid, other.secret or b"", HERE) is None
    assert [opened(box, one.sid, secret, each) for each in elsewhere] == [None] * 3


def test_every_sign_in_has_its_own_secret_and_it_is_told_to_nobody() -> None:
    """Neither in what is kept, nor where values are printed."""
    one, other = session(), session()
    assert one.secret is not None

    assert one.secret != other.secret
    assert one.secret not in sealed(one, HERE)
    assert repr(one.secret) not in repr(one) + repr(ticket_of(one))


def test_many_groups_fit_and_too_many_do_not() -> None:
    """The cookie's budget binds no ticket; the store has one of its own, before deflating and after."""
    groups = tuple(f"{n:03}{dice.token(43)}" for n in range(100))
    one = session(principal=Principal("https://idp", "s-1", "alice", groups=groups))
    assert opened(sealed(one, HERE), one.sid, one.secret or b"", HERE) == one

    for claim in (dice.token(LARGEST), "a" * LARGEST):
        with pytest.raises(CookieTooLargeError) as refused:
            sealed(session(principal=Principal("https://idp", "s-1", "alice", claims={"c": claim})), HERE)
        assert refused.value.budget == LARGEST


def test_a_session_without_a_secret_has_no_ticket() -> None:
    """It is kept in its cookie."""
    with pytest.raises(ValueError, match="secret"):
        ticket_of(replace(session(), secret=None))


@given(PLAIN)
def test_what_is_no_ticket_is_refused(plain: object) -> None:
    """With one kind of error, whatever was sealed under the same name."""
    with pytest.raises(ValueError):
        from_plain(plain if isinstance(plain, dict) else {"v": 1, "i": plain})


@given(st.sampled_from("vikwlasx"), PLAIN)
def test_no_field_of_a_ticket_is_taken_for_another_kind(name: str, value: object) -> None:
    """A ticket or the one error."""
    plain = to_plain(ticket_of(session())) | {name: value}
    with contextlib.suppress(ValueError):
        assert isinstance(from_plain(plain), Ticket)


@pytest.mark.parametrize("known", [Known.GONE, Known.AWAY])
def test_a_husk_has_what_ends_a_session_and_nothing_else(known: Known) -> None:
    """Its names and positions, for the revocation log; no rights."""
    one = session(refresh_token="r", access_token="a")
    rest = husk(ticket_of(one), known)

    assert (rest.sid, rest.log_id, rest.login_at, rest.seen) == (one.sid, one.log_id, one.login_at, one.seen)
    assert rest.aliases == ("sub:https://idp|s-1",)
    assert (rest.principal.groups, rest.refresh_token, rest.access_token) == ((), None, None)
    assert rest.known is known
    assert life(rest, SessionLimits(1_800, 43_200), NOW).value == "fresh"
