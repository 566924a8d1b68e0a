"""The gateway's own cookies in a request, told from all others (rule R17; pains P10 and P23)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.http.own_cookies import (
    MAX_COOKIES,
    NO_COOKIES,
    SESSION,
    is_own_cookie,
    read,
    strip_own_cookies,
)
from gateway.core.session.cookies import session_cookie


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_cve_2026_25748_the_parser_never_raises(headers: list[bytes]) -> None:
    """Whatever bytes come, reading and stripping give an answer, and nothing of ours is left after stripping."""
    read(headers)
    for value in headers:
        left = strip_own_cookies(value)
        assert read([left]).values == {}


@given(
    st.lists(
        st.sampled_from([b"__Host-session=", b"a=b", b";", b" ", b"\t", b"=", b"__Host-session_1=x", b'"']),
        max_size=12,
    )
)
def test_stripping_leaves_nothing_of_ours(parts: list[bytes]) -> None:
    """However our names are arranged among others', none passes to the upstream."""
    assert read([strip_own_cookies(b"".join(parts))]).values == {}


@pytest.mark.parametrize(
    "pair",
    [
        "\u2000__Host-session=x", "\u00a0__Host-session=x", "\x0b__Host-session=x", "\x0c__Host-session=x",
        "\ufeff__Host-session=x", "__host-session=x", "__HOST-SESSION=x", '"__Host-session"=x', "__Host-session\x00=x",
        "__Host-sessio\u212a=x", "=__Host-session=x", "$__Host-session=x", "__Host-session\u2000=x", "__Host-session",
        "\x85__Host-session=x", "\r\n__Host-session=x", "__Host-session,=x", "x__Host-session=x",
    ],
)  # fmt: skip
def test_r17_only_the_exact_name_is_ours(pair: str) -> None:
    """A name that a forgiving parser would take for ours is not ours: bytes are compared, only SP and HTAB trimmed."""
    assert read([pair.encode()]).get(SESSION) is None
    assert read([f"a=b; {pair}; c=d".encode()]).get(SESSION) is None


@pytest.mark.parametrize(
    "text", [b"__Host-session=x", b" \t__Host-session \t=\t x ", b"a=b;__Host-session=x;c"]
)
def test_r17_space_and_tab_are_trimmed(text: bytes) -> None:
    """Optional white space of RFC 6265 around name and value does not count."""
    assert read([text]).get(SESSION) == b"x"


def test_cookies_of_several_header_lines_belong_together() -> None:
    """HTTP/2 splits the Cookie header; every line is read."""
    assert read([b"__Host-session_1=a", b"b=c; __Host-session_2=d"]).values == {
        b"__Host-session_1": b"a",
        b"__Host-session_2": b"d",
    }


def test_cve_2026_47774_more_cookies_than_a_browser_keeps_are_not_read() -> None:
    """Beyond 300 pairs nothing is taken for ours; the count is bounded before anything is opened."""
    crumbs = [b"__a=b"] * (MAX_COOKIES - 1)
    assert read([b"__Host-session=x", *crumbs]).get(SESSION) == b"x"
    assert read([b"__Host-session=x", *crumbs, b"__a=b"]) is NO_COOKIES


def test_p23_a_name_that_comes_twice_counts_for_nothing() -> None:
    """Two different values of one name are no session; the same value twice is one."""
    own = read([b"__Host-session=a; __Host-session=b; __Host-logout=c"])
    assert own.conflicting == {b"__Host-session"}
    assert session_cookie(60).value(own) is None
    assert own.get("__Host-logout") == b"c"
    assert read([b"__Host-session=a; __Host-session=a"]).get(SESSION) == b"a"


def test_only_attempts_with_a_proper_id_are_listed() -> None:
    """Eight hex digits and nothing else, so that no name out of a request is ever written back into a response."""
    own = read(
        [b"__Host-login_0123abcd=x; __Host-login_zz=x; __Host-login_0123ABCD=x; __Host-login_=x",
         b"__Host-login_feedf00d=1; __Host-login_feedf00d=2; __Host-login_0123abcd9=x"]
    )  # fmt: skip
    assert sorted(own.attempts()) == ["0123abcd", "feedf00d"]


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("__Host-session", True), ("__Host-session_1", True), ("__Host-session_99", True), ("__Host-session_", False),
        ("__Host-session_x", False), ("__Host-login_x", True), ("__Host-logout", True), ("__Secure-session-hint", True),
        ("__Host-sessions", False), ("session", False), ("", False),
    ],
)  # fmt: skip
def test_which_names_are_ours(name: str, own: bool) -> None:
    """Every name we ever set is ours in both directions, and no other."""
    assert is_own_cookie(name.encode()) is own


def test_other_cookies_pass_byte_for_byte() -> None:
    """Only our pairs are cut out; what is left is as it came."""
    text = b'a="x y"; __Host-session=1;b=\xff; __Host-login_1=2; c'
    assert strip_own_cookies(text) == b'a="x y";b=\xff; c'
    assert strip_own_cookies(b"a=1;  b=2") == b"a=1;  b=2"
    assert strip_own_cookies(b"__Host-session=1") == b""


@pytest.mark.parametrize("suffix", ["", "blue", "b2"])
def test_a_deployment_reads_the_cookies_with_its_suffix_alone(suffix: str) -> None:
    """And keeps those of all from applications, for whoever has one of them is that user there."""
    bases = (
        "__Host-session",
        "__Host-session_1",
        "__Host-login_0123abcd",
        "__Host-logout",
        "__Secure-session-hint",
    )
    names = {
        mark: [re.sub(r"(_[0-9a-f]+)?$", f"--{mark}\\1" if mark else "\\1", name, count=1) for name in bases]
        for mark in ("", "blue", "b2")
    }
    header = "; ".join(f"{name}=x" for each in names.values() for name in each).encode()
    own = read([header], suffix)
    assert sorted(own.values) == sorted(name.encode() for name in names[suffix])
    assert own.attempts() == ["0123abcd"]
    assert strip_own_cookies(b"theme=dark; " + header + b"; lang=de") == b"theme=dark; lang=de"


@pytest.mark.parametrize(
    "name",
    ["__Host-session-id", "__Host-session.sig", "__Host-session--", "__Host-session--Blue", "__Host-session--a-b", "__Host-login--blue",
     "__Host-logout-at", "__Host-logout--a_1"],
)  # fmt: skip
def test_cookies_of_applications_that_sound_like_ours_pass(name: str) -> None:
    """Two dashes and a suffix, or they are nobody's."""
    assert not is_own_cookie(name.encode())
