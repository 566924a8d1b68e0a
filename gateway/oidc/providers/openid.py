"""Any other provider that speaks OpenID Connect, and any address that ends a session."""

from __future__ import annotations

from gateway.oidc.providers.descriptor import FORMS, HopKind, ProviderKind
from gateway.oidc.signout.sign_outs import Ends, Proof, SignOut

_SETTINGS = "the client's settings"
KIND = ProviderKind(
    name="oidc",
    console="the OpenID provider",
    hop="oidc",
    sign_in=(_SETTINGS, "redirect_uris"),
    back_channel=(_SETTINGS, "backchannel_logout_uri"),
    front_channel=(_SETTINGS, "frontchannel_logout_uri"),
)
HOP = HopKind(
    name="oidc", choices=FORMS, question="Does the provider's end-session endpoint know our return address?"
)
ADDRESS = HopKind(
    name="url",
    known=SignOut(Proof.STATE_IF_ANY, Ends.NEVER),
    address="{behind}",
    example="https://idp.example.com/logout?to={return_to}",
    question="Does the configured address send the browser back?",
)
