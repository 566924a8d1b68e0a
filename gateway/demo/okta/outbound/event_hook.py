"""Event hooks: what Okta's System Log says, posted with a secret that both sides know."""

from __future__ import annotations

import json

from gateway.demo import clock, dice
from gateway.demo.okta.outbound.delivery import Delivery
from gateway.demo.okta.outbound.orders import Kind, Order, session_index
from gateway.demo.okta.state import Okta
from gateway.demo.people import Person

CHALLENGE = "x-okta-verification-challenge"
BY_THE_USER = frozenset({"user.session.start", "user.session.end"})
ADMIN = {
    "id": "00u0admin00000000d7",
    "type": "User",
    "alternateId": "admin@example.com",
    "displayName": "Ada Admin",
}


def build(okta: Okta, order: Order) -> Delivery:
    """Return the POST with all *events* of the order, or the GET that Okta verifies a hook with."""
    headers = {"Accept": "application/json"} | _authorization(okta, order.choices["secret"])
    if order.variant == "challenge":
        return Delivery(order.url, b"", headers | {CHALLENGE: dice.token(16)}, "GET")
    headers["Content-Type"] = "application/json"
    if order.variant == "malformed_body":
        return Delivery(order.url, b'{"data": ', headers)
    return Delivery(order.url, json.dumps(_hook(okta, order)).encode(), headers)


def _authorization(okta: Okta, which: str) -> dict[str, str]:
    if which == "missing":
        return {}
    return {"Authorization": okta.common.options.hook_secret if which == "good" else "not-the-secret"}


def _hook(okta: Okta, order: Order) -> dict[str, object]:
    event_time = clock.now() - (24 * 3600 if order.variant == "late" else 0)
    session = session_index(okta, order.person)
    events = [_event(name, order.person, session, event_time) for name in order.events]
    if order.variant == "no_user":
        events = [event | {"actor": ADMIN, "target": []} for event in events]
    return {
        "eventType": "com.okta.event_hook",
        "eventTypeVersion": "1.0",
        "cloudEventsVersion": "0.1",
        "source": f"{okta.url}/api/v1/eventHooks/who1demo0000000000d7",
        "eventId": dice.identifier(),
        "eventTime": clock.instant(clock.now()),
        "contentType": "application/json",
        "data": {"events": events},
    }


def _event(name: str, person: Person, session: str, at: int) -> dict[str, object]:
    """Return one entry of the System Log; what an administrator does has the user as its target."""
    user = {
        "id": person.user_id,
        "type": "User",
        "alternateId": person.email,
        "displayName": person.name,
    }
    own = name in BY_THE_USER
    return {
        "uuid": dice.identifier(),
        "published": clock.instant(at),
        "eventType": name,
        "version": "0",
        "severity": "INFO",
        "actor": user if own else ADMIN,
        "target": None if own else [user],
        "outcome": {"result": "SUCCESS"},
        "authenticationContext": {"externalSessionId": session if own else "unknown"},
    }


EVENT_HOOK = Kind(
    path="/oauth2/okta-events",
    build=build,
    variants=("good", "challenge", "malformed_body", "no_user", "late"),
    events=(
        "user.session.end",
        "user.session.clear",
        "user.lifecycle.suspend",
        "user.lifecycle.deactivate",
        "user.session.start",
    ),
    choices={"secret": ("good", "wrong", "missing")},
)
