"""The sections about signing in, staying signed in and being signed out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateway.settings import kinds
from gateway.settings.kinds import key


@dataclass(frozen=True, slots=True)
class ProviderSection:
    """The identity provider."""

    kind: kinds.ProviderKind = key(
        description="Which provider it is; `oidc` is any other that speaks OpenID Connect."
    )
    issuer: kinds.Issuer = key(
        description="Issuer, exactly as in its tokens; its discovery document is read from there."
    )
    domain: kinds.Origin | None = key(
        None, description="Cognito's hosted sign-in domain; required for `cognito`, refused for others."
    )
    client_id: kinds.Word = key(description="This gateway's client at the provider.")
    client_secret: kinds.Secret | None = key(
        None, description="The client's secret; none for a public client."
    )
    client_secret_file: kinds.File | None = key(None, description="File that holds the client's secret.")
    other_client_secret: kinds.Secret | None = key(
        None,
        description="A second secret, while one is replaced by the other: where the provider does not take the one it"
        " took last, this is tried, and kept to.",
    )
    other_client_secret_file: kinds.File | None = key(None, description="File that holds the second secret.")
    client_authentication: Literal["client_secret_basic", "client_secret_post"] | None = key(
        None,
        description="How the secret is sent, in a header or in the form. By default as the provider's metadata says.",
    )
    identity_provider: kinds.Word | None = key(
        None,
        description="Name of the provider behind this one, to skip its picker: as Cognito, Okta (its id), Keycloak (its"
        " alias) and Auth0 (its connection) call it.",
    )
    auth_time_proves: kinds.Flag | None = key(
        None,
        description="Whether `auth_time` in its ID tokens is when the person last proved who they are: then nobody is"
        " asked twice after a revocation. By default what is known of the kind.",
    )
    scopes: tuple[kinds.Scope, ...] = key(
        ["openid", "email", "profile"], description="Asked for at sign-in; `openid` among them."
    )
    ca_file: kinds.File | None = key(
        None, description="Certificates in PEM to trust for the provider, instead of the system's."
    )
    resolve: dict[kinds.HostName, kinds.Ip] = key(
        {},
        description="Addresses for provider host names, as `name: address`; `*.localhost` is loopback always.",
    )
    proxy: kinds.Proxy | None = key(
        None,
        description="Forward proxy to the provider, `http://host:port`, or `none`; by default that of `HTTPS_PROXY`."
        " Upstreams and Redis are never reached through it.",
    )
    no_proxy: tuple[kinds.Word, ...] = key(
        [],
        description="Hosts of the provider that are reached without it: names with all below them, addresses, networks;"
        " by default those of `NO_PROXY`. Names in `resolve`, and this machine, always are.",
    )
    trusted_email_from: tuple[kinds.Word, ...] = key(
        [],
        description="Providers (names behind Cognito) whose e-mail addresses count without `email_verified`.",
    )
    linked_subjects: dict[kinds.Issuer, kinds.Word] = key(
        {},
        description="Claims of the ID token that hold the user's id at another issuer, as `issuer: claim`;"
        " that issuer may then name its users under `inbound`.",
    )
    linked_providers: dict[kinds.Issuer, kinds.Word] = key(
        {},
        description="Which provider behind Cognito an issuer under `inbound` is, as `issuer: name`.",
    )


@dataclass(frozen=True, slots=True)
class SessionSection:
    """The session and its cookie."""

    key_files: tuple[kinds.File, ...] = key(
        description="Key files, made by `gateway keys new`: the first seals the cookies, all open them."
    )
    idle: kinds.Seconds = key("30m", description="A session without activity ends after this.")
    absolute: kinds.Seconds = key("12h", description="Every session ends this long after sign-in.")
    store: Literal["cookie", "ticket"] = key(
        "cookie", description="Keep the session in its cookie, or in Redis with a ticket as cookie."
    )
    cookie_suffix: kinds.CookieSuffix | None = key(
        None,
        description="Put behind the names of the gateway's cookies (`blue`: `__Host-session--blue`): one of its own for"
        " each deployment on the same host name, since cookies know no ports.",
    )
    claims: tuple[kinds.Word, ...] = key(
        [], description="Further claims to keep, for policies and `/oauth2/session`."
    )
    activity: Literal["requests", "input"] = key(
        "requests",
        description="What keeps a session alive: requests, or the user's own input as the tab script reports it.",
    )
    passive: tuple[kinds.RoutePath, ...] = key(
        [], description="Path prefixes whose requests do not count as activity."
    )


@dataclass(frozen=True, slots=True)
class LogoutSection:
    """Ending a session, and what comes after it."""

    chain: tuple[kinds.Hop, ...] = key(
        [],
        description="Where sign-out leads the browser, in this order; `[]` ends only the gateway's session.",
    )
    targets: dict[kinds.TargetName, kinds.Target] = key(
        {},
        description="Where the signed-out page may lead on, as `name: URL or path`; chosen by `/logout?to=name`.",
    )
    hop_deadline: kinds.Seconds = key(
        "30s", description="How long a hop may take before it is tried once more."
    )
    barrier: kinds.Seconds = key(
        "2m", description="How long no sign-in starts after a sign-out that is not finished."
    )
    scope: Literal["session", "user"] = key(
        "session", description="End this session, or all of its user, in other browsers and applications too."
    )
    cross_site: Literal["confirm", "allow"] = key(
        "confirm", description="When another site leads to `/logout`: ask first, or sign out at once."
    )
    clear_site_data: tuple[kinds.SiteData, ...] = key(
        [], description="`Clear-Site-Data` on the last page of a finished sign-out."
    )
    expire_cookies: tuple[kinds.CookieName, ...] = key(
        [],
        description="Cookies of the gateway's predecessor to expire at sign-out; `name*` for all that begin so.",
    )
    receipt_key_file: kinds.File | None = key(
        None,
        description="Private key (P-256, PEM) that signs the receipts of sign-outs; `gateway keys receipt`.",
    )


@dataclass(frozen=True, slots=True)
class UniversalLogoutSection:
    """Okta Universal Logout."""

    issuer: kinds.Issuer = key(description="The Okta org.")
    subject: kinds.Word = key(
        description="The Okta application that calls: its client id, or a SAML application's instance id."
    )
    jwks_uri: kinds.Issuer | None = key(None, description="Where the org's keys are.")
    certificate_file: kinds.File | None = key(
        None, description="A SAML application's certificate in PEM, instead of `jwks_uri`."
    )


@dataclass(frozen=True, slots=True)
class SecurityEventsSection:
    """Shared signals (SSF, CAEP)."""

    issuer: kinds.Issuer = key(description="The transmitter.")
    audience: kinds.Word = key(description="The audience it writes into its events.")
    jwks_uri: kinds.Issuer = key(description="Where its keys are.")
    events: tuple[
        Literal[
            "session-revoked",
            "credential-change",
            "account-disabled",
            "account-purged",
            "credential-compromise",
        ],
        ...,
    ] = key(
        ["session-revoked", "account-disabled", "account-purged", "credential-compromise"],
        description="Which events end sessions; all others are acknowledged.",
    )
    secret: kinds.Secret | None = key(
        None, description="What the transmitter sends in `Authorization` beside its signature."
    )
    secret_file: kinds.File | None = key(None, description="File that holds the secret.")
    poll_endpoint: kinds.Issuer | None = key(
        None, description="Where to fetch events, for transmitters that do not push them."
    )
    token: kinds.Secret | None = key(
        None, description="Bearer token for `poll_endpoint`, and for `gateway events`."
    )
    token_file: kinds.File | None = key(None, description="File that holds the token.")


@dataclass(frozen=True, slots=True)
class OktaEventHookSection:
    """Okta event hooks."""

    issuer: kinds.Issuer | None = key(
        None,
        description="The Okta org whose user ids the events have; without it only e-mail addresses count.",
    )
    secret: kinds.Secret | None = key(None, description="The secret that Okta sends in `Authorization`.")
    secret_file: kinds.File | None = key(None, description="File that holds the secret.")
    session_end: Literal["ignore", "user"] = key(
        "ignore", description="What a plain sign-out at Okta ends here: nothing, or all sessions of its user."
    )


@dataclass(frozen=True, slots=True)
class InboundSection:
    """Who may end sessions from outside; what is absent is closed."""

    backchannel: kinds.Flag = key(False, description="OpenID Connect back-channel logout by the provider.")
    frontchannel: kinds.Flag = key(False, description="OpenID Connect front-channel logout by the provider.")
    universal_logout: UniversalLogoutSection | None = key(None, description="Okta Universal Logout.")
    security_events: SecurityEventsSection | None = key(None, description="Shared security events.")
    okta_event_hook: OktaEventHookSection | None = key(None, description="Okta event hook.")
