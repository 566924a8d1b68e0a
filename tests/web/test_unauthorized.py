"""401: for programs, for forms, and the way to sign in."""

from __future__ import annotations

import json
import re

import pytest

from gateway.web.unauthorized import SIGNING_OUT, Unauthorized
from tests.fakes.deciding import HERE, facts

MADE = Unauthorized(HERE, "/oauth2")


def test_programs_hear_why_and_where_to_sign_in() -> None:
    """While a sign-out is under way there is nowhere to go yet."""
    expired = json.loads(MADE.program("idle_expired").body)
    assert (expired["code"], expired["reason"]) == ("login_required", "idle_expired")
    assert expired["login_url"] == f"{HERE}/oauth2/start"
    leaving = json.loads(MADE.program(SIGNING_OUT).body)
    assert leaving["code"] == "logout_in_progress"
    assert leaving.keys().isdisjoint({"login_url", "reason"})


def test_each_has_a_challenge_and_what_it_is_given() -> None:
    """RFC 9110 section 11.6.1; cookies and further headers are of one answer, not of the next."""
    first = MADE.program("revoked", ("a=b",), (("X-Gateway-Reason", "login_required"),))
    assert (first.headers["Set-Cookie"], first.headers["X-Gateway-Reason"]) == ("a=b", "login_required")
    again = MADE.program("revoked")
    assert {"Set-Cookie", "X-Gateway-Reason"}.isdisjoint(again.headers)
    for answer in (first, again, MADE.form("revoked"), MADE.form(SIGNING_OUT)):
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Session realm="gateway"')


def test_p09_no_challenge_pops_up_a_dialog() -> None:
    """It is of no scheme that a browser knows, and the only one."""
    for answer in (MADE.program("revoked"), MADE.form("revoked")):
        (challenge,) = answer.headers.getall("WWW-Authenticate")
        assert not re.match("(?i)basic|digest|negotiate|ntlm", challenge)


@pytest.mark.parametrize(
    ("target", "leads"),
    [("/reports/3?q=1", "/reports/3%3Fq%3D1"), ("/logout", "/"), ("/" + "a" * 20_000, "/")],
)
def test_sign_in_leads_back_where_that_is_possible(target: str, leads: str) -> None:
    """Never to an endpoint of ours, and not to what is too long to keep."""
    assert MADE.sign_in(facts(target)) == f"/oauth2/start?rd={leads}"
