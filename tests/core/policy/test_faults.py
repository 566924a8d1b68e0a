"""How faults read."""

from __future__ import annotations

import pytest

from gateway.core.policy.faults import PolicyFault, PolicyFaultsError, explained
from tests.core.policy_samples import faults


def test_a_fault_has_place_cause_and_fix() -> None:
    """One line each; a fault of the whole file has no line number."""
    assert (
        str(PolicyFault("a.cedar", 3, "this is wrong", "fix it so")) == "a.cedar:3: this is wrong; fix it so"
    )
    assert str(PolicyFault("a.cedar", 0, "this is wrong", "fix it so")) == "a.cedar: this is wrong; fix it so"


def test_faults_come_in_the_order_of_files_and_lines() -> None:
    """However they were found."""
    some = [PolicyFault(file, line, "w", "m") for file, line in (("b", 1), ("a", 10), ("a", 9))]
    error = PolicyFaultsError(some)
    assert [(fault.file, fault.line) for fault in error.faults] == [("a", 9), ("a", 10), ("b", 1)]
    assert (error.code, error.blame) == ("policy_invalid", "config")
    assert error.detail.splitlines()[0] == "a:9: w; m"


def test_what_the_validator_repeats_is_said_once() -> None:
    """It complains once for every action, and goes on about consequences."""
    assert explained(
        [
            'for policy `policy0`, attribute `x` in context for Action::"GET" not found',
            'for policy `policy0`, attribute `x` in context for Action::"PUT" not found',
            "for policy `policy0`, unable to find an applicable action given the policy scope constraints",
        ]
    ) == [("attribute `x` in context not found", "context has host, path, client, auth_age and acr")]


PERMIT = '@id("a") permit (principal is User, action, resource)'


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        (
            f'{PERMIT} when {{ principal.email == "x" }};',
            "`email` may be absent from principal",
            "principal has email",
        ),
        (f'{PERMIT} when {{ principal.groups == "x" }};', "attribute `groups`", "a User has user and email"),
        (f'{PERMIT} when {{ ip("x").isIpv4() }};', "IP address", 'ip("10.0.0.0/8")'),
        (f"{PERMIT} when {{ context.path }};", "expected Bool but saw String", "schema.cedarschema"),
        (
            '@id("a") forbid (principal, action, resource) when { principal.user == "x" };',
            "`Anonymous`",
            "principal is User",
        ),
        (
            '@id("a") permit (principal is Usr, action, resource);',
            "`Usr`",
            "User, Group, Anonymous and Route",
        ),
        (
            '@id("a") permit (principal is Route, action, resource);',
            "applicable action",
            "a User, in a Group",
        ),
        ('@id("a") allow (principal is User, action, resource);', "allow", "`permit (…)` or `forbid (…)`"),
        ('@id("a") permit (principal is User, resource, action);', "resource", "in this order"),
        (
            '@id("a") @id("b") permit (principal is User, action, resource);',
            "duplicate annotation",
            "keep one",
        ),
        (f"/* no */ {PERMIT};", "unexpected token `/`", "Cedar comments begin with //"),
        (f"{PERMIT}\n{PERMIT};", "unexpected token `@`", "end the policy before it with `;`"),
        (PERMIT, "unexpected end of input", "end every policy with `;`"),
        ("@id('a') permit (principal is User, action, resource);", "invalid token", "double quotes"),
        (f"{PERMIT};;", "unexpected token `;`", "fix the syntax near it"),
    ],
)
def test_every_complaint_has_its_fix(text: str, what: str, fix: str) -> None:
    """What people get wrong is answered with what to write instead."""
    (fault,) = faults(text)
    place, _, rest = fault.partition(": ")
    said, _, fixed = rest.partition("; ")
    assert place.startswith("p.cedar:")
    assert what in said + fixed
    assert fix in fault


def test_the_line_is_that_of_the_thing_complained_of() -> None:
    """In a policy of several lines the fault points into it where it can."""
    (fault,) = faults(f'\n{PERMIT}\nwhen {{\n  context.pth == "x"\n}};')
    assert fault.startswith("p.cedar:4: attribute `pth`")
