"""What keys say about each other: Okta's ways in, and whose users its names are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.config import CheckResult, Severity
from gateway.settings.secret_files import revealed
from tests.fakes.certificates import self_signed
from tests.fakes.forge import rsa_key

ORG = "https://example.okta.com"
KEYS = f"{ORG}/oauth2/v1/keys"
CALL = {"issuer": ORG, "subject": "0oaAPP", "jwks_uri": KEYS}
EVENTS = {"issuer": ORG, "audience": "https://app.example.com", "jwks_uri": KEYS}
HOOK = {"issuer": ORG, "secret": "a-secret-that-is-long-enough"}
LINKED = {"provider.linked_providers": {ORG: "Okta"}}


def findings(examination: CheckResult, key: str) -> list[tuple[Severity, str]]:
    """What is said about ``key``."""
    return [(found.severity, found.what) for found in examination.findings if found.key == key]


def test_all_three_can_be_opened(examined: Any) -> None:
    """With the org linked to the provider behind Cognito there is nothing to say about any of them."""
    sections = {"universal_logout": CALL, "security_events": EVENTS, "okta_event_hook": HOOK}
    examination = examined({"inbound": sections, **LINKED})
    assert examination.settings is not None, examination.findings
    assert not [found for found in examination.findings if found.key.startswith("inbound")]
    asked = examination.settings.inbound
    assert asked.security_events.events == (
        "session-revoked",
        "account-disabled",
        "account-purged",
        "credential-compromise",
    )
    assert asked.okta_event_hook.session_end == "ignore"


@pytest.mark.parametrize(
    ("changes", "key", "what"),
    [
        ({"universal_logout": {**CALL, "jwks_uri": None}}, "inbound.universal_logout", "and not both"),
        (
            {"universal_logout": {**CALL, "certificate_file": "client-secret"}},
            "inbound.universal_logout",
            "and not both",
        ),
        (
            {"universal_logout": {**CALL, "jwks_uri": None, "certificate_file": "client-secret"}},
            "inbound.universal_logout.certificate_file",
            "holds no certificate",
        ),
        (
            {"universal_logout": {**CALL, "jwks_uri": "http://x.okta.com/k"}},
            "inbound.universal_logout.jwks_uri",
            "https",
        ),
        (
            {"security_events": {**EVENTS, "issuer": "http://x.okta.com"}},
            "inbound.security_events.issuer",
            "https",
        ),
        (
            {"security_events": {**EVENTS, "poll_endpoint": f"{ORG}/poll"}},
            "inbound.security_events.poll_endpoint",
            "needs a token",
        ),
        (
            {"security_events": {**EVENTS, "events": ["logout"]}},
            "inbound.security_events.events[0]",
            "choices",
        ),
        ({"okta_event_hook": {"issuer": ORG}}, "inbound.okta_event_hook", "has no secret"),
        ({"okta_event_hook": {"secret": "short"}}, "inbound.okta_event_hook.secret", "shorter than 20"),
        (
            {"okta_event_hook": {"secret": "x" * 30, "secret_file": "client-secret"}},
            "inbound.okta_event_hook.secret_file",
            "both set",
        ),
    ],
)
def test_contradictions_are_findings(examined: Any, changes: dict[str, Any], key: str, what: str) -> None:
    """Each keeps the gateway from starting, and no secret is in any of them."""
    examination = examined({"inbound": changes, **LINKED})
    assert examination.settings is None
    said = findings(examination, key)
    assert any(severity is Severity.ERROR and what in words for severity, words in said), examination.findings
    assert "x" * 30 not in str(examination.findings)


def test_secrets_can_stand_in_files(examined: Any, house: Path) -> None:
    """Of sections that may be absent, too."""
    for name in ("hook-secret", "events-token"):
        (house / name).write_text("a-secret-that-is-long-enough\n")
        (house / name).chmod(0o600)
    sections = {
        "okta_event_hook": {"issuer": ORG, "secret_file": "hook-secret"},
        "security_events": {**EVENTS, "poll_endpoint": f"{ORG}/poll", "token_file": "events-token"},
    }
    examination = examined({"inbound": sections, **LINKED})
    assert examination.settings is not None, examination.findings
    asked = examination.settings.inbound
    assert revealed(asked.okta_event_hook.secret) == "a-secret-that-is-long-enough"
    assert revealed(asked.security_events.token) == "a-secret-that-is-long-enough"


def test_a_certificate_is_looked_at(examined: Any, house: Path) -> None:
    """One of a kind or length that no signature would be believed of is a finding."""
    asked = {**CALL, "jwks_uri": None, "certificate_file": "okta.pem"}
    (house / "okta.pem").write_bytes(self_signed("Okta", rsa_key("saml").private))
    examination = examined({"inbound": {"universal_logout": asked}, **LINKED})
    assert examination.settings is not None, examination.findings
    (house / "okta.pem").write_bytes(self_signed("Okta", rsa_key("weak", bits=1024).private))
    examination = examined({"inbound": {"universal_logout": asked}, **LINKED})
    ((severity, what),) = findings(examination, "inbound.universal_logout.certificate_file")
    assert (severity, "kind or length" in what) == (Severity.ERROR, True)


def test_r19_an_issuer_that_is_not_linked_is_warned_of(examined: Any) -> None:
    """Its user ids would find nobody; and addresses are rarely verified behind Cognito."""
    said = findings(examined({"inbound": {"universal_logout": CALL}}), "inbound.universal_logout")
    assert [severity for severity, _ in said] == [Severity.WARNING] * 2
    assert any("only e-mail addresses find sessions" in what for _, what in said)
    trusted = {"provider.trusted_email_from": ["Okta"]}
    said = findings(examined({"inbound": {"universal_logout": CALL}, **trusted}), "inbound.universal_logout")
    assert len(said) == 1
    for link in ("linked_subjects", "linked_providers"):
        changes = {"inbound": {"universal_logout": CALL}, f"provider.{link}": {ORG: "custom:okta_id"}}
        assert findings(examined(changes), "inbound.universal_logout") == []


def test_r21_what_a_plain_sign_out_would_end_is_noted(examined: Any) -> None:
    """Where it ends anything."""
    asked = {"inbound": {"okta_event_hook": {**HOOK, "session_end": "user"}}, **LINKED}
    ((severity, what),) = findings(examined(asked), "inbound.okta_event_hook.session_end")
    assert severity is Severity.NOTE
    assert "in all browsers" in what


def test_a_stream_that_ends_nothing_is_warned_of(examined: Any) -> None:
    """Somebody meant something else."""
    asked = {"inbound": {"security_events": {**EVENTS, "events": []}}, **LINKED}
    ((severity, what),) = findings(examined(asked), "inbound.security_events.events")
    assert (severity, "ends nothing" in what) == (Severity.WARNING, True)
