"""One login attempt (pains P11 and P13, rule R33)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import dice
from gateway.core.session.attempt import (
    LANDS_WITHIN,
    LIFETIME,
    LOOP_LIMIT,
    LOOP_WINDOW,
    Attempt,
    expired,
    lands,
    looping,
    read_state,
    unasked,
)

NOW = 1_700_000_000
ONE = Attempt(secret="s" * 22, started=NOW, rd="/reports/3?x=1")


def test_an_attempt_lands_once_and_soon_after_it_was_finished() -> None:
    """Not while it is under way, not a second time, not after a minute."""
    assert not lands(ONE, NOW)
    finished = replace(ONE, finished=NOW)
    assert lands(finished, NOW + LANDS_WITHIN - 1)
    assert not lands(finished, NOW + LANDS_WITHIN)
    assert not lands(replace(finished, landed=True), NOW)


def test_nothing_derived_is_another_thing_derived() -> None:
    """State, nonce and verifier of 500 attempts are all different and none contains the secret (CVE-2024-10318)."""
    made = [Attempt(dice.token(16), NOW, "/") for _ in range(500)]
    values = [value for one in made for value in (one.state, one.nonce, one.code_verifier)]
    assert len(set(values)) == 1_500
    assert not any(one.secret in one.state + one.nonce + one.code_verifier for one in made)
    assert len({value[:16] for value in values}) == 1_500


def test_the_verifier_has_the_form_of_rfc_7636() -> None:
    """43 characters of the unreserved set."""
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", ONE.code_verifier)


def test_p11_the_state_names_its_cookie() -> None:
    """The id in front of the state is the cookie's, in characters that Okta takes."""
    assert read_state(ONE.state) == (ONE.state, ONE.attempt_id, False, "")
    assert ONE.attempt_id == hashlib.sha256(ONE.secret.encode()).hexdigest()[:8]
    assert re.fullmatch(r"[A-Za-z0-9._-]+", ONE.state)


def test_p11_a_restart_says_so_in_its_state() -> None:
    """A second failure knows from the state alone that there was a first."""
    again = replace(ONE, restarted=True)
    assert read_state(again.state) == (again.state, ONE.attempt_id, True, "")
    assert again.state != ONE.state


@pytest.mark.parametrize(
    "state",
    ["", "x", "0123abcd", "0123abcd.", "0123ABCD." + "a" * 22, "0123abcd." + "a" * 21, "0123abcd." + "a" * 23,
     "0123abcd." + "a" * 22 + ".", "0123abcd." + "a" * 22 + ".b!", "0123abcd." + "a" * 22 + "." + "b" * 1_025,
     "0123abcd." + "a" * 22 + "\n", "0123abcd:" + "a" * 22, " 0123abcd." + "a" * 22, "0123abcd." + "é" * 22],
)  # fmt: skip
def test_cve_2023_27496_a_state_that_is_not_ours_is_none(state: str) -> None:
    """A missing, short, long or foreign state is told apart and never raises."""
    assert read_state(state) is None


def test_p22_what_follows_the_proof_in_a_state_is_the_sealed_way_back() -> None:
    """It is told apart, and no part of what an attempt is compared with."""
    assert read_state(f"{ONE.state}.box_-9") == (ONE.state, ONE.attempt_id, False, "box_-9")


def test_an_unasked_sign_in_is_begun_once_a_minute() -> None:
    """A browser that has a restart of this minute has been led to one already."""
    again = replace(ONE, restarted=True)
    assert not unasked([], NOW)
    assert not unasked([ONE], NOW)
    assert unasked([ONE, again], NOW + LOOP_WINDOW - 1)
    assert not unasked([again], NOW + LOOP_WINDOW)


@given(st.text(max_size=40))
def test_reading_a_state_never_raises(state: str) -> None:
    """Any text is ours or not."""
    read_state(state)


def test_p11_an_attempt_lives_an_hour() -> None:
    """For whoever has to find a phone, or wait for a mail, at the provider."""
    assert LIFETIME == 3_600
    assert not expired(ONE, NOW + LIFETIME - 1)
    assert expired(ONE, NOW + LIFETIME)


def test_p13_three_finished_attempts_in_a_minute_are_a_loop() -> None:
    """Fewer are not, older ones are not, and those under way are not."""
    done = [replace(ONE, finished=NOW + at) for at in range(LOOP_LIMIT)]
    assert looping(done, NOW + LOOP_LIMIT)
    assert not looping(done[1:], NOW + LOOP_LIMIT)
    assert not looping(done, NOW + LOOP_WINDOW)
    assert not looping([ONE] * 5, NOW + 1)


def test_the_secret_is_not_in_what_is_printed() -> None:
    """No repr shows it, so no log does."""
    assert ONE.secret not in repr(ONE)
