"""OpenID Connect back-channel logout tokens. Okta sends none; providers such as Keycloak do, with tokens like these."""

from __future__ import annotations

from urllib.parse import urlencode

from gateway.demo import clock, dice
from gateway.demo.okta.outbound.delivery import Delivery
from gateway.demo.okta.outbound.drafts import VARIANTS, Change, Draft
from gateway.demo.okta.outbound.orders import Kind, Order, session_index
from gateway.demo.okta.state import Okta
from gateway.demo.options import CLIENT_ID

EVENT = "http://schemas.openid.net/event/backchannel-logout"
LIFE = 120

_OWN: dict[str, Change] = {
    "sid_only": lambda draft: draft.claiming(sub=None),
    "sub_only": lambda draft: draft.claiming(sid=None),
    "neither_sub_nor_sid": lambda draft: draft.claiming(sub=None, sid=None),
    "with_nonce": lambda draft: draft.claiming(nonce="n"),
    "no_events": lambda draft: draft.claiming(events=None),
    "other_event": lambda draft: draft.claiming(events={"urn:example:other": {}}),
    "event_is_no_object": lambda draft: draft.claiming(events={EVENT: True}),
    "an_id_token": lambda draft: draft.headed(typ=None).claiming(events=None, nonce="n"),
}
_CHANGES = {**VARIANTS, **_OWN}


def build(okta: Okta, order: Order) -> Delivery:
    """Return the form with a logout token in it."""
    draft = _draft(okta, order)
    fields = [("logout_token", _CHANGES.get(order.variant, VARIANTS["good"])(draft).text())]
    if order.variant == "given_twice":
        fields *= 2
    if order.variant == "no_logout_token":
        fields = []
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if order.variant == "wrong_content_type":
        headers["Content-Type"] = "text/plain"
    return Delivery(order.url, urlencode(fields).encode(), headers)


def _draft(okta: Okta, order: Order) -> Draft:
    server = okta.servers[0]
    now = clock.now()
    claims = {
        "iss": server.issuer,
        "aud": CLIENT_ID,
        "iat": now,
        "exp": now + LIFE,
        "jti": dice.token(16),
        "sub": order.person.user_id,
        "sid": session_index(okta, order.person),
        "events": {EVENT: {}},
    }
    return Draft(header={"typ": "logout+jwt", "kid": server.key.kid}, claims=claims, key=server.key)


LOGOUT_TOKEN = Kind(
    path="/oauth2/backchannel-logout",
    build=build,
    variants=(*_CHANGES, "given_twice", "no_logout_token", "wrong_content_type"),
)
