"""A client of whom nothing is known: policies that ask for it are not answered, all others decide as ever."""

from __future__ import annotations

import pytest

from tests.core.policy_samples import ask, parsed, somebody

USERS = '@id("users") permit (principal is User, action, resource);'


@pytest.mark.parametrize(
    "condition",
    [
        '@id("in") permit (principal, action, resource) when { context.client.isInRange(ip("::/0")) };',
        '@id("not") forbid (principal, action, resource) unless { context.client.isLoopback() };',
    ],
)
def test_r09_a_client_that_is_not_known_is_in_no_network_and_out_of_none(condition: str) -> None:
    """Whoever it may be, policies that ask are not answered, which is an error and never an allow; whatever has been
    remembered of clients that are known.
    """
    policies = parsed(USERS + condition.replace("permit (principal,", "permit (principal is User,"))
    for _ in range(2):
        assert ask(policies, somebody(), client="127.0.0.1").allowed
        verdict = ask(policies, somebody(), client="unknown")
        assert (verdict.allowed, verdict.code) == (False, "policy_error")


@pytest.mark.parametrize("known_before", [False, True])
def test_where_no_policy_asks_for_the_client_it_need_not_be_known(known_before: bool) -> None:
    """Whether anybody whose address is known has asked the same before or not."""
    policies = parsed(USERS)
    if known_before:
        ask(policies, somebody(), client="192.0.2.1")
    assert ask(policies, somebody(), client="unknown") == ask(policies, somebody(), client="192.0.2.1")
    assert ask(policies, somebody(), client="unknown").allowed
