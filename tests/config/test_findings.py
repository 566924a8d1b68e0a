"""Findings: their text, their order, their places."""

from __future__ import annotations

import pytest

from gateway.config.findings import (
    ConfigurationErrors,
    Finding,
    Place,
    Places,
    Severity,
    dotted,
    in_order,
)


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (Finding(Place("g.yaml", 3, 5), "a.b", "is bad", "fix it"), "g.yaml:3:5 a.b: is bad; fix it"),
        (Finding(Place("g.yaml", 3, 5), "", "is bad", "fix it"), "g.yaml:3:5: is bad; fix it"),
        (Finding(Place(env="GATEWAY_A"), "a", "is bad", "fix it"), "env GATEWAY_A: is bad; fix it"),
        (
            Finding(Place("g.yaml"), "a", "is odd", "look", Severity.WARNING),
            "g.yaml:1:1 a: warning: is odd; look",
        ),
    ],
)
def test_the_text_of_a_finding(finding, text):
    """`FILE:LINE:COL key: what; fix`, or `env NAME: what; fix`."""
    assert str(finding) == text


def test_the_order_of_findings():
    """The file from top to bottom, then the environment by name; each finding once."""
    last = Finding(Place(env="GATEWAY_B"), "b", "x", "y")
    env = Finding(Place(env="GATEWAY_A"), "a", "x", "y")
    tenth = Finding(Place("g.yaml", 10, 1), "z", "x", "y")
    second = Finding(Place("g.yaml", 2, 1), "z", "x", "y")

    assert in_order([last, tenth, env, second, tenth]) == [second, tenth, env, last]


def test_keys_are_written_as_people_write_them():
    """Sections by dots, items by brackets."""
    assert dotted(("upstreams", 1, "url")) == "upstreams[1].url"
    assert dotted(()) == ""


def test_the_environment_takes_the_place_of_what_it_replaced():
    """Also for everything below the key."""
    places = Places("g.yaml")
    places.in_file(("a",), 1, 1)
    places.in_file(("a", 0), 2, 3)
    places.in_environment(("a",), "GATEWAY_A")

    assert str(places.of(("a", 0))) == "env GATEWAY_A"


def test_errors_hold_their_findings():
    """The exception's text is what `gateway check` prints; only errors fail."""
    finding = Finding(Place("g.yaml"), "a", "is bad", "fix it")

    assert ConfigurationErrors([finding]).findings == [finding]
    assert str(ConfigurationErrors([finding])) == str(finding)
    assert finding.failing
    assert not Finding(Place(), "a", "x", "y", Severity.NOTE).failing
