"""Universal Logout: Okta's call to an application to end everything of one user (Global Token Revocation)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from gateway.demo import clock, dice, keys
from gateway.demo.okta.outbound.delivery import Delivery
from gateway.demo.okta.outbound.drafts import VARIANTS, Draft
from gateway.demo.okta.outbound.orders import Kind, Order, application_id
from gateway.demo.okta.state import Okta
from gateway.demo.people import Person

TYPE = "global-token-revocation+jwt"
LIFE = 300
SAML = ("saml", "slo")
BODIES: Mapping[str, bytes] = {
    "malformed_body": b'{"sub_id": ',
    "no_subject": b"{}",
    "unknown_format": b'{"sub_id": {"format": "phone_number", "phone_number": "+1"}}',
}


def build(okta: Okta, order: Order) -> Delivery:
    """Return the call: a signed token in Authorization, the subject in the body."""
    headers = {"Content-Type": "application/json"}
    if order.variant != "no_token":
        change = VARIANTS.get(order.variant, VARIANTS["good"])
        headers["Authorization"] = f"Bearer {change(_draft(okta, order)).text()}"
    if order.variant == "wrong_content_type":
        headers["Content-Type"] = "text/plain"
    subject = {"sub_id": _subject(okta.url, order.person, order.choices["format"])}
    body = BODIES.get(order.variant, json.dumps(subject).encode())
    return Delivery(order.url, body, headers)


def _draft(okta: Okta, order: Order) -> Draft:
    saml = _is_saml(okta, order.choices["app"])
    key = keys.signing_key("okta saml") if saml else okta.servers[0].key
    now = clock.now()
    claims = {
        "iss": okta.url,
        "sub": application_id(okta, saml=saml),
        "aud": order.url.partition("?")[0],
        "jti": dice.token(16),
        "iat": now,
        "exp": now + LIFE,
        "nbf": now - LIFE,
    }
    return Draft(header={"typ": TYPE, "kid": key.kid}, claims=claims, key=key)


def _is_saml(okta: Okta, app: str) -> bool:
    """Say which key signs: the application's own certificate for SAML, the org's key for OpenID Connect."""
    return okta.common.options.federation in SAML if app == "configured" else app == "saml"


def _subject(issuer: str, person: Person, form: str) -> dict[str, str]:
    if form == "iss_sub":
        return {"format": form, "iss": issuer, "sub": person.user_id}
    if form == "opaque":
        return {"format": form, "id": person.user_id}
    return {"format": "email", "email": person.email}


UNIVERSAL_LOGOUT = Kind(
    path="/oauth2/global-token-revocation",
    build=build,
    variants=(*VARIANTS, "no_token", "wrong_content_type", *BODIES),
    choices={"format": ("email", "iss_sub", "opaque"), "app": ("configured", "saml", "oidc")},
)
