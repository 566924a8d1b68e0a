"""The third pass: the provider, the session and the way out."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.config.remarks import Remark, Rule, error, note, rule, warning
from gateway.core.http.own_cookies import SESSION, suffixed
from gateway.oidc.providers.registry import HOPS, PROVIDERS
from gateway.oidc.signin.groups import ONLY_TEXTS
from gateway.oidc.signout.logout import placeholders
from gateway.oidc.urls import fault_of
from gateway.settings.model import Settings
from gateway.settings.names import USUAL_GROUPS
from gateway.settings.secret_files import revealed
from gateway.settings.state_urls import RedisUrl

LEAST_IDLE = 120
"""Seconds of ``session.idle`` where activity is reported once a minute (rule R16)."""
DEMO_SECRET = "demo-secret"  # noqa: S105 - the published secret of the demo, which is refused elsewhere (rule R29)


@rule("provider.kind", "provider.domain", "provider.identity_provider")
def _what_this_kind_has(settings: Settings) -> Iterator[Remark]:
    provider, kind = settings.provider, PROVIDERS[settings.provider.kind]
    if kind.paths is not None and provider.domain is None:
        fix = "add the hosted sign-in domain, https://….auth.REGION.amazoncognito.com"
        yield error("provider.domain", f"is missing, and {kind.label}'s sign-out needs it", fix)
    if kind.paths is None and provider.domain is not None:
        what = f"means nothing for kind {kind.name}"
        yield error("provider.domain", what, "remove it, or write `kind: cognito`")
    if provider.identity_provider is not None and kind.provider_hint is None:
        what = f"means nothing for kind {kind.name}, which takes no such parameter"
        yield error("provider.identity_provider", what, "remove it")


@rule("provider.kind", "provider.issuer")
def _issuer_is_not_the_domain(settings: Settings) -> Iterator[Remark]:
    host, wrong = (
        urlsplit(settings.provider.issuer).hostname or "",
        PROVIDERS[settings.provider.kind].no_issuer,
    )
    if wrong is not None and host.endswith(wrong[0]):
        what = "is the hosted sign-in domain, which issues no tokens"
        yield error("provider.issuer", what, f"write {wrong[1]}")


@rule("public_url", "provider.issuer", "provider.domain")
def _provider_over_https(settings: Settings) -> Iterator[Remark]:
    """As the gateway reads them when it starts; what is plain text on the way may only be this machine's."""
    local = settings.public_url.is_local
    for name in ("issuer", "domain"):
        fault = fault_of(getattr(settings.provider, name) or "https://none", http_on_loopback=local)
        if fault is not None:
            what = f"{fault}, so anybody on the way could sign in as anybody" if "https" in fault else fault
            fix = "write its https address; http is for trials with it and public_url on localhost"
            yield error(f"provider.{name}", what, fix)


@rule("public_url", "provider.client_secret")
def _demo_secret(settings: Settings) -> Iterator[Remark]:
    if not settings.public_url.is_local and revealed(settings.provider.client_secret) == DEMO_SECRET:
        what = "is the demo's, which is published, so others can act as this client"
        yield error("provider.client_secret", what, "use the secret of your own client at the provider")


@rule("provider.client_secret", "provider.other_client_secret", "provider.client_authentication")
def _secrets(settings: Settings) -> Iterator[Remark]:
    one, other = settings.provider.client_secret, settings.provider.other_client_secret
    if one is None and other is not None:
        yield error(
            "provider.other_client_secret", "is there without a first one", "set `client_secret_file`"
        )
    elif other is not None and one == other:
        yield warning(
            "provider.other_client_secret", "is the first one once more", "write the new secret into it"
        )
    if one is None and settings.provider.client_authentication is not None:
        what = "is about the client's secret, and there is none"
        yield error("provider.client_authentication", what, "set `client_secret_file`, or remove it")


@rule("provider.scopes")
def _openid(settings: Settings) -> Iterator[Remark]:
    if "openid" not in settings.provider.scopes:
        yield error("provider.scopes", "lacks `openid`, without which there is no ID token", "add openid")


@rule("provider.kind", "headers.groups", unwritten="headers.groups")
def _groups_claim(settings: Settings) -> Iterator[Remark]:
    if not PROVIDERS[settings.provider.kind].groups:
        what = f"groups are read from `{settings.headers.groups}`, which only Cognito sends"
        yield warning("headers.groups", what, "write the claim your provider sends, often `groups`")


@rule("headers.groups")
def _groups_shape(settings: Settings) -> Iterator[Remark]:
    groups = settings.headers.groups
    if not groups.shape and groups.claim != USUAL_GROUPS:
        commas = "is between names" if groups.claim.startswith(ONLY_TEXTS) else "is part of a name"
        what = f"where `{groups}` is a text, its shape is guessed: brackets are a list, and a comma {commas}"
        fix = f"write {{claim: '{groups}', shape: …}} with list, json, comma or brackets"
        yield note("headers.groups", what, fix)


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


@rule("public_url", "session.cookie_suffix")
def _deployments_on_one_host(settings: Settings) -> Iterator[Remark]:
    host, suffix = settings.public_url.host, settings.session.cookie_suffix
    if suffix:
        what = f"the session's cookie is {suffixed(SESSION, suffix)}; who signed in under another name does so again"
        yield note(
            "session.cookie_suffix", what, f"give every other deployment on {host} a suffix of its own"
        )
    elif settings.public_url.port != {"http": 80, "https": 443}[settings.public_url.scheme]:
        what = (
            f"cookies know no ports: another gateway on {host} would take the cookies of this one for its own"
        )
        yield note("public_url", what, "give each a `session.cookie_suffix`, if there are several")


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
    kinds, provider = [hop.kind for hop in settings.logout.chain], PROVIDERS[settings.provider.kind]
    for index, kind in enumerate(kinds):
        hop, at = HOPS[kind], ("logout", "chain", index)
        if kind in kinds[:index]:
            yield error(at, f"{kind} is in the chain twice", "remove one of the two")
        if hop.of and not hop.example and hop.of != provider.name:
            what = f"is {PROVIDERS[hop.of].label}'s sign-out, but the provider's kind is {provider.name}"
            yield error(at, what, f"remove it, or write `kind: {hop.of}`")
        if hop.address is None and not hop.of and provider.manners:
            what = f"is no way out of {provider.label}: {provider.manners}"
            yield error(at, what, f"write {provider.hop}")


@rule("logout.chain", "provider.kind", "provider.issuer")
def _whose_session_stays(settings: Settings) -> Iterator[Remark]:
    kinds, kind = {hop.kind for hop in settings.logout.chain}, PROVIDERS[settings.provider.kind]
    hop = HOPS[kind.hop]
    if not kinds:
        what = "the sign-out ends the gateway's session only; the provider signs the user in again without a question"
        own = f"{{{hop.name}: {hop.example}}}" if hop.example else hop.name
        yield warning("logout.chain", what, f"write [{own}]")
    elif kind.broker and hop.name not in kinds:
        what = f"{kind.label}'s session stays alive and signs the user in again without a question"
        yield warning("logout.chain", what, f"put {hop.name} first")
    elif hop.address == "" and hop.name in kinds:
        what = f"{kind.label} signs nobody out for an application: the receipt says so, the next sign-in asks who it is"
        fix = f"tell users of shared computers to sign out at {kind.label} as well"
        yield note("logout.chain", what, fix)


@rule("public_url", "logout.chain", "provider.kind", unwritten="logout.chain")
def _what_the_implied_chain_needs(settings: Settings) -> Iterator[Remark]:
    kind = PROVIDERS[settings.provider.kind]
    hop = HOPS[kind.hop]
    if kind.broker:
        what = f"a provider behind {kind.label} stays signed in and signs people in again without a question"
        fix = f"add {{okta_signout: https://YOUR-ORG.okta.com}} to logout.chain; or write [{hop.name}] if there is none"
        yield warning("logout.chain", what, fix)
    elif hop.address != "" and not hop.example:
        what = f"sign-out leads to the provider, which must know {settings.public_url}/logout/done/{hop.name}"
        screen, name = kind.sign_out
        yield note("logout.chain", what, f"register it there ({screen}: {name}), and write [{hop.name}]")


@rule("public_url", "logout.chain", "logout.targets")
def _ways_out_over_https(settings: Settings) -> Iterator[Remark]:
    if settings.public_url.is_local:
        return
    for index, hop in enumerate(settings.logout.chain):
        if hop.url.startswith("http:"):
            yield error(("logout", "chain", index), f"`{hop.url}` is not https", "write its https address")
        if placeholders(HOPS[hop.kind].example) and "{return_to}" not in hop.url:
            what = f"does not say where to return to, which is {settings.public_url}/logout/done/{hop.kind}"
            fix = "add {return_to} to it, unless that address is registered there as the only one"
            yield warning(("logout", "chain", index), what, fix)
    for name, target in settings.logout.targets.items():
        if target.startswith("http:"):
            yield error(("logout", "targets", name), f"`{target}` is not https", "write its https address")


RULES = tuple(each for each in list(vars().values()) if isinstance(each, Rule))
