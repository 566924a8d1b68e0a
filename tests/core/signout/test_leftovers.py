"""Cookies of a predecessor (protocol facts A.13, rule R17)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.signout.leftovers import MOST, expired

HOST = "app.example.com"


def told(lines: list[str]) -> set[tuple[str, str]]:
    """(name, domain) of what a browser is told to remove."""
    parts = [[part.strip() for part in line.split(";")] for line in lines]
    return {
        (pair.partition("=")[0], next((a.partition("=")[2] for a in rest if a.startswith("Domain=")), ""))
        for pair, *rest in parts
        if pair.endswith("=") and {"Path=/", "Max-Age=0"} <= set(rest)
    }


def test_a_name_is_expired_for_every_domain_that_can_have_set_it() -> None:
    """Whether it was set with a Domain no request tells, and without the same one browsers keep it."""
    assert told(expired(["_oauth2_proxy"], HOST, [])) == {
        ("_oauth2_proxy", ""),
        ("_oauth2_proxy", "app.example.com"),
        ("_oauth2_proxy", "example.com"),
    }


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_host_without_parents_names_none(host: str) -> None:
    """A Domain there is refused by browsers, and the line with it."""
    assert told(expired(["old"], host, [])) == {("old", "")}


def test_a_host_cookie_has_no_domain() -> None:
    """Browsers refuse ``__Host-`` with one."""
    assert told(expired(["__Host-old"], HOST, [])) == {("__Host-old", "")}


def test_shards_are_those_that_the_browser_has_sent() -> None:
    """How many there are only the request says; others whose name begins otherwise stay."""
    sent = [
        b"AWSELBAuthSessionCookie-0=a; AWSELBAuthSessionCookie-1=b; theme=dark",
        b"AWSELBAuthSessionCookie-2=c",
    ]
    names = {name for name, _ in told(expired(["AWSELBAuthSessionCookie-*"], HOST, sent))}
    assert names == {f"AWSELBAuthSessionCookie-{n}" for n in range(3)}
    assert expired(["AWSELBAuthSessionCookie-*"], HOST, []) == []


def test_r17_only_exact_bytes_are_a_name() -> None:
    """A lookalike, a name that could end the line, and a cookie without a name are left alone; so are our own."""
    sent = [
        b"\xe2\x80\x80old1=x",
        b"old\r\nSet-Cookie: a=1",
        b"old(2)=x; old\x00=x; old",
        b"__Host-session_1=x; __Host-login_0123abcd=x",
    ]
    assert expired(["old*", "__Host-*"], HOST, sent) == []


def test_a_planted_crowd_makes_no_endless_answer() -> None:
    """Proxies in front refuse an answer whose headers are too large, and then nobody could sign out."""
    sent = ["; ".join(f"old{n}=x" for n in range(250)).encode()]
    assert len(told(expired(["old*"], HOST, sent))) == 3 * MOST


@given(st.lists(st.binary(max_size=120), max_size=4))
def test_whatever_is_sent_the_lines_are_headers(sent: list[bytes]) -> None:
    """Nothing of a request can end a line or add an attribute."""
    for line in expired(["a*", "*b", "c"], HOST, sent):
        assert line.isprintable()
        assert line.isascii()
        assert line.count(";") <= 6
