"""Okta, whose session ends at an address of its organisation, and by OpenID Connect for who has the hint."""

from __future__ import annotations

from gateway.oidc.providers.descriptor import HopKind, ProviderKind, Registration, Return
from gateway.oidc.signout.sign_outs import ID_TOKEN, Ends, FormUse, Proof, SignOut, Without

_LOGIN = "Applications > your app > General > Login"
KIND = ProviderKind(
    name="okta",
    hosts=(".okta.com", ".oktapreview.com", ".okta-emea.com", ".okta-gov.com"),
    slash=False,
    label="Okta",
    console="Okta",
    hop="okta_signout",
    provider_hint="idp",
    auth_time_proves=True,
    max_age=True,
    by_oidc=SignOut(Proof.STATE, Ends.WITH_HINT, FormUse.ALWAYS, ID_TOKEN, Without.STRANDED),
    sign_in=(_LOGIN, "Sign-in redirect URIs"),
    sign_out=(_LOGIN, "Sign-out redirect URIs"),
    front_channel=(
        "your app, with participateSlo (Identity Engine, early access)",
        "frontchannel_logout_uri",
    ),
    instead="Okta has universal_logout, security_events and okta_event_hook",
)
HOP = HopKind(
    name="okta_signout",
    of="okta",
    label="Okta",
    known=SignOut(Proof.PATH, Ends.ALWAYS),
    address="{behind}/login/signout?fromURI={return_to}",
    example="https://example.okta.com",
    stands_in_for="oidc",
    registers=(
        Registration(
            "Okta",
            "Security > API > Trusted Origins, type Redirect",
            "Origin URL",
            "{origin}",
            "scheme, host and port, without a path; without it the browser stays on a page of Okta's",
        ),
    ),
    question="Does Okta trust our origin, and send the browser back?",
    returns=Return.TRUSTED,
)
