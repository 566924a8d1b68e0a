"""What each part takes of the configuration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from gateway.config.model import Settings
from gateway.config.names import ConfiguredHop
from gateway.config.sections import revealed
from gateway.config.state_urls import SqliteUrl
from gateway.core.gate import GateRules
from gateway.core.http.facts import DoorRules
from gateway.core.http.routes import Route
from gateway.core.session.identity_headers import IdentityOptions
from gateway.core.session.session import SessionLimits
from gateway.core.signout.chain import ChainLimits
from gateway.core.signout.reach import Reach
from gateway.core.signout.revocation import ENTRY_MARGIN
from gateway.core.signout.token_hold import Hold
from gateway.idp.provider import ProviderOptions
from gateway.oidc.signin.identity import ClaimOptions
from gateway.oidc.signin.providers import preset_of
from gateway.oidc.signout.logout import (
    AddressTemplate,
    Auth0Logout,
    CognitoSignout,
    EntraLogout,
    LocalOnly,
    OidcLogout,
    OktaSignout,
)
from gateway.oidc.signout.sign_outs import FormUse, Proof, SignOut, sign_out_of
from gateway.state.backends import Backends, backends_at
from gateway.state.redis.place import RedisPlace
from gateway.web.admin import AdminOptions
from gateway.web.signout.hops import Hop, origin_of
from gateway.web.signout.logout_options import LogoutOptions


def admin_options(settings: Settings) -> AdminOptions:
    """What the operator's API needs of the configuration."""
    return AdminOptions(
        token=revealed(settings.admin.token),
        issuer=settings.provider.issuer,
        lifetime=int(settings.session.absolute) + ENTRY_MARGIN,
        idle=int(settings.session.idle),
    )


def backends(settings: Settings) -> Backends:
    """What the instances of a deployment share, where ``state`` says."""
    return backends_at(
        state_place(settings),
        spool=settings.redis.spool,
        room=settings.state_spool,
        state_loss_accepted=settings.state_loss == "accept",
    )


def state_place(settings: Settings) -> Path | RedisPlace:
    """Where the log is: a file, or a Redis."""
    url, more = settings.state, settings.redis
    if isinstance(url, SqliteUrl):
        return url.path
    return RedisPlace(
        url.hosts,
        url.kind,
        url.master,
        url.db,
        username=url.username,
        password=revealed(url.password) or revealed(more.password) or "",
        tls=url.tls,
        ca_file=more.ca_file,
        cert_file=more.cert_file,
        key_file=more.key_file,
        prefix=more.prefix,
    )


def gate_rules(settings: Settings, limits: SessionLimits) -> GateRules:
    """What the operator decided about sessions and origins."""
    return GateRules(
        session=limits,
        chain=chain_limits(settings),
        origins=frozenset((settings.public_url, *settings.allowed_origins)),
        max_staleness=settings.max_staleness,
        accept_log_loss=settings.state_loss == "accept",
    )


def chain_limits(settings: Settings) -> ChainLimits:
    """Seconds of a logout chain."""
    return ChainLimits(int(settings.logout.hop_deadline), int(settings.logout.barrier))


def door_rules(settings: Settings, further: Iterable[str] = ()) -> DoorRules:
    """Which requests are for us; ``further`` are more Host names."""
    return DoorRules(
        scheme=settings.public_url.scheme,
        authorities=frozenset((settings.public_url.authority, *settings.hosts, *further)),
        trusted_proxies=settings.trusted_proxies,
    )


def identity_options(settings: Settings) -> IdentityOptions:
    """What upstreams hear of the user."""
    return IdentityOptions(
        tuple(settings.headers.claims.items()),
        authorization=settings.headers.authorization,
        reserved=settings.headers.reserved,
        underscores=settings.headers.underscores == "pass",
    )


def claim_options(settings: Settings) -> ClaimOptions:
    """Which claims mean what."""
    return ClaimOptions(
        user=settings.headers.user,
        groups=settings.headers.groups,
        usernames=preset_of(settings.provider.kind).usernames,
        keep=tuple(dict.fromkeys((*settings.session.claims, *settings.headers.claims.values()))),
        trusted_email_from=frozenset(settings.provider.trusted_email_from),
        linked=tuple(settings.provider.linked_subjects.items()),
    )


def provider_options(settings: Settings) -> ProviderOptions:
    """How the identity provider is reached."""
    given = settings.provider
    return ProviderOptions(
        kind=given.kind,
        issuer=given.issuer,
        domain=given.domain,
        client_id=given.client_id,
        client_secret=revealed(given.client_secret),
        identity_provider=given.identity_provider,
        auth_time_proves=given.auth_time_proves,
        scopes=given.scopes,
        ca_file=given.ca_file,
        resolve=given.resolve,
    )


def routes(settings: Settings) -> list[Route]:
    """Which upstream serves what."""
    waits = settings.timeouts
    return [
        Route(
            path=upstream.path,
            url=str(upstream.url),
            when_stale=upstream.when_stale,
            encoded_slashes=upstream.encoded_slashes == "allow",
            allow_method_override=upstream.method_override == "allow",
            connect=waits.connect,
            first_byte=waits.first_byte,
            idle=waits.idle,
            ca_file=str(upstream.ca_file or ""),
            sign_out_on=frozenset(upstream.sign_out_on),
        )
        for upstream in settings.upstreams
    ]


def logout_options(settings: Settings) -> LogoutOptions:
    """The chain and its targets."""
    hops = _hops(settings)
    asked = settings.provider.issuer if any(hop.hint for hop in hops) else ""
    urls = [
        settings.provider.domain or "",
        asked,
        *(str(hop.url or "") for hop in settings.logout.chain),
    ]
    storage = ("storage",) if settings.browser.clear_storage else ()
    return LogoutOptions(
        public_url=settings.public_url,
        start=f"{settings.prefix}/start",
        hops=hops,
        limits=chain_limits(settings),
        targets=settings.logout.targets,
        form_origins=tuple(dict.fromkeys(origin_of(url) for url in urls if url)),
        clear_site_data=tuple(dict.fromkeys((*settings.logout.clear_site_data, *storage))),
        host=settings.public_url.host,
        expire_cookies=settings.logout.expire_cookies,
        cross_site=settings.logout.cross_site == "allow",
        reach=Reach(
            whole_user=settings.logout.scope == "user", one_sign_in=settings.provider.kind != "cognito"
        ),
        news_comes_back=bool(hops) and _hears_of_own_hops(settings),
        behind=settings.provider.identity_provider is not None
        and not any(hop.elsewhere for hop in hops)
        and not any(hop.choice == "federated" for hop in settings.logout.chain),
    )


def token_hold(settings: Settings) -> Hold:
    """What refresh tokens wait for: the hops at which the browser ends its session at the provider that issues them.

    An address of one's own leads to the provider where its host says so, or where no other hop does: to wait for one
    hop too many costs nothing but time.
    """
    provider, chain = settings.provider, settings.logout.chain
    origins = {origin_of(provider.issuer), *([origin_of(provider.domain)] if provider.domain else [])}
    at_its_own = [
        hop.kind
        for hop in chain
        if hop.kind not in {"okta_signout", "url"}
        or (hop.kind == "okta_signout" and provider.kind in {"okta", "oidc"})
        or origin_of(str(hop.url)) in origins
    ]
    kinds = tuple(hop.kind for hop in chain)
    own = frozenset(at_its_own or [kind for kind in kinds if kind == "url"])
    return Hold(own, chain_limits(settings), kinds)


def _hears_of_own_hops(settings: Settings) -> bool:
    """Whether somebody could tell us of a sign-out that began here as if it were another (rule R21)."""
    asked = settings.inbound
    signals, hook = asked.security_events, asked.okta_event_hook
    return (
        asked.backchannel
        or (signals is not None and "session-revoked" in signals.events)
        or (hook is not None and hook.session_end == "user")
    )


def _hops(settings: Settings) -> list[Hop]:
    chain, provider = settings.logout.chain, settings.provider
    hops = [_hop(hop, settings) for hop in chain]
    for index, (first, second) in enumerate(pairwise(chain)):
        same = second.url == origin_of(provider.issuer) or provider.kind == "okta"
        if (first.kind, second.kind) == ("oidc", "okta_signout") and same:
            # Both end Okta's session: the second one is for browsers that have lost the hint (facts E.1, trap 14).
            known = sign_out_of("oidc", "okta")
            hops[index] = replace(hops[index], way=_oidc(first, settings, known), known=known)
            hops[index + 1] = replace(hops[index + 1], instead_of="oidc")
    return hops


def _hop(hop: ConfiguredHop, settings: Settings) -> Hop:
    provider, address = settings.provider, str(hop.url or "")
    known = sign_out_of(hop.kind, provider.kind)
    match hop.kind:
        case "cognito":
            way = CognitoSignout(provider.domain or "", provider.client_id)
            return Hop("cognito", "Cognito", way, known)
        case "okta_signout":
            away = provider.kind != "okta" and address != origin_of(provider.issuer)
            return Hop("okta_signout", "Okta", OktaSignout(address), known, elsewhere=away)
        case "entra":
            return Hop("entra", "Microsoft", EntraLogout(provider.issuer), known)
        case "auth0":
            federated = Auth0Logout(provider.issuer, provider.client_id, federated=hop.choice == "federated")
            return Hop("auth0", "Auth0", federated, known)
        case "google":
            return Hop("google", "Google", LocalOnly(), known)
        case "url":
            template = AddressTemplate(address, provider.client_id)
            proof = Proof.STATE if template.echoes_state else Proof.NOTHING
            known, away = replace(known, proof=proof), origin_of(address) != origin_of(provider.issuer)
            return Hop("url", urlsplit(address).hostname or address, template, known, elsewhere=away)
        case _:
            way_out = _oidc(hop, settings, known)
            return Hop(hop.kind, way_out.service, way_out, known)


def _oidc(hop: ConfiguredHop, settings: Settings, known: SignOut) -> OidcLogout:
    provider = settings.provider
    host = urlsplit(provider.issuer).hostname or provider.issuer
    derived = None
    if provider.kind == "keycloak":
        derived = f"{provider.issuer.removesuffix('/')}/protocol/openid-connect/logout"
    return OidcLogout(
        {"okta": "Okta", "keycloak": "Keycloak"}.get(provider.kind, host),
        provider.client_id,
        form=_form_use(hop.choice, known),
        without=known.without,
        derived=derived,
    )


def _form_use(choice: str, known: SignOut) -> FormUse:
    """What the operator wants comes before what is known; an address that is too long is left out of both."""
    if choice == "form":
        return FormUse.ALWAYS
    if choice == "get" and known.form is FormUse.ALWAYS:
        return FormUse.LONG
    return known.form
