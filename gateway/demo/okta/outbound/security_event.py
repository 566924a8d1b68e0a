"""Shared signals (SSF, CAEP): security event tokens in the shape Okta sends, and in that of SSF 1.0."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.demo import clock, dice
from gateway.demo.okta.outbound.delivery import Delivery
from gateway.demo.okta.outbound.drafts import VARIANTS, Change, Draft
from gateway.demo.okta.outbound.orders import Kind, Order, session_index
from gateway.demo.okta.state import Okta
from gateway.demo.people import Person

EVENTS: Mapping[str, str] = {
    "session-revoked": "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
    "credential-change": "https://schemas.openid.net/secevent/caep/event-type/credential-change",
    "account-disabled": "https://schemas.openid.net/secevent/risc/event-type/account-disabled",
    "verification": "https://schemas.openid.net/secevent/ssf/event-type/verification",
    "stream-updated": "https://schemas.openid.net/secevent/ssf/event-type/stream-updated",
    "unheard-of": "https://schemas.example/event-type/unheard-of",
}
ABOUT_THE_STREAM = frozenset({"verification", "stream-updated"})
DETAILS: Mapping[str, Mapping[str, object]] = {
    "credential-change": {"credential_type": "password", "change_type": "update"},
    "account-disabled": {"reason": "hijacking"},
    "stream-updated": {"status": "enabled"},
}
STREAM = "stream-that-nobody-made"
OKTA, FINAL = "okta", "final"

_OWN: dict[str, Change] = {
    "no_events": lambda draft: draft.claiming(events=None),
    "no_subject": lambda draft: draft.claiming(sub_id=None, events=_bare(draft)),
    "sub_at_the_top": lambda draft: draft.claiming(sub="somebody"),
    "exp_at_the_top": lambda draft: draft.claiming(exp=clock.now() + 300),
    "iat_is_text": lambda draft: draft.claiming(iat="yesterday"),
}
_CHANGES = {**VARIANTS, **_OWN}


def build(okta: Okta, order: Order) -> Delivery:
    """Return the push of one token (RFC 8935)."""
    draft = drafted(
        okta,
        order.person,
        order.events,
        shape=order.choices["shape"],
        subject=order.choices["format"],
        state=STREAM if order.variant == "unasked_state" else None,
    )
    token = _CHANGES.get(order.variant, VARIANTS["good"])(draft).text()
    kind = "text/plain" if order.variant == "wrong_content_type" else "application/secevent+jwt"
    return Delivery(order.url, token.encode(), {"Content-Type": kind, "Accept": "application/json"})


def drafted(
    okta: Okta,
    person: Person,
    events: tuple[str, ...],
    *,
    shape: str,
    subject: str = "iss_sub",
    stream: str = STREAM,
    state: str | None = None,
) -> Draft:
    """Return a token about *person*, or about *stream* for the events that are; *state* is a receiver's own."""
    about = (
        {"format": "opaque", "id": stream}
        if ABOUT_THE_STREAM & set(events)
        else _subject(okta, person, subject)
    )
    now = clock.now()
    at = now if shape == FINAL else now * 1000  # Okta's example counts milliseconds
    inner: dict[str, object] = {"event_timestamp": at} | ({"state": state} if state else {})
    claims: dict[str, object] = {
        "iss": okta.url,
        "aud": okta.common.options.app,
        "iat": now,
        "jti": dice.token(16),
    }
    if shape == FINAL:
        claims["sub_id"] = about
    else:
        inner["subject"] = about
    claims["events"] = {EVENTS[name]: {**inner, **DETAILS.get(name, {})} for name in events}
    key = okta.servers[0].key
    return Draft(header={"typ": "secevent+jwt", "kid": key.kid}, claims=claims, key=key)


def _subject(okta: Okta, person: Person, form: str) -> dict[str, object]:
    user = {"format": "iss_sub", "iss": okta.url, "sub": person.user_id}
    session = {"format": "opaque", "id": session_index(okta, person)}
    forms: dict[str, dict[str, object]] = {
        "iss_sub": {**user},
        "email": {"format": "email", "email": person.email},
        "opaque": {"format": "opaque", "id": person.user_id},
        "complex": {"format": "complex", "user": user, "session": session},
    }
    return forms[form]


def _bare(draft: Draft) -> dict[str, object]:
    events = draft.claims["events"]
    return {name: {} for name in events} if isinstance(events, dict) else {}


SECURITY_EVENT = Kind(
    path="/oauth2/security-events",
    build=build,
    variants=(*_CHANGES, "unasked_state", "wrong_content_type"),
    events=tuple(EVENTS),
    choices={"shape": (OKTA, FINAL), "format": ("iss_sub", "email", "opaque", "complex")},
)
