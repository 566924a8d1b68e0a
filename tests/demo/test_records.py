"""The demo's data."""

from __future__ import annotations

from gateway.demo.records import REPORTS, USERS


def test_every_report_has_its_own_number_and_three_figures() -> None:
    """Reports are numbered from 1 without a gap, so that /reports/7 is a deep link that works."""
    assert [entry["id"] for entry in REPORTS] == list(range(1, len(REPORTS) + 1))
    assert all(isinstance(entry["figures"], list) and len(entry["figures"]) == 3 for entry in REPORTS)


def test_both_demo_people_have_an_account() -> None:
    """Alice is an administrator and Bob is not: the two roles that the demo shows."""
    groups = {user["email"]: user["groups"] for user in USERS}
    assert "admins" in groups["alice@example.com"]
    assert "admins" not in groups["bob@example.com"]
