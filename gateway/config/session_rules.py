"""The third pass: the provider, the session and the way out."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.config.model import Settings
from gateway.config.remarks import Remark, Rule, error, note, rule, warning
from gateway.config.sections import revealed
from gateway.config.state_urls import RedisUrl
from gateway.oidc.signin.providers import preset_of

LEAST_IDLE = 120
"""Seconds of ``session.idle`` where activity is reported once a minute (rule R16)."""
_OF_ITS_PROVIDER = {
    "cognito": "Cognito's",
    "keycloak": "Keycloak's",
    "entra": "Microsoft's",
    "auth0": "Auth0's",
    "google": "Google's",
}
"""Hops that ask the very provider that signs people in."""
_REGISTERED_AS = {
    "oidc": "post-logout redirect URIs",
    "keycloak": "Valid post logout redirect URIs of the client",
    "entra": "Redirect URIs of the app",
    "auth0": "Allowed Logout URLs of the application",
}
_NO_OIDC = {
    "cognito": (
        "is no way out of Cognito, which answers what OpenID Connect asks with an error page",
        "write cognito; it uses Cognito's own parameters",
    ),
    "google": ("is no way out of Google, which has no such endpoint", "write google, which says so"),
}
DEMO_SECRET = "demo-secret"  # noqa: S105 - the published secret of the demo, which is refused elsewhere (rule R29)


@rule("provider.kind", "provider.domain", "provider.identity_provider")
def _what_this_kind_has(settings: Settings) -> Iterator[Remark]:
    provider = settings.provider
    if provider.kind == "cognito":
        if provider.domain is None:
            what = "is missing, and Cognito's sign-out needs it"
            yield error(
                "provider.domain",
                what,
                "add the hosted sign-in domain, https://….auth.REGION.amazoncognito.com",
            )
        return
    if provider.domain is not None:
        what = f"means nothing for kind {provider.kind}"
        yield error("provider.domain", what, "remove it, or write `kind: cognito`")
    if provider.identity_provider is not None and preset_of(provider.kind).provider_hint is None:
        what = f"means nothing for kind {provider.kind}, which takes no such parameter"
        yield error("provider.identity_provider", what, "remove it")


@rule("provider.kind", "provider.issuer")
def _issuer_is_not_the_domain(settings: Settings) -> Iterator[Remark]:
    host = urlsplit(settings.provider.issuer).hostname or ""
    if settings.provider.kind == "cognito" and host.endswith(".amazoncognito.com"):
        what = "is the hosted sign-in domain, which issues no tokens"
        yield error("provider.issuer", what, "write https://cognito-idp.REGION.amazonaws.com/USER_POOL_ID")


@rule("public_url", "provider.issuer", "provider.domain")
def _provider_over_https(settings: Settings) -> Iterator[Remark]:
    if settings.public_url.is_local:
        return
    for name in ("issuer", "domain"):
        if (getattr(settings.provider, name) or "").startswith("http:"):
            what = "is not https, so anybody on the way could sign in as anybody"
            yield error(
                f"provider.{name}",
                what,
                "write its https address; http is for trials with public_url on localhost",
            )


@rule("public_url", "provider.client_secret")
def _demo_secret(settings: Settings) -> Iterator[Remark]:
    if not settings.public_url.is_local and revealed(settings.provider.client_secret) == DEMO_SECRET:
        what = "is the demo's, which is published, so others can act as this client"
        yield error("provider.client_secret", what, "use the secret of your own client at the provider")


@rule("provider.scopes")
def _openid(settings: Settings) -> Iterator[Remark]:
    if "openid" not in settings.provider.scopes:
        yield error("provider.scopes", "lacks `openid`, without which there is no ID token", "add openid")


@rule("provider.kind", "headers.groups")
def _groups_claim(settings: Settings) -> Iterator[Remark]:
    if settings.provider.kind != "cognito" and "groups" not in settings.headers.model_fields_set:
        what = f"groups are read from `{settings.headers.groups}`, which only Cognito sends"
        yield warning("headers.groups", what, "write the claim your provider sends, often `groups`")


@rule("session.key_files")
def _one_key_at_least(settings: Settings) -> Iterator[Remark]:
    files = settings.session.key_files
    if not files:
        yield error(
            "session.key_files", "is empty", "make a key with `gateway keys new -o FILE`, and list FILE"
        )
    for index, file in enumerate(files):
        if file in files[:index]:
            yield error(("session", "key_files", index), "is listed twice", "remove one of the two")


@rule("session.idle", "session.absolute")
def _idle_within_absolute(settings: Settings) -> Iterator[Remark]:
    if settings.session.idle > settings.session.absolute:
        what = "is longer than session.absolute, so it would never come to pass"
        yield error("session.idle", what, "make it at most session.absolute")


@rule("session.store", "state")
def _tickets_need_redis(settings: Settings) -> Iterator[Remark]:
    if settings.session.store != "ticket":
        return
    if not isinstance(settings.state, RedisUrl):
        what = "`ticket` keeps sessions in Redis, and `state` is a file of this host"
        yield error("session.store", what, "write a redis:// URL in `state`, or `store: cookie`")
        return
    what = "sessions are kept in Redis: while it does not answer, only those in an instance's memory go on"
    yield note(
        "session.store", what, "run it with a replica, and count 2 to 3 KiB of its memory for each session"
    )


@rule("session.idle", "session.activity")
def _reports_come_in_time(settings: Settings) -> Iterator[Remark]:
    if settings.session.activity == "input" and settings.session.idle < LEAST_IDLE:
        what = "is too short for `session.activity: input`, because input is reported once a minute"
        yield error("session.idle", what, "write 2m or more, or `session.activity: requests`")


@rule("browser.spa_has_own_tokens", "browser.clear_storage")
def _own_tokens_are_cleared(settings: Settings) -> Iterator[Remark]:
    if settings.browser.spa_has_own_tokens and not settings.browser.clear_storage:
        what = (
            "the application's own tokens would outlive the sign-out, and the next user would begin with them"
        )
        yield error("browser.spa_has_own_tokens", what, "write `clear_storage: true` beside it")


@rule("logout.hop_deadline", "logout.barrier")
def _deadline_within_barrier(settings: Settings) -> Iterator[Remark]:
    if settings.logout.hop_deadline > settings.logout.barrier:
        what = "is longer than logout.barrier, so a sign-in could start before the hop is over"
        yield error("logout.hop_deadline", what, "make it at most logout.barrier")


@rule("logout.chain", "provider.kind")
def _chain(settings: Settings) -> Iterator[Remark]:
    kinds = [hop.kind for hop in settings.logout.chain]
    for index, kind in enumerate(kinds):
        if kind in kinds[:index]:
            yield error(("logout", "chain", index), f"{kind} is in the chain twice", "remove one of the two")
        if kind in _OF_ITS_PROVIDER and settings.provider.kind != kind:
            what = (
                f"is {_OF_ITS_PROVIDER[kind]} sign-out, but the provider's kind is {settings.provider.kind}"
            )
            yield error(("logout", "chain", index), what, f"remove it, or write `kind: {kind}`")
        if kind == "oidc" and settings.provider.kind in _NO_OIDC:
            yield error(("logout", "chain", index), *_NO_OIDC[settings.provider.kind])


@rule("logout.chain", "provider.kind")
def _whose_session_stays(settings: Settings) -> Iterator[Remark]:
    kinds, kind = {hop.kind for hop in settings.logout.chain}, settings.provider.kind
    add_okta = "add {okta_signout: https://YOUR-ORG.okta.com} to logout.chain"
    if not kinds:
        what = "the sign-out ends the gateway's session only; the provider signs the user in again without a question"
        yield warning("logout.chain", what, f"write [{kind}]" if kind != "okta" else add_okta)
    elif kind == "cognito" and "cognito" not in kinds:
        what = "Cognito's session stays alive and signs the user in again without a question"
        yield warning("logout.chain", what, "put cognito first")
    elif kind == "google" and "google" in kinds:
        what = "Google signs nobody out for an application: the receipt says so, the next sign-in asks for an account"
        yield note("logout.chain", what, "tell users of shared computers to sign out at Google as well")
    elif "chain" not in settings.logout.model_fields_set and kind in kinds & _REGISTERED_AS.keys():
        what = f"sign-out leads to the provider, which must know {settings.public_url}/logout/done/{kind}"
        yield note("logout.chain", what, f"register it there ({_REGISTERED_AS[kind]}), and write [{kind}]")
    elif "chain" not in settings.logout.model_fields_set and kind == "cognito":
        what = "a provider behind Cognito stays signed in, and signs the user in again without a question"
        yield warning("logout.chain", what, f"{add_okta}; or write [cognito] if there is none")


@rule("public_url", "logout.chain", "logout.targets")
def _ways_out_over_https(settings: Settings) -> Iterator[Remark]:
    if settings.public_url.is_local:
        return
    for index, hop in enumerate(settings.logout.chain):
        if (hop.url or "").startswith("http:"):
            yield error(("logout", "chain", index), f"`{hop.url}` is not https", "write its https address")
        if hop.kind == "url" and "{return_to}" not in (hop.url or ""):
            what = f"does not say where to return to, which is {settings.public_url}/logout/done/url"
            fix = "add {return_to} to it, unless that address is registered there as the only one"
            yield warning(("logout", "chain", index), what, fix)
    for name, target in settings.logout.targets.items():
        if target.startswith("http:"):
            yield error(("logout", "targets", name), f"`{target}` is not https", "write its https address")


RULES = tuple(each for each in list(vars().values()) if isinstance(each, Rule))
