"""Auth0: the hint is the ``sid`` claim, which is no token and may stand in an address."""

from __future__ import annotations

from gateway.oidc.providers.descriptor import HopKind, ProviderKind
from gateway.oidc.signout.sign_outs import Ends, Proof, SignOut

_SETTINGS = "Applications > your app > Settings"
KIND = ProviderKind(
    name="auth0",
    hosts=(".auth0.com",),
    slash=True,
    label="Auth0",
    console="Auth0",
    hop="auth0",
    provider_hint="connection",
    auth_time_proves=True,
    max_age=True,
    derived=("", "/oidc/logout"),
    sign_in=(_SETTINGS, "Allowed Callback URLs"),
    sign_out=(_SETTINGS, "Allowed Logout URLs"),
    back_channel=(f"{_SETTINGS} > OpenID Connect Back-Channel Logout", "Back-Channel Logout URI"),
    instead="Auth0 has back-channel logout",
)
HOP = HopKind(
    name="auth0",
    of="auth0",
    known=SignOut(Proof.STATE, Ends.WITH_HINT, hint="sid"),
    choices=("federated",),
    question="Does Auth0 know our return address?",
)
