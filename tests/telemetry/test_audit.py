"""The audit trail: a line for every event, and a listener that cannot get in the way."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from gateway.core.session.revocation_keys import isid_key, sid_key
from gateway.telemetry.audit import AuditEvent, AuditKind, AuditTrail
from gateway.telemetry.log import configure, session_mark


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    text = io.StringIO()
    configure(stream=text)
    yield text
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("kind", AuditKind)
def test_every_kind_is_a_line(stream: io.StringIO, kind: AuditKind) -> None:
    """Named by its kind and marked as audit; what does not apply is not in it."""
    AuditTrail().record(AuditEvent(kind, user="alice@example.com", durable=False))

    (line,) = lines(stream)
    assert line["event"] == kind.value
    assert line["audit"] is True
    assert line["user"] == "alice@example.com"
    assert line["durable"] is False
    assert set(line) == {"event", "audit", "user", "durable", "level", "time", "part"}


def test_a_session_is_told_by_its_mark_only(stream: io.StringIO) -> None:
    """Neither as a field nor in the revocation key: a log is no cookie jar."""
    event = AuditEvent(AuditKind.REVOKED, sid="the-sid", revocation=sid_key("the-sid"), reason="logout")
    AuditTrail().record(event)

    (line,) = lines(stream)
    assert "the-sid" not in json.dumps(line)
    assert line["session"] == event.session == session_mark("the-sid")
    assert line["revocation"] == "sid:" + session_mark("the-sid")


def test_other_revocation_keys_are_told(stream: io.StringIO) -> None:
    """Who was signed out is what an audit is for."""
    AuditTrail().record(AuditEvent(AuditKind.REVOKED, revocation="sub:https://i|alice", policies=("admins",)))

    (line,) = lines(stream)
    assert line["revocation"] == "sub:https://i|alice"
    assert line["policies"] == ["admins"]


def test_the_listener_hears_the_event(stream: io.StringIO) -> None:
    """As a value, after it was written down."""
    heard: list[AuditEvent] = []
    event = AuditEvent(AuditKind.HOP_RETURNED, hop="cognito", evidence="state")
    AuditTrail(heard.append).record(event)

    assert heard == [event]
    assert len(lines(stream)) == 1


def test_a_failing_listener_stops_nothing(stream: io.StringIO) -> None:
    """Its error is a line of its own."""

    def fails(_event: AuditEvent) -> None:
        raise RuntimeError("no terminal")

    AuditTrail(fails).record(AuditEvent(AuditKind.LOGIN))

    assert [line["event"] for line in lines(stream)] == ["login", "audit_listener_failed"]


def test_a_receipt_is_in_its_line_as_it_was_signed(stream: io.StringIO) -> None:
    """It looks like a token, and is made to be read."""
    event = AuditEvent(
        AuditKind.LOGOUT_FINISHED, mark="0a1b2c", logout="id", receipt="eyJhbGciOiJF.eyJpc3M.c2ln"
    )
    AuditTrail().record(event)

    (line,) = lines(stream)
    assert (line["receipt"], line["logout"], line["session"]) == ("eyJhbGciOiJF.eyJpc3M.c2ln", "id", "0a1b2c")


def test_a_session_at_the_provider_is_told_by_its_mark_only(stream: io.StringIO) -> None:
    """Its id is in logout tokens, which make others act."""
    AuditTrail().record(AuditEvent(AuditKind.REVOKED, revocation=isid_key("https://idp", "the-sid")))

    (line,) = lines(stream)
    assert line["revocation"] == f"isid:https://idp|{session_mark('the-sid')}"
