"""The cookie with what names a sign-in to its provider (rules R18 and R33)."""

from __future__ import annotations

import hashlib

import pytest

from gateway.core.http import own_cookies
from gateway.core.http.own_cookies import NO_COOKIES, OwnCookies
from gateway.core.session import cookies
from gateway.core.session.cookies import PIECE
from gateway.core.session.sealing import Deployment, KeyRing, SealingKey
from gateway.core.session.session import Principal, Session, SessionLimits
from gateway.web.session.session import Sessions
from gateway.web.signout.hint import Hints

NOW = 1_800_000_000
TOKEN = "header." + "x1Y" * 400 + ".signature"


def kept_in(deployment: str = "https://app.example.com", wanted: str = "id_token") -> Hints:
    ring = KeyRing([SealingKey.of(bytes(range(32)))], now=NOW)
    where = Deployment(deployment, "https://id.example.com", "client")
    return Hints(Sessions(ring, where, SessionLimits(1_800, 43_200)), wanted)


def carried(lines: list[str]) -> OwnCookies:
    """What the browser sends to /logout afterwards."""
    return own_cookies.read([line.partition(";")[0].encode() for line in lines])


def session_with(hint: str | None) -> Session:
    who = Principal("https://id.example.com", "s-1", "alice")
    return Session("sid-1", "log", who, (), NOW, 0, NOW + 1_800, NOW + 43_200, generation=1, hint=hint)


def session_of(size: int) -> list[str]:
    """A session's answer; ``size`` is bytes of name and value."""
    name = "__Host-session"
    return [f"{name}={'s' * (size - len(name))}; Path=/; Max-Age=43200"]


def test_r18_the_hint_goes_to_the_logout_and_nowhere_else() -> None:
    """Its name says that it has a path; Secure, HttpOnly, Lax, as long as the session."""
    (line,) = kept_in().keep(TOKEN, "sid-1", session_of(900), NO_COOKIES, NOW)
    name, _, rest = line.partition("=")
    assert name == "__Secure-session-hint"
    assert rest.partition("; ")[2] == "Path=/logout; Secure; HttpOnly; SameSite=Lax; Max-Age=43200"
    assert kept_in().clear() == [
        "__Secure-session-hint=; Path=/logout; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
    ]


def test_r18_a_hint_of_another_session_is_none() -> None:
    """A sibling site can plant the cookie of its own sign-in; the provider would then keep this one."""
    hints = kept_in()
    own = carried(hints.keep(TOKEN, "sid-1", session_of(900), NO_COOKIES, NOW))
    assert hints.of("sid-1", own, NOW) == TOKEN
    assert hints.of("sid-2", own, NOW) is None
    assert hints.of("", own, NOW) is None


@pytest.mark.parametrize("value", [b"", b"x", b"AAAA" * 40, b"\xff\xfe"])
def test_what_does_not_open_is_no_hint(value: bytes) -> None:
    """Garbage, another deployment's, and one that came twice."""
    assert kept_in().of("sid-1", OwnCookies({b"__Secure-session-hint": value}), NOW) is None
    staging = carried(kept_in("https://staging.example.com").keep(TOKEN, "sid-1", [], NO_COOKIES, NOW))
    assert kept_in().of("sid-1", staging, NOW) is None
    mine = kept_in().keep(TOKEN, "sid-1", [], NO_COOKIES, NOW)[0].partition(";")[0].encode()
    assert kept_in().of("sid-1", own_cookies.read([mine, b"__Secure-session-hint=x"]), NOW) is None


def test_r33_the_hint_fits_beside_the_session_or_is_not_kept() -> None:
    """All own cookies together stay within 7,000 bytes, five attempts among them; another's hint goes then."""
    hints = kept_in()
    (line,) = hints.keep(TOKEN, "sid-1", [], NO_COOKIES, NOW)
    size = line.index(";") - 1
    room = 7_000 - cookies.ATTEMPTS_TOGETHER - size
    assert hints.keep(TOKEN, "sid-1", session_of(room), NO_COOKIES, NOW)[0].index(";") - 1 == size
    assert hints.keep(TOKEN, "sid-1", session_of(room + 1), NO_COOKIES, NOW) == hints.clear()
    incompressible = "".join(hashlib.sha256(b"%d" % n).hexdigest() for n in range(2 * PIECE // 32))
    assert hints.keep(incompressible, "sid-1", [], NO_COOKIES, NOW) == hints.clear()


def test_pieces_that_expire_take_no_room() -> None:
    """The session's answer may expire older pieces of it."""
    hints = kept_in()
    expired = [f"__Host-session_{n}={'z' * 9_000}; Path=/; Max-Age=0" for n in (1, 2)]
    assert "Max-Age=43200" in hints.keep(TOKEN, "sid-1", expired, NO_COOKIES, NOW)[0]


def test_a_renewed_hint_takes_the_place_of_the_one_before_where_it_fits() -> None:
    """The one before may still do; expired it would not. A generation without one changes nothing."""
    hints = kept_in()
    old = session_with(None)
    assert hints.renew(old, [], NO_COOKIES, NOW) == []
    newer = carried(hints.renew(session_with(TOKEN), session_of(900), NO_COOKIES, NOW))
    assert hints.of("sid-1", newer, NOW) == TOKEN
    incompressible = "".join(hashlib.sha256(b"%d" % n).hexdigest() for n in range(2 * PIECE // 32))
    assert hints.renew(session_with(incompressible), [], NO_COOKIES, NOW) == []
    assert kept_in(wanted="").renew(session_with(TOKEN), [], NO_COOKIES, NOW) == []


def test_without_a_hop_that_needs_it_nothing_is_kept_or_cleared() -> None:
    """Cognito's chain has no such cookie at all."""
    hints = kept_in(wanted="")
    assert hints.keep(TOKEN, "sid-1", [], NO_COOKIES, NOW) == []
    assert hints.clear() == []
    assert hints.of("sid-1", carried(kept_in().keep(TOKEN, "sid-1", [], NO_COOKIES, NOW)), NOW) is None


def test_a_provider_that_gave_none_leaves_none_of_before() -> None:
    """A new sign-in without the claim expires what the last one left."""
    assert kept_in(wanted="login_hint").keep(None, "sid-2", [], NO_COOKIES, NOW) == kept_in().clear()
