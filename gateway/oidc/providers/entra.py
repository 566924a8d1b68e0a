"""Microsoft Entra ID: the hint is the ``login_hint`` claim; without it Microsoft asks which account to sign out."""

from __future__ import annotations

from gateway.oidc.providers.descriptor import OWN, HopKind, ProviderKind, Registration
from gateway.oidc.signout.sign_outs import Ends, Proof, SignOut

_APP = "App registrations > your app"
KIND = ProviderKind(
    name="entra",
    chooses_account=True,
    hosts=("login.microsoftonline.com", "sts.windows.net"),
    label="Microsoft",
    console="Microsoft Entra",
    hop="entra",
    auth_time_proves=True,
    derived=("/v2.0", "/oauth2/v2.0/logout"),
    sign_in=(f"{_APP} > Authentication", "Web > Redirect URIs"),
    sign_out=(f"{_APP} > Authentication", "Web > Redirect URIs"),
    front_channel=(f"{_APP} > Authentication", "Front-channel logout URL"),
    instead="Entra ID has front-channel logout",
)
HOP = HopKind(
    name="entra",
    of="entra",
    known=SignOut(Proof.STATE_IF_ANY, Ends.WITH_HINT, hint="login_hint"),
    names_client=False,
    registers=(
        OWN,
        Registration(
            "Microsoft Entra",
            f"{_APP} > Token configuration > Add optional claim, token type ID",
            "Claim",
            "login_hint",
            "it names the session to sign out of; without it Microsoft asks which account is meant",
        ),
    ),
    question="Does Entra ID know our return address?",
)
