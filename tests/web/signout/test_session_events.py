"""What happened to sessions, told once to the audit trail and to the metrics."""

from __future__ import annotations

from dataclasses import replace

from gateway.core.gate import Allow, Challenge, Deny
from gateway.core.http.facts import DoorRules, build
from gateway.core.session.session import Principal, Session
from gateway.core.signout import chain as chains
from gateway.core.signout.chain import Chain, ChainLimits
from gateway.core.signout.evidence import Evidence
from gateway.oidc.jose.jwks import KeySet
from gateway.oidc.signout.signed_receipt import ReceiptKey, verified
from gateway.telemetry.audit import AuditEvent, AuditKind, AuditTrail
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.receipts import ReceiptBook
from gateway.web.signout.session_events import SessionEvents

NOW = 1_700_000_000
WHO = Session(
    "sid-secret",
    "log",
    Principal("https://idp", "s-1", "alice", email="a@x"),
    (),
    NOW,
    1,
    NOW + 1,
    NOW + 1,
    0,
    "token-secret",
)


def events() -> tuple[SessionEvents, list[AuditEvent], Metrics]:
    told: list[AuditEvent] = []
    metrics = Metrics()
    return SessionEvents(AuditTrail(told.append), metrics), told, metrics


def begun_by(*who: str) -> Chain:
    """A chain of the session with this mark, subject and user."""
    begun = chains.begin(["cognito"], ChainLimits(30, 120), now=NOW, nonce="n").chain
    return replace(begun, who=(who[0], who[1], who[2]) if who else None)


def test_a_sign_in_and_out_is_told_in_order() -> None:
    """Who, from where, which hops, on what evidence."""
    book, told, metrics = events()
    book.login(WHO, "192.0.2.1")
    begun = begun_by("mark", "s-1", "alice")
    book.logout_started(begun, "post")
    done = chains.returned(begun, "cognito", Evidence.CAME_BACK, ChainLimits(30, 120), now=NOW)
    assert done is not None
    book.hop(done.chain.hops[0])
    book.logout_finished(done.chain)
    assert [event.kind for event in told] == [
        AuditKind.LOGIN, AuditKind.LOGOUT_STARTED, AuditKind.HOP_RETURNED, AuditKind.LOGOUT_FINISHED,
    ]  # fmt: skip
    assert (told[0].user, told[0].client) == ("alice", "192.0.2.1")
    assert (told[2].hop, told[2].evidence) == ("cognito", "came_back")
    assert told[3].hops == ("cognito:returned",)
    for event in (told[1], told[3]):
        assert (event.session, event.subject, event.user) == ("mark", "s-1", "alice")
    assert told[1].logout == told[3].logout is not None
    assert told[3].receipt is None
    exposed = metrics.exposition().decode()
    assert 'gateway_logins_total{result="ok"} 1.0' in exposed
    assert "secret" not in exposed


def test_a_failed_hop_is_told_as_failed() -> None:
    """Never as a return."""
    book, told, _ = events()
    book.hop(chains.HopState("okta", chains.FAILED, NOW, Evidence.NO_RETURN, 2))
    assert told[0].kind is AuditKind.HOP_FAILED


def test_a_logout_of_nobody_is_told() -> None:
    """There was no session: nothing is invented."""
    book, told, _ = events()
    book.logout_started(begun_by(), "get")
    assert (told[0].session, told[0].user) == (None, None)


def test_what_is_told_of_a_sign_out_is_signed_where_there_is_a_key() -> None:
    """Both lines, and the user's copy."""
    told: list[AuditEvent] = []
    key = ReceiptKey.new()
    book = SessionEvents(AuditTrail(told.append), Metrics(), ReceiptBook("https://app", "https://idp", key))
    begun = begun_by("mark", "s-1", "alice")
    book.logout_started(begun, "post")
    done = chains.returned(begun, "cognito", Evidence.CAME_BACK, ChainLimits(30, 120), now=NOW)
    assert done is not None
    book.logout_finished(done.chain)
    tokens = [told[0].receipt, told[1].receipt, book.copy_of(done.chain)]
    read = [verified(token or "", KeySet((key.public,))) for token in tokens]
    assert [receipt.state for receipt in read] == ["started", "finished", "finished"]
    assert {receipt.logout for receipt in read} == {told[0].logout}


def test_a_refusal_names_its_policies_and_the_path_without_query() -> None:
    """R34: what was asked for, not with which values."""
    book, told, _ = events()
    rules = DoorRules("https", frozenset({"app.example.com"}))
    facts = build("GET", "/admin?token=zzz", [(b"Host", b"app.example.com")], "192.0.2.1", rules)
    book.denied(facts, WHO, "denied", ("admins-only",))
    assert told[0].policies == ("admins-only",)
    assert told[0].path == "/admin"
    assert "zzz" not in repr(told[0])


def test_verdicts_are_counted() -> None:
    """Each kind by its reason."""
    book, told, metrics = events()
    for verdict in (
        Allow(WHO, ("p",)),
        Allow(None, ()),
        Challenge("idle_expired"),
        Deny("denied", ("q",)),
        Deny("cross_origin"),
    ):
        book.decided(verdict)
    assert told == []
    exposed = metrics.exposition().decode()
    for text in ("idle_expired", "cross_origin", 'policy="p"', 'policy="q"', "anonymous"):
        assert text in exposed


def test_no_event_shows_a_token() -> None:
    """The refresh token is in no repr of anything that is told."""
    book, told, _ = events()
    book.login(WHO, "192.0.2.1")
    assert "token-secret" not in repr(told) + repr(WHO)
