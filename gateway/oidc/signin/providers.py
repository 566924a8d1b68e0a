"""What is different about each kind of provider, as data. Nothing else in the gateway asks for the kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from gateway.core.errors import ConfigurationError
from gateway.oidc.urls import fault_of


class EndSession(Enum):
    """How a browser is signed out at the provider itself."""

    COGNITO = "cognito"  # /logout?client_id&logout_uri; the discovered end_session_endpoint is not OIDC there
    OIDC = "oidc"  # end_session_endpoint, OpenID Connect RP-Initiated Logout 1.0
    NONE = "none"  # the provider has no such endpoint; only the local session ends


@dataclass(frozen=True, slots=True)
class BrowserPaths:
    """Paths of the endpoints on a domain of their own, known without discovery."""

    authorization: str
    token: str
    revocation: str


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Absolute URLs of the endpoints that a sign-in needs."""

    authorization: str
    token: str
    revocation: str | None


@dataclass(frozen=True, slots=True)
class Preset:
    """One kind of provider.

    :ivar paths: endpoints on ``provider.domain``, where the kind has one.
    :ivar token_kind: claim and value that only an ID token has: the guard against swapped token kinds.
    :ivar provider_hint: authorization parameter that names the federated provider and skips the picker.
    :ivar prompts: values of ``prompt`` that this kind wants replaced.
    :ivar usernames: claims tried, in order, for the preferred user name.
    :ivar auth_time_proves: ``auth_time`` in its ID tokens is when the person last proved who they are, and not when a
        provider behind it answered or a session was renewed. Only where that is known of the kind.
    :ivar max_age: it takes ``max_age=0`` beside ``prompt=login``; only where that is known, for some providers then
        let nobody in.
    """

    kind: str
    end_session: EndSession = EndSession.OIDC
    paths: BrowserPaths | None = None
    token_kind: tuple[str, str] | None = None
    provider_hint: str | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    usernames: tuple[str, ...] = ("preferred_username",)
    auth_time_proves: bool = False
    max_age: bool = False


PRESETS: Mapping[str, Preset] = {
    preset.kind: preset
    for preset in (
        Preset(
            "cognito",
            end_session=EndSession.COGNITO,
            paths=BrowserPaths("/oauth2/authorize", "/oauth2/token", "/oauth2/revoke"),
            token_kind=("token_use", "id"),
            provider_hint="identity_provider",
            usernames=("preferred_username", "cognito:username"),
        ),
        Preset("okta", provider_hint="idp", auth_time_proves=True, max_age=True),
        Preset("oidc"),
        Preset("keycloak", token_kind=("typ", "ID"), provider_hint="kc_idp_hint", auth_time_proves=True),
        Preset("entra", auth_time_proves=True),
        Preset("auth0", provider_hint="connection", auth_time_proves=True, max_age=True),
        # Google answers prompt=login with an error; asking for the account is the nearest it has.
        Preset("google", end_session=EndSession.NONE, prompts={"login": "select_account"}),
    )
}


def preset_of(kind: str) -> Preset:
    """The preset of ``kind``.

    :raises ConfigurationError: there is no such kind.
    """
    try:
        return PRESETS[kind]
    except KeyError:
        raise ConfigurationError(
            "unknown_provider_kind", f"no provider kind {kind!r}", fix=f"one of: {', '.join(PRESETS)}"
        ) from None


def auth_time_proves(preset: Preset, said: bool | None, behind: str | None) -> bool:
    """Whether ``auth_time`` is when the person proved who they are; a provider that only asks another one cannot know.

    :param said: by the operator, who knows best; None: nothing.
    :param behind: the provider behind this one that people are sent on to, None for none.
    """
    return preset.auth_time_proves and behind is None if said is None else said


def endpoints_on(domain: str, preset: Preset) -> Endpoints | None:
    """The endpoints on ``domain``, known without asking anyone; None when the kind keeps none there.

    :param domain: origin of the hosted UI, such as ``https://example.auth.eu-west-1.amazoncognito.com``.
    :raises ConfigurationError: the domain is not an https origin (http on loopback names).
    """
    if preset.paths is None:
        return None
    base = origin(domain, "provider.domain")
    paths = preset.paths
    return Endpoints(base + paths.authorization, base + paths.token, base + paths.revocation)


def origin(url: str, name: str) -> str:
    """``url`` as an origin without a trailing slash.

    :param name: what the operator calls it, for the error.
    :raises ConfigurationError: it is not https (http on loopback names) or has a path or query.
    """
    base = url.removesuffix("/")
    bare = base.count("/") == 2 and "?" not in base
    fault = fault_of(base) or (None if bare else "is more than scheme, host and port")
    if fault:
        raise ConfigurationError("bad_origin", f"{name} {fault}", fix="write it as https://host")
    return base
