"""An examination as people read it, and as programs do."""

from __future__ import annotations

import json

from gateway.doctor.examination import Examination
from gateway.doctor.report import WIDTH, as_data, lines, register_lines, summary
from gateway.doctor.verdict import failed, ok, unknown, warning
from gateway.oidc.providers.descriptor import Registration

ADDRESS = "https://example.auth.eu-west-1.amazoncognito.com/logout?client_id=" + "x" * 100
ENTRY = Registration(
    "Okta", "Security > API", "Origin URL", "https://app.example.com", "or people are stranded"
)
SEEN = Examination(
    "gateway.yaml",
    (
        ("discovery", ok("https://id.example.com", "is there")),
        ("hop-cognito", failed(ADDRESS, "word " * 40, "paste " + ADDRESS)),
        ("hop-cognito", unknown("x", "nobody knows")),
        ("state-file", warning("/var", "is full", "make room")),
    ),
    (ENTRY,),
)


def test_the_list_names_each_check_once() -> None:
    """Verdict, what was looked at, what was seen, the fix."""
    shown = list(lines(SEEN))
    assert [line for line in shown[:-1] if line and not line.startswith(" ")] == [
        "discovery",
        "hop-cognito",
        "state-file",
        "What to register, to be pasted as it is",
        "Okta",
    ]
    assert "  ok      https://id.example.com" in shown
    assert "          fix: make room" in shown
    assert shown[-1].startswith(
        "gateway.yaml: 1 failed, 1 to look at, 1 that cannot be known from here, 1 good"
    )


def test_addresses_stay_whole() -> None:
    """They are there to be pasted, however long; words are wrapped."""
    shown = list(lines(SEEN))
    assert sum(ADDRESS in line for line in shown) == 2
    assert all(len(line) <= WIDTH for line in shown[:-1] if ADDRESS not in line)
    assert "      https://app.example.com" in list(register_lines([ENTRY]))


def test_programs_get_all_of_it() -> None:
    """As JSON."""
    data = json.loads(json.dumps(as_data(SEEN)))
    assert data["sound"] is False
    assert data["checks"][3] == {
        "check": "state-file",
        "looked_at": "/var",
        "verdict": "warning",
        "what": "is full",
        "fix": "make room",
    }
    assert data["register"][0]["value"] == "https://app.example.com"


def test_who_was_not_asked_is_said() -> None:
    """A report without --live is only half of it."""
    assert "--live" in summary(SEEN)
    assert "--live" not in summary(Examination("x", SEEN.seen, live=True))
