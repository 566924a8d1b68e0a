"""Google, which signs nobody out on behalf of an application."""

from __future__ import annotations

from gateway.oidc.providers.descriptor import HopKind, ProviderKind
from gateway.oidc.signout.sign_outs import Ends, Proof, SignOut

KIND = ProviderKind(
    name="google",
    hosts=("accounts.google.com",),
    slash=False,
    label="Google",
    console="Google Cloud",
    hop="google",
    prompts={"login": "select_account"},  # "login" is an error there
    chooses_account=True,
    manners="this provider has no sign-out for others to call: only sessions here end, and the next sign-in asks for"
    " the account",
    sign_in=("APIs & Services > Credentials > your client", "Authorized redirect URIs"),
    instead="session.absolute bounds how long a session outlives the one at Google",
)
HOP = HopKind(
    name="google",
    of="google",
    known=SignOut(Proof.NOTHING, Ends.NEVER),
    address="",
    registers=(),
    question="What can Google end?",
)
