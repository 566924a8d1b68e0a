"""Cases: what they put to a policy set, and when they are broken."""

from __future__ import annotations

import pytest

from gateway.core.policy.policy_set import PolicyVerdict
from gateway.core.policy_cases.cases import Case, failures, inquiry, person, summary, undecided
from gateway.core.session.session import Principal
from tests.core.policy_samples import parsed

ALICE = person("alice", ["g"])
POLICIES = parsed(
    '@id("a") permit (principal is User, action, resource);'
    '@id("b") permit (principal in Group::"g", action, resource);'
    '@id("c") permit (principal is Anonymous, action, resource) when { context.path == "/c" };'
)


def case(
    *, allowed: bool = True, some: frozenset[str] = frozenset(), exactly: frozenset[str] | None = None
) -> Case:
    return Case("cases.yaml", 1, inquiry(ALICE, "GET", "/"), allowed, some, exactly)


def test_the_path_is_decoded_once_and_without_query() -> None:
    """As the door does it: a query never matches a path (CVE-2025-54576)."""
    asked = inquiry(None, "GET", "/a%20b/%2525?x=/public")
    assert (asked.path, asked.route) == ("/a b/%25", "/")


@pytest.mark.parametrize(
    "url",
    [
        "//admin",
        "/a/../admin",
        "/%2e%2e/admin",
        "/..;b/c",
        "/%00",
        "/a%5Cb",
        "/a b",
        "/%zz",
        "",
        "admin",
        "*",
    ],
)
def test_what_the_door_refuses_is_put_to_no_policy(url: str) -> None:
    """Such a request gets a 400, so a case about it would show nothing."""
    with pytest.raises(ValueError, match=r"no policy would be asked|neither a path nor an http address"):
        inquiry(None, "GET", url)


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://h.test/a?b#", "", ""),
        ("https://h.test/a?b", "h.test", "/a"),
        ("http://h.test:8080", "h.test:8080", "/"),
        ("https://h.test?x=1", "h.test", "/"),
        ("ftp://h.test/", "", ""),
        ("https:///x", "", ""),
        ("https://[h.test/a", "", ""),
    ],
)
def test_an_address_says_the_host_too(url: str, host: str, path: str) -> None:
    """http and https addresses are taken apart; fragments and other schemes are refused."""
    if not host:
        with pytest.raises(ValueError, match=r"neither a path|no policy would be asked"):
            inquiry(None, "GET", url)
    else:
        asked = inquiry(None, "GET", url)
        assert (asked.host, asked.path) == (host, path)


def test_the_route_is_the_longest_prefix() -> None:
    """And a path outside every route is refused, as the gateway would."""
    assert inquiry(None, "GET", "/api/x", routes=["/", "/api/"]).route == "/api/"
    assert inquiry(None, "GET", "/apix", routes=["/", "/api"]).route == "/"
    with pytest.raises(ValueError, match="not_found: no_upstream"):
        inquiry(None, "GET", "/x", routes=["/api/"])


def test_a_case_holds_or_says_how_it_does_not() -> None:
    """A name in ``by`` must be among the policies that decide; a list is all of them."""
    both = PolicyVerdict(True, ("a", "b"))
    assert case().broken_by(both) == ""
    assert case(some=frozenset({"b"})).broken_by(both) == ""
    assert case(exactly=frozenset({"a", "b"})).broken_by(both) == ""
    assert case(exactly=frozenset({"a"})).broken_by(both) == "expected by a, is allow by a, b"
    assert case(some=frozenset({"c"})).broken_by(both) == "expected by c, is allow by a, b"
    assert case(exactly=frozenset()).broken_by(both) == "expected by no policy, is allow by a, b"
    assert case(allowed=False).broken_by(both) == "expected deny, is allow by a, b"
    denied = PolicyVerdict(False, (), "denied")
    assert case(allowed=False, exactly=frozenset()).broken_by(denied) == ""
    assert case().broken_by(denied) == "expected allow, is deny: no policy permits it"


def test_a_policy_that_fails_breaks_a_case_that_expects_a_deny() -> None:
    """An error is no decision, even where it happens to be the right one."""
    failed = PolicyVerdict(False, (), "policy_error", "overflow")
    assert case(allowed=False).broken_by(failed) == "the policy failed: overflow"


def test_an_unknown_method_reads_as_one() -> None:
    """Its deny has another reason than a missing permit."""
    assert summary(PolicyVerdict(False, (), "unknown_method")) == "deny: unknown method (405)"


def test_broken_cases_and_policies_without_a_case_are_found() -> None:
    """The two things ``policy test`` reports."""
    cases = [case(), case(allowed=False)]
    assert [how for _, how in failures(cases, POLICIES)] == ["expected deny, is allow by a, b"]
    assert undecided(cases, POLICIES) == ["c"]


@pytest.mark.parametrize(
    ("who", "said"),
    [
        (None, "GET /a as anonymous"),
        (person("alice", []), "GET /a as alice (no groups)"),
        (person("alice", ["staff", "admins"]), "GET /a as alice (staff, admins)"),
    ],
)
def test_a_broken_case_is_told_in_words(who: Principal | None, said: str) -> None:
    """Who asked for what, as `gateway policy test` prints it."""
    assert str(inquiry(who, "GET", "/a")) == said
