"""Parameters of our own endpoints."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import DownstreamError
from gateway.core.http.facts import DoorRules, RequestFacts, build
from gateway.web.query import parameter, way_back

HERE = "https://app.example.com"
RULES = DoorRules("https", frozenset({"app.example.com"}))


def facts(query: str) -> RequestFacts:
    return build("GET", f"/x?{query}", [(b"Host", b"app.example.com")], "192.0.2.1", RULES)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("rd=/a", "/a"),
        ("rd=%2Fa%2520b", "/a%20b"),
        ("rd=", ""),
        ("", None),
        ("x=y", None),
        ("%72d=/a", "/a"),
        ("rd", ""),
    ],
)
def test_a_parameter_is_decoded_once(query: str, value: str | None) -> None:
    """Absent is None, empty is empty."""
    assert parameter(facts(query), "rd") == value


@pytest.mark.parametrize("query", ["rd=/a&rd=/a", "rd=/a&%72d=/b", "&".join(f"x{n}=1" for n in range(51))])
def test_a_parameter_twice_or_too_many_are_refused(query: str) -> None:
    """Two readers could take different ones; an endless list is not read."""
    with pytest.raises(DownstreamError) as refused:
        parameter(facts(query), "rd")
    assert refused.value.code == "bad_parameter"


@pytest.mark.parametrize(
    ("query", "path"),
    [("", "/"), ("rd=", "/"), ("rd=/a%3Fb%3Dc", "/a?b=c"), (f"rd={HERE}/a?b", "/a?b"), (f"rd={HERE}/", "/")],
)
def test_the_way_back_is_a_local_path(query: str, path: str) -> None:
    """A URL of this very origin is taken for its path."""
    assert way_back(facts(query), HERE, "/oauth2") == path


@pytest.mark.parametrize(
    "rd",
    ["//evil.example", "/%5Cevil.example", "https://evil.example", HERE, f"{HERE}.evil.example/", f"{HERE}@evil.example",
     f"{HERE}//evil.example", f"{HERE}/%5Cevil", "HTTPS://APP.EXAMPLE.COM/a", "http://app.example.com/a", "javascript:x",
     f"{HERE}:8443/", f"{HERE}/{HERE}//x", "%09//evil.example", "/%0d%0aX:y", "a", "../a",
     "/logout", "/%256Cogout", f"{HERE}/logout", "/oauth2/sign_out", "/oauth2/sessions?end=all", "/logged-out"],
)  # fmt: skip
def test_cve_2020_4037_everything_else_is_refused(rd: str) -> None:
    """Another origin, however it is disguised, is 400 and not the start page: the link is wrong and says so. What a
    tab has kept is no link of anybody's: then it is the start page."""
    with pytest.raises(DownstreamError) as refused:
        way_back(facts(f"rd={rd}"), HERE, "/oauth2")
    assert refused.value.code == "bad_parameter"
    assert "evil" not in str(refused.value)
    assert way_back(facts(f"tab=&rd={rd}"), HERE, "/oauth2") == "/"


@given(
    st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=30)
)
def test_any_query_gives_a_local_path_or_a_refusal(query: str) -> None:
    """Nothing raises anything else."""
    with contextlib.suppress(DownstreamError):
        assert way_back(facts(query), HERE, "/oauth2").startswith("/")
