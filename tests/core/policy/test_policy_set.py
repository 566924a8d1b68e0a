"""What a policy set decides, and what it never decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.policy.faults import PolicyFaultsError
from gateway.core.policy.policy_set import MEMO_PATH, PolicySet, PolicyVerdict
from gateway.core.policy.schema import METHODS
from gateway.core.session.session import Principal
from tests.core.policy_samples import NOW, SCHEMA, ask, parsed, somebody

USERS = '@id("users") permit (principal is User, action, resource);'


def test_r09_what_nothing_permits_is_denied() -> None:
    """A request that no policy speaks of is denied, and no policy is named for it."""
    policies = parsed('@id("a") permit (principal in Group::"staff", action, resource);')
    assert ask(policies, somebody("bob", "others")) == PolicyVerdict(False, (), "denied")


def test_r09_a_permit_for_users_is_none_for_anonymous() -> None:
    """Signed in is allowed, and Anonymous is not."""
    policies = parsed(USERS)
    assert ask(policies, somebody()) == PolicyVerdict(True, ("users",))
    assert ask(policies) == PolicyVerdict(False, (), "denied")


@pytest.mark.parametrize("scope", ["principal is Anonymous", 'principal == Anonymous::"anonymous"'])
def test_r09_only_a_permit_that_names_anonymous_makes_a_path_public(scope: str) -> None:
    """A public route is said in so many words, and holds for what it says alone."""
    policies = parsed(
        f'@id("public") permit ({scope}, action == Action::"GET", resource) when {{ context.path == "/p" }};'
    )
    assert ask(policies, path="/p").policies == ("public",)
    assert not ask(policies, path="/p/x").allowed
    assert not ask(policies, method="POST", path="/p").allowed
    assert not ask(policies, somebody(), path="/p").allowed


def test_r09_a_forbid_that_fails_is_not_skipped() -> None:
    """Cedar allows when a forbid's evaluation overflows; here that is a deny with an error."""
    policies = parsed(
        USERS
        + '@id("f") forbid (principal, action, resource)'
        + "when { context has auth_age && context.auth_age * 9223372036854775807 > 0 };"
    )
    verdict = ask(policies, somebody(auth_time=NOW - 600))
    assert (verdict.allowed, verdict.policies, verdict.code) == (False, (), "policy_error")
    assert "overflow" in verdict.error


@pytest.mark.parametrize("client", ["", "Unknown", "192.0.2.1, 10.0.0.1", "0.0.0.0/0", "192.0.2.1:80"])
def test_r09_a_request_outside_the_schema_is_denied_with_an_error(client: str) -> None:
    """What is no single address is no client, not even a network that contains everybody."""
    verdict = ask(parsed(USERS), somebody(), client=client)
    assert (verdict.allowed, verdict.code) == (False, "policy_error")


@pytest.mark.parametrize("order", [KeyboardInterrupt, SystemExit])
def test_r09_an_order_to_end_the_process_is_no_failure_of_a_policy(
    order: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reaches whoever gave it; nothing has been decided then."""
    policies = parsed(USERS)

    def ended(*_: object) -> None:
        raise order

    monkeypatch.setattr(cedarpy, "is_authorized", ended)
    with pytest.raises(order):
        ask(policies, somebody())


def test_r09_a_panic_inside_cedar_is_a_deny(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes of Rust is no Exception, and no pass either."""

    class PanicError(BaseException):
        pass

    def panicking(*_: object) -> None:
        raise PanicError("at the disco")

    policies = parsed(USERS)
    monkeypatch.setattr(cedarpy, "is_authorized", panicking)
    assert ask(policies, somebody()) == PolicyVerdict(False, (), "policy_error", "PanicError: at the disco")


def test_r09_an_exception_inside_cedar_is_a_deny_with_an_error() -> None:
    """A name that Cedar cannot even read (a lone surrogate) denies and names the failure."""
    verdict = ask(parsed(USERS), somebody("\ud800"))
    assert (verdict.allowed, verdict.code) == (False, "policy_error")
    assert verdict.error


def test_r09_an_error_is_not_remembered() -> None:
    """A request that failed is asked again, so a passing trouble denies once only."""
    policies = parsed(USERS)
    assert not ask(policies, somebody(), client="?").allowed
    assert ask(policies, somebody()).allowed


@pytest.mark.parametrize("method", ["BREW", "get", "Get", "", "GET ", "TRACE", "CONNECT", "read", "PRI"])
def test_r09_an_unknown_method_is_denied_by_its_own_code(method: str) -> None:
    """Methods are compared exactly; others are for the 405, whoever asks (CVE-2020-14359: lower case evaded rules)."""
    assert ask(parsed(USERS), somebody(), method) == PolicyVerdict(False, (), "unknown_method")


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_known_method_can_be_permitted(method: str) -> None:
    """Every method is in the schema, by its own name and in one of its two groups."""
    policies = parsed(f'@id("m") permit (principal is User, action == Action::"{method}", resource);')
    assert ask(policies, somebody(), method).allowed
    groups = parsed(
        '@id("r") permit (principal is User, action in Action::"read", resource);'
        '@id("w") permit (principal is User, action in Action::"write", resource);'
    )
    assert len(ask(groups, somebody(), method).policies) == 1


def test_r32_head_is_decided_as_get() -> None:
    """HEAD tells what GET would, so it is allowed and denied with it."""
    policies = parsed('@id("g") permit (principal is User, action == Action::"GET", resource);')
    assert (
        ask(policies, somebody(), "HEAD") == ask(policies, somebody(), "GET") == PolicyVerdict(True, ("g",))
    )
    assert not ask(policies, None, "HEAD").allowed


def test_the_verdict_names_every_policy_that_determined_it() -> None:
    """All permits that hold are named in the order they are written; if a forbid holds, only forbids are."""
    policies = parsed(
        '@id("z") permit (principal is User, action, resource);'
        '@id("a") permit (principal in Group::"g", action, resource);'
        '@id("f") forbid (principal, action, resource) when { context.path == "/f" };'
    )
    assert ask(policies, somebody("u", "g")) == PolicyVerdict(True, ("z", "a"))
    assert ask(policies, somebody("u", "g"), path="/f") == PolicyVerdict(False, ("f",), "denied")


def test_every_fact_reaches_the_policy() -> None:
    """Each attribute of principal, resource and context decides on its own."""
    alice = somebody("alice", "g", email="a@x.test", acr="mfa", auth_time=NOW - 299)
    for condition in (
        'principal == User::"alice"',
        'principal.user == "alice"',
        'principal has email && principal.email == "a@x.test"',
        'principal in Group::"g"',
        'resource == Route::"/api/"',
        'context.host == "app.test"',
        'context.path == "/api/x"',
        'context.client == ip("192.0.2.7")',
        "context has auth_age && context.auth_age == 4",
        'context has acr && context.acr == "mfa"',
    ):
        policies = parsed(f'@id("c") permit (principal is User, action, resource) when {{ {condition} }};')
        assert ask(policies, alice, path="/api/x", route="/api/").allowed, condition
        assert not ask(policies, somebody("b", auth_time=NOW), host="h", client="::1").allowed, condition


def test_auth_age_and_acr_are_absent_for_anonymous() -> None:
    """Anonymous never proved anything, and no number stands for never."""
    policies = parsed(
        '@id("a") permit (principal is Anonymous, action, resource)'
        "when { context has auth_age || context has acr };"
    )
    assert not ask(policies).allowed


def test_a_users_name_or_group_is_never_read_as_cedar_text() -> None:
    """Quotes, newlines and whole entity references in a name are just a name."""
    policies = parsed('@id("a") permit (principal in Group::"admins", action, resource);')
    for group in ('x", Group::"admins', 'admins"', "admins\n", "Group::admins", "admins,", "", "ADMINS"):
        assert ask(policies, somebody('alice" in Group::"admins', group)).code == "denied"


def test_r25_a_decision_is_remembered() -> None:
    """The same question gets the very same answer, not an equal one."""
    policies = parsed(USERS)
    assert ask(policies, somebody()) is ask(policies, somebody())


def test_r25_the_key_has_every_attribute_that_is_mentioned_and_no_other() -> None:
    """What no policy mentions does not make two questions out of one; what one mentions does."""
    nothing = parsed(USERS)
    assert nothing.mentions == frozenset()
    one = ask(nothing, somebody(), path="/a", host="a", client="::1", now=NOW)
    assert one is ask(nothing, somebody(), path="/b", host="b", client="::2", now=NOW + 600)
    path = parsed('@id("p") permit (principal is User, action, resource) when { context.path == "/b" };')
    assert path.mentions == {"path"}
    assert ask(path, somebody(), path="/a") is ask(path, somebody(), path="/a", host="b")
    assert ask(path, somebody(), path="/a") is not ask(path, somebody(), path="/b")


ALICE = somebody("alice", "g", email="a@x", acr="mfa", auth_time=NOW)


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        ('principal.user == "alice"', {}, {"principal": replace(ALICE, user="bob")}),
        ("principal has email", {}, {"principal": replace(ALICE, email=None)}),
        ('principal in Group::"g"', {}, {"principal": replace(ALICE, groups=())}),
        ('action == Action::"GET"', {}, {"method": "POST"}),
        ('resource == Route::"/"', {}, {"route": "/api/"}),
        ('context.host == "app.test"', {}, {"host": "other.test"}),
        ('context.path == "/"', {}, {"path": "/x"}),
        ("context.client.isLoopback()", {"client": "127.0.0.1"}, {"client": "192.0.2.1"}),
        ("context has auth_age && context.auth_age < 1", {}, {"now": NOW + 60}),
        ('context has acr && context.acr == "mfa"', {}, {"principal": replace(ALICE, acr="pwd")}),
        ("context has acr", {}, {"principal": replace(ALICE, acr=None)}),
    ],
)
def test_r25_the_key_has_every_input_that_can_decide(
    condition: str, yes: dict[str, Any], no: dict[str, Any]
) -> None:
    """An allow for one request is never given to another that differs in what the policy asks for."""
    policies = parsed(f'@id("a") permit (principal is User, action, resource) when {{ {condition} }};')
    for _ in range(2):
        assert ask(policies, **{"principal": ALICE, **yes}).allowed
        assert not ask(policies, **{"principal": ALICE, **yes, **no}).allowed


def test_r25_another_generation_of_a_session_is_asked_anew() -> None:
    """A refresh may have changed what a person is, so its decisions start afresh."""
    policies = parsed(USERS)
    assert ask(policies, somebody(), generation=1) is not ask(policies, somebody(), generation=2)


def test_r25_keys_are_not_joined_strings() -> None:
    """Parts that join to the same string stay different questions (CVE-2026-33496: cache-key confusion)."""
    policies = parsed('@id("a") permit (principal in Group::"b", action, resource);')
    assert not ask(policies, somebody("a", "b,c")).allowed
    assert ask(policies, somebody("a", "b", "c")).allowed
    assert not ask(policies, somebody("a,b", "c")).allowed
    assert not ask(policies, None).allowed


def test_r25_anonymous_shares_no_decision_with_a_user_of_that_name() -> None:
    """A user may be called like the anonymous entity and is still somebody."""
    policies = parsed(USERS)
    assert ask(policies, somebody("anonymous")).allowed
    assert not ask(policies, None).allowed


def test_r25_a_minute_changes_what_depends_on_the_age_of_the_sign_in() -> None:
    """A remembered decision does not outlive the minute it depends on."""
    policies = parsed(
        USERS
        + '@id("f") forbid (principal, action, resource) unless { context has auth_age && context.auth_age < 5 };'
    )
    alice = somebody(auth_time=NOW)
    assert ask(policies, alice, now=NOW + 299).allowed
    assert not ask(policies, alice, now=NOW + 300).allowed
    assert ask(policies, alice, now=NOW - 30).allowed


def test_r25_the_memory_is_bounded() -> None:
    """Beyond its size the least recently used decision goes, and very long paths are not kept at all."""
    policies = parsed(
        '@id("p") permit (principal is User, action, resource) when { context.path != principal.user };',
        memo_size=2,
    )
    first = ask(policies, somebody(), path="/1")
    second = ask(policies, somebody(), path="/2")
    assert ask(policies, somebody(), path="/1") is first
    ask(policies, somebody(), path="/3")
    assert ask(policies, somebody(), path="/1") is first
    assert ask(policies, somebody(), path="/2") is not second
    long = "/" + "x" * MEMO_PATH
    assert ask(policies, somebody(), path=long) is not ask(policies, somebody(), path=long)


def test_r25_another_policy_set_has_another_memory_and_version() -> None:
    """After a reload nothing of the old set is remembered; a comment alone makes no new version."""
    old, new = parsed(USERS), parsed(USERS.replace("User", "Anonymous"))
    assert ask(old, somebody()).allowed
    assert not ask(new, somebody()).allowed
    assert old.version != new.version
    assert old.version == parsed(f"// why\n{USERS}").version


ALL = parsed(
    """
    @id("a") permit (principal is User, action in Action::"read", resource) when { context.path like "/a*" };
    @id("b") permit (principal in Group::"g", action, resource) when { context.host == "a" || context.acr == "x" }
      ;
    """.replace("context.acr ==", "context has acr && context.acr ==")
    + """
    @id("c") permit (principal is Anonymous, action == Action::"GET", resource == Route::"/")
      when { context.client.isInRange(ip("10.0.0.0/8")) };
    @id("d") permit (principal is User, action, resource) when { principal has email && principal.email like "*@x" };
    @id("e") forbid (principal, action, resource) when { context has auth_age && context.auth_age >= 2 };
    """,
    memo_size=50,
)

principals = st.none() | st.builds(
    Principal,
    issuer=st.just("i"),
    subject=st.just("s"),
    user=st.sampled_from(["u", "v"]),
    email=st.sampled_from([None, "u@x", "u@y"]),
    groups=st.sampled_from([(), ("g",), ("g", "h"), ("h",)]),
    acr=st.sampled_from([None, "x", "y"]),
    auth_time=st.integers(NOW - 200, NOW + 10),
)


@settings(max_examples=300)
@given(
    principal=principals,
    method=st.sampled_from(["GET", "HEAD", "POST", "get"]),
    path=st.sampled_from(["/a", "/b", "/a/" + "x" * MEMO_PATH]),
    route=st.sampled_from(["/", "/a"]),
    host=st.sampled_from(["a", "b", "A:8080"]),
    client=st.sampled_from(["10.0.0.1", "::ffff:10.0.0.1", "192.0.2.1", "nobody", "unknown"]),
    generation=st.integers(0, 1),
)
def test_r25_a_remembered_decision_is_the_one_that_would_be_made(
    principal: Principal | None, method: str, path: str, route: str, host: str, client: str, generation: int
) -> None:
    """Whatever was asked before, the answer equals that of the same policies with an empty memory."""
    fresh = PolicySet(ALL.policies, ALL.schema, ALL.version)
    assert ask(
        ALL, principal, method, path, route=route, host=host, client=client, generation=generation
    ) == ask(fresh, principal, method, path, route=route, host=host, client=client, generation=generation)


def test_a_schema_that_cannot_be_read_is_a_fault_with_its_file() -> None:
    """A damaged installation says what is damaged."""
    with pytest.raises(PolicyFaultsError, match=r"schema\.cedarschema: .*; restore the schema"):
        PolicySet.parse({"p.cedar": USERS}, SCHEMA + "entity")


def test_a_policy_is_found_with_its_place() -> None:
    """File and line of a policy are those of its first line, behind comments."""
    policies = parsed(f"// one\n\n// two\n{USERS}")
    assert policies.find("users").place == "p.cedar:4"
    assert policies.find("users").effect == "permit"


FOLDING = """
@id("all") permit (principal is User, action, resource);
@id("closed") @paths("insensitive")
forbid (principal, action, resource) when { context.path like "/admin*" || context.path == "/exact" };
"""


@pytest.mark.parametrize("path", ["/admin", "/Admin", "/ADMIN/x", "/Exact", "/\u00e4", "/public"])
def test_policies_may_want_paths_in_lower_case(path: str) -> None:
    """Of one with @paths("insensitive") on all of its set do: no spelling of a path gets past a forbid."""
    made = PolicySet.parse({"a.cedar": FOLDING}, SCHEMA)
    for _ in range(3):
        said = made.decide(
            principal=Principal("https://idp", "s", "alice"), method="GET", route="/", host="h", path=path, client="192.0.2.1", now=1
        )  # fmt: skip
        assert said.allowed == (path in {"/\u00e4", "/public"})


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (FOLDING.replace("/exact", "/Exact"), "`/Exact` has a capital"),
        (FOLDING.replace("/admin*", "/Admin*x"), "`/Admin*x` has a capital"),
        (FOLDING.replace('"insensitive"', '"sensitive"'), "@paths can be nothing but insensitive"),
    ],
)
def test_what_could_never_match_is_refused(text: str, what: str) -> None:
    """A forbid that waits for a capital would let everybody pass."""
    with pytest.raises(PolicyFaultsError) as refused:
        PolicySet.parse({"a.cedar": text}, SCHEMA)
    assert what in str(refused.value)
