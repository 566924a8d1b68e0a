"""The session's life and its sealed form (rules R6 and R16, pain P24)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.session.session import (
    FORMAT,
    Life,
    Principal,
    Session,
    SessionLimits,
    absolute_deadline,
    cookie_plain,
    life,
    touched,
)

NOW = 1_700_000_000
LIMITS = SessionLimits(idle=1_800, absolute=43_200)


def session(**changes: Any) -> Session:
    principal = Principal(
        issuer="https://idp.example.com",
        subject="s-1",
        user="alice",
        email="alice@example.com",
        groups=("admins", "staff"),
        preferred_username="al",
        claims={"department": "x"},
        acr="mfa",
        auth_time=NOW - 5,
    )
    made = Session(
        sid="sid",
        log_id="log",
        principal=principal,
        aliases=("sub:https://idp.example.com|s-1", "email:alice@example.com"),
        login_at=NOW,
        seen=7,
        idle_until=NOW + 1_800,
        absolute_until=NOW + 43_200,
        generation=2,
        refresh_token="refresh-secret",
    )
    return replace(made, **changes)


def test_r18_a_hint_is_kept_with_the_session_but_never_in_its_cookie() -> None:
    """An ID token must not travel with every request; nor is it printed."""
    with_hint = session(hint="the.id.token")
    assert cookie_plain(with_hint) == cookie_plain(session()) == FORMAT.plain(session())
    assert FORMAT.read(FORMAT.plain(with_hint)) == with_hint
    assert "the.id.token" not in repr(with_hint)


def test_tokens_are_not_in_what_is_printed() -> None:
    """They are in no repr, so in no log."""
    assert "secret" not in repr(session(access_token="access-secret"))


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (NOW, Life.FRESH),
        (NOW + 1_799, Life.FRESH),
        (NOW + 1_800, Life.IDLE_EXPIRED),
        (NOW + 43_199, Life.IDLE_EXPIRED),
        (NOW + 43_200, Life.ABSOLUTE_EXPIRED),
    ],
)
def test_where_a_session_stands(at: int, expected: Life) -> None:
    """A deadline is over in its very second; the absolute one is named first."""
    assert life(session(), LIMITS, at) is expected


def test_r06_a_shorter_configuration_counts_at_once() -> None:
    """The deadline is the earlier of the sealed one and login plus what the configuration says today."""
    assert absolute_deadline(session(), SessionLimits(idle=60, absolute=600)) == NOW + 600
    assert absolute_deadline(session(), SessionLimits(idle=60, absolute=999_999)) == NOW + 43_200
    assert (
        life(session(idle_until=NOW + 5_000), SessionLimits(1_800, 600), NOW + 600) is Life.ABSOLUTE_EXPIRED
    )


def test_p24_activity_moves_the_idle_deadline_only() -> None:
    """After some time a request moves ``idle_until``; login, position, id and absolute deadline never move (rule R6)."""
    moved = touched(session(), LIMITS, NOW + 900)
    assert moved == session(idle_until=NOW + 900 + 1_800)


def test_p24_the_absolute_deadline_holds_against_any_activity() -> None:
    """The idle deadline never passes the absolute one."""
    late = session(idle_until=NOW + 42_000)
    moved = touched(late, LIMITS, NOW + 41_999)
    assert moved is not None
    assert moved.idle_until == NOW + 43_200
    assert touched(moved, LIMITS, NOW + 43_100) is None


def test_r16_a_recent_cookie_is_not_sealed_anew() -> None:
    """Within ``seal_every`` of the last sealing activity costs no Set-Cookie."""
    assert touched(session(), LIMITS, NOW + LIMITS.seal_every - 1) is None
    assert touched(session(), LIMITS, NOW + LIMITS.seal_every) is not None


@given(st.lists(st.integers(min_value=0, max_value=4_000), max_size=40))
def test_p24_no_activity_outlives_the_absolute_deadline(pauses: list[int]) -> None:
    """Whatever the rhythm of requests, a session dies at its absolute deadline, or at the first long pause."""
    current, now = session(), NOW
    for pause in pauses:
        now += pause
        if life(current, LIMITS, now) is not Life.FRESH:
            return
        current = touched(current, LIMITS, now) or current
        assert current.idle_until <= NOW + 43_200
        assert current.idle_until > now
    assert now < NOW + 43_200
