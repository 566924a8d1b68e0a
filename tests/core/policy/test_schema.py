"""The words of the schema, and requests put into them."""

from __future__ import annotations

import json
import re

import cedarpy
import pytest

from gateway.core.policy.schema import (
    CONTEXT,
    METHODS,
    READ,
    WRITE,
    auth_age,
    canonical_client,
    canonical_host,
    cedar_context,
    entities_json,
)
from tests.core.policy_samples import NOW, SCHEMA, somebody


def test_the_methods_are_those_of_the_schema() -> None:
    """The schema file and the table name the same methods, in the same groups."""
    canonical = str(cedarpy.Schema.from_str(SCHEMA))
    found = re.findall(r'action "([^"]+)" in \[Action::"(\w+)"\]', canonical)
    assert {name for name, group in found if group == "read"} == READ
    assert {name for name, group in found if group == "write"} == WRITE
    assert len(found) == len(METHODS)


def test_the_context_is_that_of_the_schema() -> None:
    """What the memo counts as context is what the schema has."""
    record = re.search(r"type Request = \{(.*?)\n\};", SCHEMA, re.DOTALL)
    assert record
    assert frozenset(re.findall(r"^  (\w+)\??:", record[1], re.MULTILINE)) == CONTEXT


def test_the_schema_has_no_way_to_permit_connect_trace_or_head() -> None:
    """No tunnel, no echo, and HEAD is a GET (rule R32)."""
    for method in ("CONNECT", "TRACE", "HEAD"):
        assert method not in METHODS
        text = f'permit (principal is User, action == Action::"{method}", resource);'
        assert not cedarpy.validate_policies(text, SCHEMA).validation_passed


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:0201", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_a_client_has_one_spelling(given: str, canonical: str) -> None:
    """An IPv4 client of a dual-stack listener is in the IPv4 networks that policies name."""
    assert canonical_client(given) == canonical


@pytest.mark.parametrize("given", ["", "10.0.0.0/8", "::/0", "unknown", "1.2.3", "010.0.0.1", "[::1]"])
def test_what_is_no_single_address_is_refused(given: str) -> None:
    """A network would be "in range" of more than it should."""
    with pytest.raises(ValueError, match="does not appear to be"):
        canonical_client(given)


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("app.test", "app.test"),
        ("APP.Test:8443", "app.test"),
        ("app.test.", "app.test"),
        ("app.test.:80", "app.test"),
        ("app.test:", "app.test"),
        ("[::1]:8080", "[::1]"),
        ("[::1]", "[::1]"),
    ],
)
def test_a_host_has_one_spelling(given: str, canonical: str) -> None:
    """Case, port and final dot make no other host (CVE-2026-48794)."""
    assert canonical_host(given) == canonical


@pytest.mark.parametrize(("seconds", "minutes"), [(0, 0), (59, 0), (60, 1), (119, 1), (3600, 60), (-90, 0)])
def test_the_age_of_a_sign_in_is_in_whole_minutes(seconds: int, minutes: int) -> None:
    """Begun minutes do not count, and a provider whose clock is ahead makes nobody younger than new."""
    assert auth_age(somebody(auth_time=NOW - seconds), NOW) == minutes


def test_anonymous_has_no_attributes_of_a_person() -> None:
    """Neither in its entity nor in the context."""
    assert set(cedar_context(None, "h", "/", "::1", NOW)) == {"host", "path", "client"}
    (entity,) = json.loads(entities_json(None))
    assert entity == {"uid": {"type": "Anonymous", "id": "anonymous"}, "attrs": {}, "parents": []}


def test_an_unknown_email_is_absent() -> None:
    """No e-mail is no attribute, rather than an empty one that policies could compare with."""
    (entity,) = json.loads(entities_json(somebody("alice", "g")))
    assert entity["attrs"] == {"user": "alice"}
    assert entity["parents"] == [{"type": "Group", "id": "g"}]
