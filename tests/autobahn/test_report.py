"""What the comparison of the suite's two reports finds."""

from __future__ import annotations

import json

import pytest

from tests.autobahn.report import Outcome, findings, parse, summary

GOOD = Outcome("OK", "OK", 1000, 0.1)


def test_equal_reports_have_no_findings() -> None:
    """A case that the server itself fails is nobody else's fault; a better end is none."""
    failed = Outcome("FAILED", "WRONG CODE", 1000, 0.1)
    lax = Outcome("NON-STRICT", "OK", 1007, 0.1)
    direct = {"1.1.1": GOOD, "6.4.1": lax, "7.9.5": failed}
    assert findings(direct, direct, expected=3) == []
    assert findings(direct, direct | {"6.4.1": Outcome("OK", "OK", 1007, 9)}, expected=3) == []
    assert findings(direct, direct | {"7.9.5": Outcome("OK", "OK", 1002, 9)}, expected=3) == []


@pytest.mark.parametrize(
    "behind",
    [
        Outcome("NON-STRICT", "OK", 1000, 0.1),
        Outcome("FAILED", "OK", 1000, 0.1),
        Outcome("OK", "UNCLEAN", None, 0.1),
        Outcome("OK", "FAILED BY CLIENT", 1000, 0.1),
        Outcome("OK", "OK", None, 0.1),
        Outcome("OK", "OK", 1001, 0.1),
        Outcome("A NEW WORD", "OK", 1000, 0.1),
    ],
)
def test_whatever_is_worse_is_found(behind: Outcome) -> None:
    """In behaviour, in the end of the connection, or by another close code."""
    assert findings({"1.1.1": GOOD}, {"1.1.1": behind}, expected=1) == [
        f"1.1.1: {behind}; without the gateway {GOOD}"
    ]


def test_what_was_not_run_is_found() -> None:
    """A case missing on either side, too few in all, or none where some were asked for; in the suite's order."""
    assert findings({"10.1.1": GOOD, "2.1": GOOD}, {"9.1.1": GOOD}, expected=None) == [
        "2.1: not run through the gateway",
        "9.1.1: not run directly",
        "10.1.1: not run through the gateway",
    ]
    assert findings({"1.1.1": GOOD}, {"1.1.1": GOOD}) == [
        "direct: 1 cases instead of 517",
        "gateway: 1 cases instead of 517",
    ]
    assert findings({}, {}, expected=None) == ["direct: no case was run", "gateway: no case was run"]


def test_the_suites_index_is_read() -> None:
    """Both reports by their names; the summary counts their ends."""
    found = {
        "behavior": "OK",
        "behaviorClose": "OK",
        "duration": 100,
        "remoteCloseCode": 1000,
        "reportfile": "x",
    }
    lost = {**found, "behaviorClose": "FAILED", "remoteCloseCode": None}
    reports = parse(json.dumps({"direct": {"1.1.1": found, "1.1.2": found}, "gateway": {"1.1.1": lost}}))
    assert reports == {
        "direct": {"1.1.1": GOOD, "1.1.2": GOOD},
        "gateway": {"1.1.1": Outcome("OK", "FAILED", None, 0.1)},
    }
    assert summary(reports).splitlines() == [
        "direct   2 cases in 0 s: 2 OK/OK",
        "gateway  1 cases in 0 s: 1 OK/FAILED",
    ]
