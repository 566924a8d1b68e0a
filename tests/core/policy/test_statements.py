"""What is refused when policies are loaded (rule R9), each fault with its place and fix."""

from __future__ import annotations

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.policy.faults import PolicyFaultsError
from gateway.core.policy.policy_set import PolicySet
from gateway.core.policy.statements import statements
from tests.core.policy_samples import SCHEMA, ask, faults, parsed, somebody

GOOD = '@id("good") permit (principal is User, action, resource);'


def test_r09_a_permit_must_say_whom_it_is_for() -> None:
    """A permit for every principal would be one for Anonymous too, whatever its condition says."""
    for text in (
        '@id("a") permit (principal, action, resource);',
        '@id("a") permit (principal, action == Action::"GET", resource == Route::"/") when { context.path == "/" };',
        '@id("a") permit (principal, action, resource) when { principal is User };',
    ):
        (fault,) = faults(text)
        assert fault.startswith("p.cedar:1: this permit is for everybody, signed in or not; say whom: ")


@pytest.mark.parametrize(
    "scope",
    [
        "principal is User",
        'principal in Group::"g"',
        'principal == User::"u"',
        'principal is User in Group::"g"',
        "principal is Anonymous",
    ],
)
def test_r09_a_permit_that_says_whom_is_taken(scope: str) -> None:
    """Every way to constrain the principal in the scope will do."""
    assert len(parsed(f'@id("a") permit ({scope}, action, resource);').policies) == 1


def test_r09_a_forbid_may_be_for_everybody() -> None:
    """A forbid without a principal opens nothing."""
    assert len(parsed('@id("a") forbid (principal, action, resource);').policies) == 1


@pytest.mark.parametrize("name", ["", "@id", '@id("")', '@name("a")'])
def test_r09_a_policy_needs_an_id(name: str) -> None:
    """No policy decides without a name that explain, logs and metrics can use."""
    (fault,) = faults(f"{name} permit (principal is User, action, resource);")
    assert fault == (
        'p.cedar:1: this policy has no @id; write @id("what-it-does") above it: '
        "letters, digits, `.`, `_` and `-`, at most 64"
    )


@pytest.mark.parametrize("name", ["a b", "a\nb", "ä", "-a", "a" * 65, "a/b"])
def test_an_id_must_read_well_in_logs_and_metrics(name: str) -> None:
    """Names with blanks, control characters or more than 64 characters are refused."""
    (fault,) = faults(f'@id("{name}") permit (principal is User, action, resource);')
    assert "would not read well" in fault


def test_r09_an_id_is_used_once_in_all_files() -> None:
    """The second policy of a name is the fault, and it names the first."""
    assert faults(GOOD, q=f"\n{GOOD}") == [
        'q.cedar:2: @id("good") is taken by p.cedar:1; every policy needs a name of its own'
    ]


@pytest.mark.parametrize("text", ["", "// only a comment", "\n"])
def test_r09_a_set_without_a_policy_is_refused(text: str) -> None:
    """It would deny everything, which nobody means."""
    assert faults(text) == [
        "p.cedar: there is no policy, so every request would be denied; write at least one permit"
    ]


def test_a_set_without_a_file_is_refused() -> None:
    """No file is no policy."""
    with pytest.raises(PolicyFaultsError, match="policies: there is no policy"):
        PolicySet.parse({}, SCHEMA)


def test_r09_all_faults_are_reported_at_once() -> None:
    """One pass over all files names every fault, in order, with line and fix."""
    text = """// a comment
@id("a") permit (principal, action, resource);
permit (principal is User, action, resource) when { context.pth == "x" && context.auth_age > 3 };
@id("a")
permit (principal is User, action == Action::"HEAD", resource)
when { principal.email == "x" };
@id("n") permit (principal is User, action, resource) when { context.path likes "x" };
"""
    found = faults(text, q='@id("q") permit (principal is Usr, action, resource)')
    assert [fault.partition(";")[0] for fault in found] == [
        "p.cedar:2: this permit is for everybody, signed in or not",
        "p.cedar:3: this policy has no @id",
        "p.cedar:3: attribute `pth` in context not found",
        "p.cedar:3: `auth_age` may be absent from context",
        'p.cedar:4: @id("a") is taken by p.cedar:2',
        'p.cedar:5: unrecognized action `Action::"HEAD"`',
        "p.cedar:7: unexpected token `likes`",
        "q.cedar:1: unexpected end of input",
    ]


def test_r09_templates_are_refused() -> None:
    """Nothing would ever fill them in, so they would decide nothing."""
    (fault,) = faults('@id("t") permit (principal == ?principal, action, resource);')
    assert "this is a template" in fault


@pytest.mark.parametrize("attribute", ["auth_age > 3", 'acr == "mfa"'])
def test_r09_what_may_be_absent_must_be_asked_for_first(attribute: str) -> None:
    """A forbid on an absent attribute would be skipped; strict validation does not let it be written."""
    (fault,) = faults(f'@id("f") forbid (principal, action, resource) when {{ context.{attribute} }};')
    name = attribute.partition(" ")[0]
    assert fault == (
        f"p.cedar:1: `{name}` may be absent from context; "
        f"ask first, `context has {name} && …`, and mind what its absence shall mean"
    )


def test_a_semicolon_in_a_string_or_comment_ends_nothing() -> None:
    """Only what ends a policy for Cedar ends it here."""
    text = (
        '// first; "\n@id("a") permit (principal is User, action, resource) '
        'when { context.path == "a;//\\";b" }; // ;\r'
        '@id("b")\n// in between;\nforbid (principal, action, resource) when { context.path like "\\*;" };'
    )
    found = parsed(text).policies
    assert [(policy.id, policy.place) for policy in found] == [("a", "p.cedar:2"), ("b", "p.cedar:2")]


@given(
    st.lists(
        st.sampled_from(['"', "\\", ";", "//", "\n", "\r", " ", "a", GOOD, '@id("x")', "forbid"]), max_size=12
    )
)
def test_texts_are_cut_where_cedar_cuts_them(parts: list[str]) -> None:
    """A text that Cedar takes has as many pieces as policies; one that it refuses is refused."""
    text = "".join(parts)
    pieces = list(statements("p.cedar", text))
    try:
        assert len(cedarpy.PolicySet.from_str(text)) == len(pieces)
    except ValueError:
        with pytest.raises(PolicyFaultsError):
            PolicySet.parse({"p.cedar": text}, SCHEMA)


@pytest.mark.parametrize(
    "path", ["/admin", "/admin/", "/admin/x", "/admin;x", "/admin?x", "/admin#", "/administrator"]
)
def test_a_wide_prefix_takes_in_every_spelling_of_an_area(path: str) -> None:
    """``like "/admin*"`` leaves no spelling below it open (CVE-2026-41059: ``#``, ``?`` and ``;`` evaded rules)."""
    policies = parsed(
        GOOD + '@id("f") forbid (principal, action, resource) when { context.path like "/admin*" };'
    )
    assert ask(policies, somebody(), path=path).policies == ("f",)


@pytest.mark.parametrize("path", ["/ADMIN", "//admin", "/ admin", "/%61dmin", "/public/../admin"])
def test_paths_are_compared_as_they_are(path: str) -> None:
    """Nothing is normalised for the comparison: the door refuses or decodes such paths before policies see them."""
    policies = parsed(
        GOOD + '@id("f") forbid (principal, action, resource) when { context.path like "/admin*" };'
    )
    assert ask(policies, somebody(), path=path).policies == ("good",)
