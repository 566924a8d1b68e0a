"""The session's stage: what cookies say, what is remembered of it, when a new one is made."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.http.own_cookies import NO_COOKIES
from gateway.core.session.sealing import PROMOTE_AFTER, Deployment, KeyRing, SealingKey
from gateway.core.session.session import Principal, Session, SessionLimits
from gateway.core.session.sign_in import Sighting
from gateway.core.signout import chain as chains
from gateway.core.signout.chain import ChainLimits
from gateway.web.session.session import HEADERS, LONGEST_HEADER, NOTHING, Sessions
from gateway.web.session.sightings import Sightings

NOW = 1_700_000_000
LIMITS = SessionLimits(idle=1_800, absolute=43_200)
HERE = Deployment("https://app.example.com", "https://idp", "client")
FIRST, SECOND = (SealingKey.of(bytes([n]) * 31 + b"k") for n in range(2))


def sessions(deployment: Deployment = HERE, sightings: Sightings | None = None) -> Sessions:
    return Sessions(KeyRing([FIRST], now=NOW - PROMOTE_AFTER), deployment, LIMITS, sightings=sightings)


def session(**claims: object) -> Session:
    principal = Principal("https://idp", "s-1", "alice", claims=claims)
    return Session("sid-1", "log", principal, ("sub:https://idp|s-1",), NOW, 5, NOW + 1_800, NOW + 43_200)


def header(*lines: str) -> tuple[bytes, ...]:
    """The Cookie header of a browser that took these Set-Cookie values."""
    return ("; ".join(line.partition(";")[0] for line in lines if "Max-Age=0" not in line).encode(),)


def test_what_was_sealed_is_read() -> None:
    """Session and chain come back from one header."""
    made = sessions()
    chain = chains.begin(["cognito"], ChainLimits(30, 120), now=NOW).chain
    lines = [*made.seal(session(), NO_COOKIES, NOW), *made.seal_chain(chain, NO_COOKIES, NOW)]
    carried = made.carried(header(*lines), NOW)
    assert (carried.session, carried.chain, carried.outdated) == (session(), chain, False)


def test_r26_another_deployments_cookies_say_nothing() -> None:
    """Staging's session is nothing in production."""
    lines = sessions(replace(HERE, public_url="https://staging.example.com")).seal(session(), NO_COOKIES, NOW)
    assert sessions().carried(header(*lines), NOW).session is None


@given(st.lists(st.binary(max_size=60), max_size=3))
def test_no_cookie_raises(values: list[bytes]) -> None:
    """Whatever is in the headers is read as nothing of ours."""
    headers = tuple(b"__Host-session=" + value for value in values)
    assert sessions().carried(headers, NOW).session is None


def test_sealed_data_of_another_shape_is_no_session() -> None:
    """What a later version seals under the same name is no session, and no error."""
    made = sessions()
    lines = made._session.set({"v": 99}, made.ring, HERE, now=NOW, carried=NO_COOKIES)
    lines += made._logout.set({"v": 99}, made.ring, HERE, now=NOW, carried=NO_COOKIES)
    carried = made.carried(header(*lines), NOW)
    assert (carried.session, carried.chain) == (None, None)


def test_r25_a_retired_key_is_not_remembered() -> None:
    """What a cookie said is remembered by the ring's version: replacing the keys asks anew."""
    made = sessions()
    headers = header(*made.seal(session(), NO_COOKIES, NOW))
    assert made.carried(headers, NOW).session is not None
    made.ring.replace([SECOND], now=NOW)
    assert made.carried(headers, NOW).session is None


def test_r25_a_withdrawn_key_is_not_remembered_though_another_seals() -> None:
    """Withdrawing an old key ends what it sealed, also what is remembered, and though the same key seals as before."""
    made = sessions()
    headers = header(*made.seal(session(), NO_COOKIES, NOW))
    made.ring.replace([SECOND, FIRST], now=NOW)
    later = NOW + PROMOTE_AFTER
    assert made.carried(headers, later).session == session()
    sealing = made.ring.sealing_key(later)
    made.ring.replace([SECOND], now=later)
    assert made.ring.sealing_key(later) == sealing == SECOND
    assert made.carried(headers, later).session is None


def test_only_who_has_a_session_of_ours_is_remembered() -> None:
    """Random cookies, however many and long, take no memory; neither do long headers; and there is a bound."""
    made = sessions()
    for at in range(50):
        made.carried((b"__Host-session=" + b"A" * 300 + str(at).encode(),), NOW)
    assert not made._by_header
    assert not made._by_cookies
    (value,) = header(*made.seal(session(), NO_COOKIES, NOW))
    assert made.carried((value, b"__x=" + b"a" * LONGEST_HEADER), NOW).session == session()
    assert not made._by_header
    for at in range(HEADERS + 20):
        made.carried((value, b"__x=%d" % at), NOW)
    assert not made._by_header
    for at in range(HEADERS + 20):
        for _ in range(2):
            made.carried((value, b"__x=%d" % at), NOW)
    assert HEADERS // 2 <= made._by_header.kept <= HEADERS


def test_other_peoples_cookies_cost_no_decryption() -> None:
    """An application that sets a new cookie with every answer makes the header new, and the session is known still."""
    made = sessions()
    (value,) = header(*made.seal(session(), NO_COOKIES, NOW))
    first = made.carried((value + b"; a=1",), NOW)
    assert made.carried((b"b=2; " + value,), NOW) is first
    assert len(made._by_cookies) == 1
    conflicting = made.carried((value + b"; __Host-session=x",), NOW)
    assert conflicting.session is None


def test_the_number_of_sessions_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is opened anew."""
    monkeypatch.setattr("gateway.web.session.session.SESSIONS", 4)
    made = sessions()
    for _ in range(9):
        made.carried(header(*made.seal(session(), NO_COOKIES, NOW)), NOW)
    assert 2 <= made._by_cookies.kept <= 4


def test_no_cookie_is_nothing() -> None:
    """Without a Cookie header, or without any of ours, nothing is opened."""
    assert sessions().carried((), NOW) is NOTHING
    assert sessions().carried((b"a=b",), NOW) is NOTHING


def test_p24_only_activity_renews() -> None:
    """A passive request never does, an active one when the idle deadline has moved enough; that alone is noted."""
    seen = Sightings()
    made = sessions(sightings=seen)
    carried = made.carried(header(*made.seal(session(), NO_COOKIES, NOW)), NOW)
    assert made.renewed(session(), carried, NOW + 900, active=False, client="192.0.2.1") == []
    assert made.renewed(session(), carried, NOW + 1, active=True, client="192.0.2.1") == []
    assert seen._waiting == {}
    (line,) = made.renewed(session(), carried, NOW + 900, active=True, client="192.0.2.1")
    again = made.carried(header(line), NOW + 900).session
    assert again == replace(session(), idle_until=NOW + 900 + 1_800)
    assert seen._waiting == {"sid-1": Sighting(NOW + 900, "192.0.2.1")}


def test_r26_a_replaced_key_renews_without_activity() -> None:
    """The next answer carries the same session under the new key; its deadlines stay (P19)."""
    made = sessions()
    headers = header(*made.seal(session(), NO_COOKIES, NOW))
    made.ring.replace([SECOND, FIRST], now=NOW)
    later = NOW + PROMOTE_AFTER
    assert made.renewed(session(), made.carried(headers, NOW), NOW, active=False, client="192.0.2.1") == []
    carried = made.carried(headers, later)
    assert carried.outdated
    lines = made.renewed(session(), carried, later, active=False, client="192.0.2.1")
    assert made.carried(header(*lines), later).session == session()
    assert not made.carried(header(*lines), later).outdated


def test_a_session_that_no_longer_fits_goes_on() -> None:
    """When a byte more does not fit, the cookie that the browser has is left as it is, and nothing fails."""
    made = sessions()
    carried = made.carried(header(*made.seal(session(), NO_COOKIES, NOW)), NOW)
    large = session(**{f"c{n}": hash((n, "x")) ** 3 for n in range(200)})
    assert made.renewed(large, carried, NOW + 900, active=True, client="192.0.2.1") == []


@pytest.mark.parametrize("name", ["__Host-session", "__Host-session_2"])
def test_p23_conflicting_pieces_are_cleared(name: str) -> None:
    """Any piece that came twice clears all; a conflict of another cookie does not."""
    made = sessions()
    conflicting = made.carried((f"{name}=a; {name}=b".encode(),), NOW)
    assert len(made.clear_conflicting(conflicting.cookies)) == 5
    other = made.carried((b"__Host-logout=a; __Host-logout=b",), NOW)
    assert made.clear_conflicting(other.cookies) == []


def test_r33_all_our_cookies_together_stay_below_seven_thousand_bytes() -> None:
    """The largest session there may be, five attempts and a chain of five hops with all their evidence."""
    made = sessions()
    evidence = [
        chains.HopState(f"provider_{n}", "returned", NOW + n, f"your browser came back from Provider {n}", 2)
        for n in range(5)
    ]
    chain = replace(chains.begin(["a"], ChainLimits(30, 120), now=NOW, target="start-page").chain,
                    hops=tuple(evidence), position=10**9, log_id="0123456789abcdef" * 2)  # fmt: skip
    (line,) = made.seal_chain(chain, NO_COOKIES, NOW)
    assert len(line.partition(";")[0]) + 5_500 + 5 * 300 <= 7_500
