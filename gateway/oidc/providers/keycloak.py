"""Keycloak."""

from __future__ import annotations

from gateway.oidc.providers.descriptor import FORMS, HopKind, ProviderKind
from gateway.oidc.signout.sign_outs import ID_TOKEN, Ends, FormUse, Proof, SignOut

_SETTINGS = "Clients > your client > Settings"
KIND = ProviderKind(
    name="keycloak",
    slash=False,
    label="Keycloak",
    console="Keycloak",
    hop="keycloak",
    token_kind=("typ", "ID"),
    provider_hint="kc_idp_hint",
    auth_time_proves=True,
    by_oidc=SignOut(Proof.STATE, Ends.ALWAYS, FormUse.LONG, ID_TOKEN),
    derived=("", "/protocol/openid-connect/logout"),
    sign_in=(_SETTINGS, "Valid redirect URIs"),
    sign_out=(_SETTINGS, "Valid post logout redirect URIs"),
    back_channel=(f"{_SETTINGS} > Logout settings", "Backchannel logout URL"),
    front_channel=(f"{_SETTINGS} > Logout settings", "Front-channel logout URL"),
)
HOP = HopKind(
    name="keycloak", of="keycloak", choices=FORMS, question="Does Keycloak know our return address?"
)
