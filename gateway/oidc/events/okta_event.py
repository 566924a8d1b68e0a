"""Deliveries of an Okta event hook: which of its events end whose sessions (rule R21, facts B.8).

The events are those of Okta's System Log. Each has an actor, who did it, and targets, to whom it was done; somebody who
signs out is the actor and, usually, named nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway.core.errors import ProviderError
from gateway.core.session.revocation_keys import email_key, idp_key
from gateway.oidc.events.subject_ids import MAX_NAME, Namespace
from gateway.oidc.wire import has_control, json_object

MAX_DELIVERY: Final = 512 * 1024
"""Bytes."""
MAX_EVENTS: Final = 200
"""In one delivery."""
SIGNED_OUT: Final = "user.session.end"
ENDING: Final = frozenset(
    {SIGNED_OUT, "user.session.clear", "user.lifecycle.deactivate", "user.lifecycle.suspend"}
)
"""Events that can end sessions."""
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9._~+/=-]{1,512}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Person:
    """A user as Okta names one.

    :ivar user_id: ``00u…``. :ivar login: usually an e-mail address, and the NameID that SAML applications get.
    """

    user_id: str | None
    login: str | None

    def is_also(self, other: Person) -> bool:
        """Whether both are one user."""
        return (self.user_id or self.login) in {other.user_id, other.login}

    def keys(self, namespace: Namespace | None) -> tuple[str, ...]:
        """The revocation keys of this user, each once; none when nothing that Okta says is a name here.

        :param namespace: of the org; None when it is not known whose ids these are.
        """
        keys: list[str] = []
        if namespace is not None and self.user_id is not None:
            keys += namespace.user(self.user_id)
        if self.login is not None:
            local, _, domain = self.login.partition("@")
            if local and domain and "@" not in domain:
                keys.append(email_key(self.login))
            if namespace is not None and namespace.provider is not None:
                keys.append(idp_key(namespace.provider, self.login))
        return tuple(dict.fromkeys(keys))


@dataclass(frozen=True, slots=True)
class OktaEvent:
    """One event of a delivery.

    :ivar event_id: its ``uuid``. :ivar published: seconds; None where it does not say.
    :ivar user: whose sessions it is about; None where it names nobody, or is of a kind that ends none.
    :ivar by_user: the user has signed out; nobody has thrown them out.
    """

    event_id: str | None
    kind: str
    published: int | None
    user: Person | None
    by_user: bool = False


def verification(challenge: str) -> str | None:
    """What answers Okta's question whether we want its events; None for what is no such question.

    Anybody may ask. The answer is the question, so it is kept to what can be no markup, script or header.
    """
    return challenge if _CHALLENGE.fullmatch(challenge) else None


def read_delivery(body: bytes) -> tuple[OktaEvent, ...]:
    """The events in ``body``, those of every kind. What failed at Okta did not happen and is left out.

    :raises ProviderError: ``malformed_delivery``.
    """
    data = json_object(body, "the delivery", code="malformed_delivery").get("data")
    events = data.get("events") if isinstance(data, dict) else None
    if not isinstance(events, list) or len(events) > MAX_EVENTS:
        raise ProviderError("malformed_delivery", "the delivery has no list of events, or too long a one")
    found = [_event(event) for event in events]
    return tuple(event for event in found if event is not None)


def _event(event: object) -> OktaEvent | None:
    if not isinstance(event, dict) or not isinstance(kind := event.get("eventType"), str):
        raise ProviderError("malformed_delivery", "an event of the delivery has no type")
    outcome = event.get("outcome")
    if isinstance(outcome, dict) and outcome.get("result") in {"FAILURE", "DENY", "SKIPPED"}:
        return None
    event_id = _text(event.get("uuid"))
    if kind not in ENDING:
        return OktaEvent(event_id, kind, None, None)
    actor = _person(event.get("actor"))
    targets = event.get("target")
    target = next(filter(None, map(_person, targets)), None) if isinstance(targets, list) else None
    by_user = kind == SIGNED_OUT and actor is not None and (target is None or actor.is_also(target))
    # Whoever clears, deactivates or suspends is an administrator: without a target it is about nobody.
    user = target or (actor if kind == SIGNED_OUT else None)
    return OktaEvent(event_id, kind, _time(event.get("published")), user, by_user)


def _person(entity: object) -> Person | None:
    """A user among the entities of an event; None for applications, policies and Okta itself."""
    if not isinstance(entity, dict) or entity.get("type") != "User":
        return None
    person = Person(_text(entity.get("id")), _text(entity.get("alternateId")))
    return person if person != Person(None, None) else None


def _text(value: object) -> str | None:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or has_control(value):
        return None
    return value


def _time(value: object) -> int | None:
    """A time as ``2026-10-10T12:00:00.000Z``."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None
