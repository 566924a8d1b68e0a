"""What keys say about each other: who may end sessions from outside."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config import Severity

KEYCLOAK: dict[str, Any] = {
    "provider.kind": "keycloak", "provider.issuer": "https://sso.example.com/realms/x", "provider.domain": None,
    "logout.chain": [],
}  # fmt: skip


def said(examined: Any, changes: dict[str, Any], key: str) -> list[tuple[Severity, str, str]]:
    examination = examined(changes)
    assert examination.settings is not None, examination.findings
    return [
        (finding.severity, finding.what, finding.fix)
        for finding in examination.findings
        if finding.key == key
    ]


@pytest.mark.parametrize("key", ["backchannel", "frontchannel"])
def test_what_cognito_never_sends_is_warned_of(examined: Any, key: str) -> None:
    """Whoever opens a door that nobody comes through believes in something that is not so."""
    ((severity, what, fix),) = said(examined, {f"inbound.{key}": "true"}, f"inbound.{key}")
    assert severity is Severity.WARNING
    assert what.startswith("Cognito ")
    assert "okta_event_hook" in fix


def test_who_sends_them_is_not_warned_of(examined: Any) -> None:
    """Keycloak has both; what a frame can and cannot do is noted."""
    changes = {**KEYCLOAK, "inbound.backchannel": "true", "inbound.frontchannel": "true"}
    assert said(examined, changes, "inbound.backchannel") == []
    ((severity, _, fix),) = said(examined, changes, "inbound.frontchannel")
    assert severity is Severity.NOTE
    assert "frontchannel_logout_session_required" in fix


def test_nothing_is_said_about_what_is_closed(examined: Any) -> None:
    """The default."""
    assert said(examined, {}, "inbound.backchannel") == said(examined, {}, "inbound.frontchannel") == []


@pytest.mark.parametrize(
    ("secret", "what"),
    [
        ("demo-event-hook-secret", "is the demo's, which is published, so anybody can sign anybody out"),
        ("nineteen-characters", "is shorter than 20 characters; whoever guesses it can sign anybody out"),
    ],
)
def test_r29_a_secret_that_can_be_known_is_refused_in_production(
    examined: Any, secret: str, what: str
) -> None:
    """The demo's as well as a short one; the finding does not repeat it."""
    findings = examined({"inbound.okta_event_hook.secret": secret}).findings
    assert [finding.what for finding in findings if finding.failing] == [what]


def test_r29_the_demos_hook_secret_is_welcome_on_localhost(examined: Any) -> None:
    """Where nobody else can send anything."""
    changes = {
        "public_url": "http://app.localhost:8080",
        "inbound.okta_event_hook.secret": "demo-event-hook-secret",
    }
    findings = examined(changes).findings
    assert [
        finding.key for finding in findings if finding.key.startswith("inbound") and finding.failing
    ] == []
