"""The gateway's own cookies (rules R17, R18, R33; pains P10 and P23)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import dice
from gateway.core.http import own_cookies
from gateway.core.http.own_cookies import MAX_PIECES, NO_COOKIES, SESSION, OwnCookies, is_own_cookie, read
from gateway.core.session.attempt import FORMAT as ATTEMPT
from gateway.core.session.attempt import Attempt
from gateway.core.session.cookies import (
    PIECE,
    CookieTooLargeError,
    SealedCookie,
    attempt_cookie,
    hint_cookie,
    logout_cookie,
    session_cookie,
    ticket_cookie,
)
from gateway.core.session.sealing import Deployment, Failure, KeyRing, Opened, SealingKey
from gateway.core.signout import chain as chains
from gateway.core.signout.chain import Chain, HopState, Interrupted

NOW = 1_700_000_000
RING = KeyRing([SealingKey.of(b"k" * 31 + b"1")], now=0)
HERE = Deployment("https://app.example.com", "https://idp.example.com", "client")
ATTRIBUTES = {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"}
WIDE = SealedCookie(SESSION, "session", 60, budget=20_000, pieces=MAX_PIECES)


def sent(lines: list[str], jar: dict[str, str] | None = None) -> dict[str, str]:
    """A browser's jar after these Set-Cookie values."""
    jar = dict(jar or {})
    for line in lines:
        name, _, value = line.partition(";")[0].partition("=")
        jar.pop(name, None)
        if "Max-Age=0" not in line:
            jar[name] = value
    return jar


def header(jar: dict[str, str]) -> OwnCookies:
    return read(["; ".join(f"{name}={value}" for name, value in jar.items()).encode()])


def plain_of(length: int) -> dict[str, str]:
    """A plain text whose cookie is some ``length`` bytes long and 60 more: random text does not compress."""
    return {"a": dice.token(length * 3 // 4)}


@pytest.mark.parametrize("cookie", [session_cookie(60), attempt_cookie("0123abcd"), logout_cookie(60)])
def test_cve_2025_55162_every_deletion_repeats_the_attributes(cookie: SealedCookie) -> None:
    """Clearing names every piece there can be, with the very attributes of setting, or browsers keep it."""
    made = cookie.set({"a": 1}, RING, HERE, now=NOW, carried=NO_COOKIES)
    cleared = cookie.clear()
    for line in (*made, *cleared):
        pair, *attributes = line.split("; ")
        assert set(attributes) >= ATTRIBUTES
        assert len(attributes) == len(ATTRIBUTES) + 1
        assert "Domain" not in line
        assert pair.startswith("__Host-")
    assert sent(cleared, sent(made)) == {}
    assert {line.partition("=")[0] for line in cleared} == set(cookie.names())


def test_p23_logout_expires_every_piece_there_can_be() -> None:
    """The bare name and all numbered ones, whatever this version writes."""
    assert session_cookie(60).names() == [SESSION, *(f"{SESSION}_{n}" for n in range(1, MAX_PIECES + 1))]


@pytest.mark.parametrize("length", [4, 500, *range(3_680, 3_760, 8), 4_000, 5_000])
def test_what_is_set_is_read_back(length: int) -> None:
    """Through one piece and two, and every length near the border."""
    plain = plain_of(length)
    jar = sent(session_cookie(60).set(plain, RING, HERE, now=NOW, carried=NO_COOKIES))
    assert session_cookie(60).open(header(jar), RING, HERE, now=NOW) == Opened(plain, outdated=False)
    assert all(len(name) + len(value) <= PIECE for name, value in jar.items())
    assert (SESSION in jar) == (len(jar) == 1)


ROOM = PIECE - len(SESSION) - 2
BORDERS = [PIECE - len(SESSION), *(ROOM * count for count in range(1, MAX_PIECES + 1))]


@pytest.mark.parametrize("length", [border + more for border in BORDERS for more in (-1, 0, 1)])
def test_the_cut_at_every_exact_multiple(length: int) -> None:
    """At, before and behind every border nothing is lost, no piece is empty and none is too long."""
    value = "".join(chr(ord("a") + at % 26) for at in range(length))
    pieces = WIDE._cut(value)
    assert "".join(pieces.values()) == value
    assert all(len(piece) > 0 and len(name) + len(piece) <= PIECE for name, piece in pieces.items())
    if len(pieces) <= MAX_PIECES:
        assert WIDE.value(header(pieces)) == value.encode()


def test_r33_a_value_beyond_its_budget_is_refused() -> None:
    """The session has 5,500 bytes, an attempt 2,048 at the most; the error says how much was needed."""
    with pytest.raises(CookieTooLargeError) as refused:
        session_cookie(60).set(plain_of(6_000), RING, HERE, now=NOW, carried=NO_COOKIES)
    assert refused.value.needed > refused.value.budget == 5_500
    with pytest.raises(CookieTooLargeError):
        attempt_cookie("0123abcd").set(plain_of(2_000), RING, HERE, now=NOW, carried=NO_COOKIES)


def test_p23_leftover_pieces_are_no_session_and_go_with_the_next_sign_in() -> None:
    """One piece beside numbered ones could be either session, so it is none; setting expires what is carried."""
    small = sent(session_cookie(60).set(plain_of(10), RING, HERE, now=NOW, carried=NO_COOKIES))
    large = sent(session_cookie(60).set(plain_of(4_800), RING, HERE, now=NOW, carried=NO_COOKIES))
    mixed = {**small, **large}
    assert session_cookie(60).value(header(mixed)) is None
    again = session_cookie(60).set(plain_of(10), RING, HERE, now=NOW, carried=header(mixed))
    assert set(sent(again, mixed)) == {SESSION}
    back = session_cookie(60).set(plain_of(4_800), RING, HERE, now=NOW, carried=header(small))
    assert set(sent(back, small)) == set(large)


def test_p23_parallel_answers_at_the_border_leave_one_form() -> None:
    """Whichever of two answers comes last, one in one piece and one in two, the browser has a whole session."""
    cookie, seen = session_cookie(60), set[int]()
    for length in range(3_600, 3_760, 2):
        plain = plain_of(length)
        for first, second in ((plain, {**plain, "b": "xy"}), ({**plain, "b": "xy"}, plain)):
            jar = sent(cookie.set(first, RING, HERE, now=NOW, carried=NO_COOKIES))
            jar = sent(cookie.set(second, RING, HERE, now=NOW, carried=NO_COOKIES), jar)
            assert cookie.open(header(jar), RING, HERE, now=NOW) == Opened(second, outdated=False)
            seen.add(len(jar))
    assert seen == {1, 2}


@pytest.mark.parametrize("missing", ["__Host-session_1", "__Host-session_2"])
def test_half_a_session_is_none(missing: str) -> None:
    """A lost piece is no session, and never an exception."""
    jar = sent(session_cookie(60).set(plain_of(4_800), RING, HERE, now=NOW, carried=NO_COOKIES))
    del jar[missing]
    assert not isinstance(session_cookie(60).open(header(jar), RING, HERE, now=NOW), Opened)


def test_pieces_in_another_order_do_not_open() -> None:
    """Each piece has its place."""
    jar = sent(session_cookie(60).set(plain_of(4_800), RING, HERE, now=NOW, carried=NO_COOKIES))
    swapped = {"__Host-session_1": jar["__Host-session_2"], "__Host-session_2": jar["__Host-session_1"]}
    assert session_cookie(60).open(header(swapped), RING, HERE, now=NOW) in {Failure.FORGED, Failure.UNKNOWN_KEY, Failure.MALFORMED}  # fmt: skip


def test_cve_2024_24814_no_count_comes_from_the_browser() -> None:
    """A million announced pieces cost nothing: only names that we could have set are looked for."""
    own = read([b"__Host-session_1=a; __Host-session_1000000=b; __Host-session_chunks=99999999"])
    assert session_cookie(60).value(own) == b"a"


def test_one_cookie_never_stands_in_for_another() -> None:
    """The name is in the seal: a chain's value under the session's name is a forgery."""
    jar = sent(logout_cookie(60).set({"a": 1}, RING, HERE, now=NOW, carried=NO_COOKIES))
    value = jar["__Host-logout"]
    for name, cookie in (
        (SESSION, session_cookie(60)),
        ("__Host-login_0123abcd", attempt_cookie("0123abcd")),
    ):
        assert cookie.open(header({name: value}), RING, HERE, now=NOW) is Failure.FORGED


@given(st.binary(max_size=60))
def test_a_value_that_is_no_base64_is_malformed_or_forged(value: bytes) -> None:
    """Any bytes for a value give a failure, never an exception."""
    opened = session_cookie(60).open(OwnCookies({SESSION.encode(): value}), RING, HERE, now=NOW)
    assert isinstance(opened, Failure)


def test_the_value_is_fit_for_a_cookie() -> None:
    """Base64url without padding: no quoting, nothing that a proxy would change."""
    (line,) = session_cookie(60).set({"a": "é"}, RING, HERE, now=NOW, carried=NO_COOKIES)
    value = line.partition(";")[0].partition("=")[2]
    assert base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    assert "=" not in value
    assert own_cookies.SESSION == "__Host-session"


def test_the_longest_chain_fits_its_cookie() -> None:
    """Every hop there is, each with a long reason: a sign-out must not end on an error for that."""
    kinds = ("cognito", "okta_signout", "oidc", "keycloak", "entra", "auth0", "google", "url")
    reason = "%s could not be asked where to sign out; only this application's session was ended"
    names = [
        hashlib.sha256(kind.encode()).hexdigest()[:40] for kind in kinds
    ]  # compresses worse than any label
    hops = tuple(
        HopState(kind, "skipped", NOW + n, reason % name, 2)
        for n, (kind, name) in enumerate(zip(kinds, names, strict=True))
    )
    chain = Chain(
        NOW, hops, 8, NOW + 30, "a-target", NOW + 9, nonce="n" * 16, log_id="l" * 22, sid=names[0][:22],
        reason="user_lifecycle_deactivate", interrupted=Interrupted("0123abcd", "/" + "".join(names)[:299], True),
    )  # fmt: skip
    assert logout_cookie(60).set(chains.FORMAT.plain(chain), RING, HERE, now=NOW, carried=NO_COOKIES)


@pytest.mark.parametrize(
    ("all_own", "budget", "pieces"), [(7_000, 5_500, 2), (2_500, 1_000, 1), (99_000, 15_200, 4)]
)
def test_r33_the_session_has_what_the_attempts_leave(all_own: int, budget: int, pieces: int) -> None:
    """Of the bytes for all own cookies the session gets what five attempts leave, in as many pieces as that needs."""
    cookie = session_cookie(60, all_own)
    assert (cookie.budget, cookie.pieces) == (budget, pieces)


def test_r33_a_chain_fits_whoever_signs_out() -> None:
    """Its receipt names them; the longest names there can be, which do not compress, must not stop a sign-out."""
    hops = [f"hop{n}" for n in range(8)]
    chain = chains.begin(
        hops, chains.ChainLimits(30, 120), now=NOW, nonce=dice.token(12), sid=dice.token(16)
    ).chain
    settled = [replace(hop, status="returned", at=NOW, evidence=f"your browser came back from {hop.name}")
               for hop in chain.hops]  # fmt: skip
    who = ("0a1b2c3d4e5f", dice.token(192)[:255], dice.token(192)[:255])
    chain = replace(chain, hops=tuple(settled), log_id=dice.token(16), position=1 << 40, who=who)
    lines = logout_cookie(60).set(chains.FORMAT.plain(chain), RING, HERE, now=NOW, carried=NO_COOKIES)
    assert len(lines) == 1


def test_r18_only_the_logout_sees_the_hint() -> None:
    """It may be large, and no other request has to carry it: a name that a path of its own is allowed with."""
    lines = hint_cookie(60, budget=300).set({"h": "x"}, RING, HERE, now=NOW, carried=NO_COOKIES)
    (line,) = lines
    assert line.startswith("__Secure-session-hint=")
    assert {"Path=/logout", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=60"} <= set(line.split("; "))
    with pytest.raises(CookieTooLargeError):
        hint_cookie(60, budget=300).set(plain_of(400), RING, HERE, now=NOW, carried=NO_COOKIES)


OWN = (
    partial(session_cookie, 60), partial(ticket_cookie, 60), partial(attempt_cookie, "0123abcd"), partial(logout_cookie, 60),
    partial(hint_cookie, 60, 300),
)  # fmt: skip


@pytest.mark.parametrize("made", OWN)
def test_deployments_on_one_host_name_have_cookies_of_their_own(made: Callable[..., SealedCookie]) -> None:
    """No name of one is one of another's, so none is read, set, or cleared by it; nor does its content open there."""
    blue, green, plain = made(suffix="blue"), made(suffix="green"), made()
    names = [set(cookie.names()) for cookie in (blue, green, plain)]
    assert len(set().union(*names)) == sum(map(len, names))
    assert all(is_own_cookie(name.encode()) for each in names for name in each)
    (line,) = blue.set({"a": 1}, RING, HERE, now=NOW, carried=NO_COOKIES)
    kept = line.partition(";")[0].encode()
    assert blue.open(read([kept], "blue"), RING, HERE, now=NOW) == Opened({"a": 1}, outdated=False)
    for other in ("green", ""):
        assert read([kept], other) == NO_COOKIES
    moved = kept.replace(b"--blue", b"--green")
    assert not isinstance(green.open(read([moved], "green"), RING, HERE, now=NOW), Opened)
    assert {line.partition("=")[0] for line in blue.clear()} == names[0]


def test_the_longest_suffix_leaves_room_for_every_attempt() -> None:
    """The budget of an attempt counts its name too (rule R33): whatever else is in one, without its way back it fits."""
    long = 2_000_000_000
    fullest = Attempt(
        dice.token(16), long, "", long, long, restarted=True, finished=long, landed=True, led=True, seen=long, log="abcdef",
        prompt="select_account", max_age=0,
    )  # fmt: skip
    cookie = attempt_cookie(fullest.attempt_id, suffix="a" * 16)
    assert len(cookie.set(ATTEMPT.plain(fullest), RING, HERE, now=NOW, carried=NO_COOKIES)) == 1
