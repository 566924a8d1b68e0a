"""What to enter at the consoles of the providers, built from the configuration as the gateway builds its own requests.

Providers compare these addresses byte for byte, so they are to be pasted, not typed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.config.model import Settings
from gateway.config.names import ConfiguredHop
from gateway.web.signout.hops import DONE_PREFIX

_COGNITO = "Amazon Cognito"
_OKTA = "Okta"
_SIGN_IN_SCREENS = {
    "okta": ("Applications > your app > General > Login", "Sign-in redirect URIs"),
    "keycloak": ("Clients > your client > Settings", "Valid redirect URIs"),
    "entra": ("App registrations > your app > Authentication", "Web > Redirect URIs"),
    "auth0": ("Applications > your app > Settings", "Allowed Callback URLs"),
    "google": ("APIs & Services > Credentials > your client", "Authorized redirect URIs"),
    "oidc": ("the client's settings", "redirect_uris"),
}
_SIGN_OUT_SCREENS = {
    "okta": ("Applications > your app > General > Login", "Sign-out redirect URIs"),
    "keycloak": ("Clients > your client > Settings", "Valid post logout redirect URIs"),
    "entra": ("App registrations > your app > Authentication", "Web > Redirect URIs"),
    "auth0": ("Applications > your app > Settings", "Allowed Logout URLs"),
    "oidc": ("the client's settings", "post_logout_redirect_uris"),
}
_BACK_CHANNEL_SCREENS = {
    "keycloak": ("Clients > your client > Settings > Logout settings", "Backchannel logout URL"),
    "auth0": (
        "Applications > your app > Settings > OpenID Connect Back-Channel Logout",
        "Back-Channel Logout URI",
    ),
    "oidc": ("the client's settings", "backchannel_logout_uri"),
}
_FRONT_CHANNEL_SCREENS = {
    "keycloak": ("Clients > your client > Settings > Logout settings", "Front-channel logout URL"),
    "entra": ("App registrations > your app > Authentication", "Front-channel logout URL"),
    "okta": ("your app, with participateSlo (Identity Engine, early access)", "frontchannel_logout_uri"),
    "oidc": ("the client's settings", "frontchannel_logout_uri"),
}
_CONSOLES = {
    "cognito": _COGNITO,
    "okta": _OKTA,
    "keycloak": "Keycloak",
    "entra": "Microsoft Entra",
    "auth0": "Auth0",
    "google": "Google Cloud",
    "oidc": "the OpenID provider",
}


@dataclass(frozen=True, slots=True)
class Registration:
    """One field of one screen.

    :ivar value: to be pasted as it is. :ivar why: what it is for, and what is seen when it is missing.
    """

    console: str
    screen: str
    field: str
    value: str
    why: str


def registrations(settings: Settings) -> list[Registration]:
    """Everything that this configuration needs elsewhere, console by console."""
    found = [
        *_signing_in(settings),
        *(each for hop in settings.logout.chain for each in _hop(hop, settings)),
        *_behind_cognito(settings),
        *_inbound(settings),
    ]
    return sorted(dict.fromkeys(found), key=lambda each: [r.console for r in found].index(each.console))


def _signing_in(settings: Settings) -> Iterator[Registration]:
    kind = settings.provider.kind
    callback = f"{settings.public_url}{settings.prefix}/callback"
    why = "where sign-in comes back to; without it the provider shows an error page (redirect_mismatch and the like)"
    if kind == "cognito":
        screen = "User pool > App clients > your client > Login pages"
        yield Registration(_COGNITO, screen, "Allowed callback URLs", callback, why)
    else:
        yield Registration(_CONSOLES[kind], *_SIGN_IN_SCREENS[kind], callback, why)


def _hop(hop: ConfiguredHop, settings: Settings) -> Iterator[Registration]:
    back = f"{settings.public_url}{DONE_PREFIX}{hop.kind}"
    if hop.kind == "cognito":
        screen = "User pool > App clients > your client > Login pages"
        why = "compared byte for byte; without it the chain ends at Cognito, and Okta stays signed in"
        yield Registration(_COGNITO, screen, "Allowed sign-out URLs", back, why)
    elif hop.kind == "okta_signout":
        why = "scheme, host and port, without a path; without it the browser stays on a page of Okta's"
        screen = "Security > API > Trusted Origins, type Redirect"
        yield Registration(_OKTA, screen, "Origin URL", str(settings.public_url), why)
    elif hop.kind != "google":
        kind = settings.provider.kind if hop.kind in {"oidc", "url"} else hop.kind
        screen, name = _SIGN_OUT_SCREENS.get(kind, _SIGN_OUT_SCREENS["oidc"])
        why = "where this provider's sign-out comes back to; without it the browser stays on an error page there"
        yield Registration(_CONSOLES.get(kind, _CONSOLES["oidc"]), screen, name, back, why)
    if hop.kind == "entra":
        screen = "App registrations > your app > Token configuration > Add optional claim, token type ID"
        why = "it names the session to sign out of; without it Microsoft asks which account is meant"
        yield Registration(_CONSOLES["entra"], screen, "Claim", "login_hint", why)


def _behind_cognito(settings: Settings) -> Iterator[Registration]:
    """A tile at Okta, and what Cognito needs to end Okta's session by SAML beside the hop of our own."""
    provider = settings.provider
    behind = any(hop.kind == "okta_signout" for hop in settings.logout.chain) or provider.identity_provider
    if provider.kind != "cognito" or not behind:
        return
    why = (
        "the tile starts a sign-in here; a tile of the SAML app itself begins one at Okta, which Cognito"
        " refuses as it is set up at first"
    )
    screen = "Applications > Browse App Catalog > Bookmark App (only for a tile on Okta's dashboard)"
    yield Registration(_OKTA, screen, "URL", f"{settings.public_url}/", why)
    pool = urlsplit(provider.issuer).path.rpartition("/")[2]
    screen = (
        "Applications > your SAML app > General > SAML Settings > Enable Single Logout (only for SAML"
        " single logout)"
    )
    why = "Okta posts its answer there; set this before the metadata is imported into Cognito again"
    yield Registration(_OKTA, screen, "Single Logout URL", f"{provider.domain}/saml2/logout", why)
    why = "the issuer of Cognito's requests; Okta refuses any other"
    yield Registration(_OKTA, screen, "SP Issuer", f"urn:amazon:cognito:sp:{pool}", why)
    why = (
        "from Cognito: User pool > Social and external providers > your SAML provider > View signing"
        " certificate; with another one Okta answers AuthnFailed or 403"
    )
    yield Registration(
        _OKTA, screen, "Signature Certificate", "the signing certificate of the user pool", why
    )
    screen = "User pool > Social and external providers > your SAML provider (only for SAML single logout)"
    why = "after Okta has single logout; then refresh the metadata, which shows it only from then on"
    yield Registration(_COGNITO, screen, "Add sign-out flow", "on", why)


def _inbound(settings: Settings) -> Iterator[Registration]:
    inbound, kind = settings.inbound, settings.provider.kind
    ours = f"{settings.public_url}{settings.prefix}"
    console = _CONSOLES[kind]
    if inbound.backchannel:
        screen, name = _BACK_CHANNEL_SCREENS.get(kind, _BACK_CHANNEL_SCREENS["oidc"])
        why = "the provider calls it when somebody signs out there"
        yield Registration(console, screen, name, f"{ours}/backchannel-logout", why)
    if inbound.frontchannel:
        screen, name = _FRONT_CHANNEL_SCREENS.get(kind, _FRONT_CHANNEL_SCREENS["oidc"])
        why = "the provider opens it in a frame when somebody signs out there; with session required, for iss and sid"
        yield Registration(console, screen, name, f"{ours}/frontchannel-logout", why)
    if inbound.universal_logout is not None:
        screen = "Applications > your app > General > Logout > Okta system or admin initiates logout"
        why = "Okta calls it for Universal Logout; subject format e-mail, or issuer and subject"
        yield Registration(_OKTA, screen, "Logout Endpoint URL", f"{ours}/global-token-revocation", why)
    if inbound.security_events is not None and inbound.security_events.poll_endpoint is None:
        why = "the transmitter pushes its security event tokens there (RFC 8935)"
        transmitter = urlsplit(inbound.security_events.issuer).hostname or _OKTA
        yield Registration(transmitter, "the SSF stream", "endpoint_url", f"{ours}/security-events", why)
    if inbound.okta_event_hook is not None:
        screen = "Workflow > Event Hooks > Create Event Hook, events user.session.end and user.session.clear"
        why = "Okta posts events there, with the secret in Authorization"
        yield Registration(_OKTA, screen, "URL", f"{ours}/okta-events", why)
