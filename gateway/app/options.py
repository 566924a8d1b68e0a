"""What each part takes of the configuration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from gateway.app.descriptors import Shares
from gateway.core.gate import GateRules
from gateway.core.http.facts import DoorRules
from gateway.core.http.forwarded import RELAYING, AskingProxy
from gateway.core.http.routes import Route
from gateway.core.session.identity_headers import IdentityOptions
from gateway.core.session.session import SessionLimits
from gateway.core.signout.chain import ChainLimits
from gateway.core.signout.reach import Reach
from gateway.core.signout.revocation import ENTRY_MARGIN
from gateway.core.signout.token_hold import Hold
from gateway.idp.provider import ProviderOptions
from gateway.idp.transport import DIRECTLY, Transport
from gateway.idp.way import ProviderWay
from gateway.oidc.providers.descriptor import RelyingParty
from gateway.oidc.providers.registry import HOPS, PROVIDERS
from gateway.oidc.signin.identity import ClaimOptions
from gateway.oidc.signout.logout import Hop
from gateway.oidc.urls import origin_of
from gateway.settings.model import Settings
from gateway.settings.names import USUAL_GROUPS, GroupsClaim
from gateway.settings.secret_files import revealed
from gateway.settings.state_urls import SqliteUrl
from gateway.state.backends import Backends, backends_at
from gateway.state.redis.place import RedisPlace
from gateway.web.admin import AdminOptions
from gateway.web.door.limits import DoorLimits
from gateway.web.session.group_watch import GroupWatch
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
        client_header=settings.client_ip_header.lower().encode(),
    )


def listening_rules(settings: Settings) -> DoorRules:
    """The same at the door itself, where proxies in front put their questions."""
    questions = f"{settings.prefix}/auth" if settings.forward_auth is not None else ""
    return replace(door_rules(settings), questions=questions)


def callers(settings: Settings) -> list[AskingProxy]:
    """Who may ask (forward-auth), with the secrets that were read with the configuration."""
    asked = settings.forward_auth
    if asked is None:
        return []
    return [
        AskingProxy(
            each.caller,
            each.from_ or settings.trusted_proxies,
            door_rules(settings, each.hosts),
            each.login or (302 if each.caller in RELAYING else 401),
            (revealed(each.secret) or "").encode(),
            asked.over_grpc(each),
            asked.renews(each),
        )
        for each in asked.asking
    ]


def door_limits(settings: Settings, files: Shares) -> DoorLimits:
    """What a client may take.

    :param files: what the system has room for.
    """
    waits, most = settings.timeouts, settings.limits
    bodies = [most.body if upstream.body is None else upstream.body for upstream in settings.upstreams]
    return DoorLimits(
        header=most.header,
        body=0 if 0 in bodies else max(bodies),  # which upstream it is for is not known yet
        handshake=waits.client_handshake,
        head_seconds=waits.client_head,
        body_window=waits.client_body,
        body_rate=most.body_rate,
        keep_alive=waits.client_keep_alive,
        send_seconds=waits.client_send,
        per_client=min(most.connections_per_client, files.client),
        together=files.clients,
        proxied=settings.trusted_proxies if settings.proxy_protocol else (),
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
        groups=settings.headers.groups.claim,
        shape=settings.headers.groups.shape,
        federated=PROVIDERS[settings.provider.kind].broker,
        usernames=PROVIDERS[settings.provider.kind].usernames,
        keep=tuple(dict.fromkeys((*settings.session.claims, *settings.headers.claims.values()))),
        trusted_email_from=frozenset(settings.provider.trusted_email_from),
        linked=tuple(settings.provider.linked_subjects.items()),
    )


def group_watch(settings: Settings) -> GroupWatch:
    """Who says that nobody has a group, where one is asked for: by another claim than the usual, or by policies."""
    groups = settings.headers.groups
    wanted = groups != GroupsClaim(USUAL_GROUPS) or settings.policies != "builtin:spa"
    return GroupWatch(groups.claim, wanted=wanted)


def provider_options(settings: Settings) -> ProviderOptions:
    """How the identity provider is reached."""
    given = settings.provider
    return ProviderOptions(
        kind=given.kind,
        issuer=given.issuer,
        domain=given.domain,
        client_id=given.client_id,
        client_secret=revealed(given.client_secret),
        other_client_secret=revealed(given.other_client_secret),
        client_authentication=given.client_authentication,
        identity_provider=given.identity_provider,
        auth_time_proves=given.auth_time_proves,
        scopes=given.scopes,
        ca_file=given.ca_file,
        resolve=given.resolve,
        way=way(settings),
    )


def way(settings: Settings) -> ProviderWay:
    """Through which proxy the provider is reached, and whoever else may end sessions."""
    given, proxy = settings.provider, settings.provider.proxy
    if proxy is None:
        return DIRECTLY
    return ProviderWay(proxy.origin, proxy.user, revealed(proxy.password) or "", given.no_proxy)


def transport(settings: Settings) -> Transport:
    """To the addresses of those whom the provider's keys speak of.

    :raises ConfigurationError: `provider.ca_file` cannot be used.
    """
    return Transport(ca_file=settings.provider.ca_file, resolve=settings.provider.resolve, way=way(settings))


def routes(settings: Settings) -> list[Route]:
    """Which upstream serves what."""
    waits, most, hosts = settings.timeouts, settings.limits, door_rules(settings).authorities
    return [
        Route(
            path=upstream.path,
            url=str(upstream.url),
            when_stale=upstream.when_stale,
            encoded_slashes=upstream.encoded_slashes == "allow",
            allow_method_override=upstream.method_override == "allow",
            connect=upstream.connect or waits.connect,
            first_byte=upstream.first_byte or waits.first_byte,
            idle=upstream.idle or waits.idle,
            stream=upstream.stream or waits.stream,
            client_body=upstream.client_body or waits.client_body,
            keep_alive=upstream.keep_alive or waits.upstream_keep_alive,
            body=most.body if upstream.body is None else upstream.body,
            connections=upstream.connections or most.upstream_connections,
            queue=most.upstream_queue,
            ca_file=str(upstream.ca_file or ""),
            strip_prefix=upstream.strip_prefix,
            own_host=upstream.host == "own",
            hosts=hosts,
            insensitive=upstream.paths == "insensitive",
            sign_out_on=frozenset(upstream.sign_out_on),
        )
        for upstream in settings.upstreams
    ]


def relying_party(settings: Settings) -> RelyingParty:
    """This gateway as its provider knows it."""
    given = settings.provider
    return RelyingParty(PROVIDERS[given.kind], given.issuer, given.client_id, given.domain or "")


def logout_options(settings: Settings) -> LogoutOptions:
    """The chain and its targets."""
    hops, here = _hops(settings), relying_party(settings)
    asked = here.issuer if any(hop.hint for hop in hops) else ""
    urls = [here.domain, asked, *(hop.url for hop in settings.logout.chain)]
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
        reach=Reach(every_session_of_user=settings.logout.scope == "user", one_sign_in=not here.kind.broker),
        news_comes_back=bool(hops) and _hears_of_own_hops(settings),
        behind=settings.provider.identity_provider is not None
        and not any(hop.elsewhere or hop.further for hop in hops),
    )


def token_hold(settings: Settings) -> Hold:
    """What refresh tokens wait for: the hops at which the browser ends its session at the provider that issues them.

    A provider of no kind in particular may be the one that a hop is for. Where no hop is known to lead there, those may
    that are for any: to wait for one hop too many costs nothing but time.
    """
    hops, unknown = _hops(settings), not relying_party(settings).kind.label
    own = [hop.name for hop in hops if not hop.elsewhere or (unknown and HOPS[hop.name].of)]
    own = own or [hop.name for hop in hops if not HOPS[hop.name].of]
    return Hold(frozenset(own), chain_limits(settings), tuple(hop.name for hop in hops))


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
    chain, here = settings.logout.chain, relying_party(settings)
    hops = [HOPS[hop.kind].made(here, hop.behind) for hop in chain]
    for index, (first, second) in enumerate(pairwise(chain)):
        kind = HOPS[second.kind]
        if kind.stands_in_for == first.kind and not hops[index + 1].elsewhere:
            # Both end one session: the second one is for browsers that have lost the hint (facts E.1, trap 14).
            named = replace(here, kind=PROVIDERS[kind.of])
            hops[index] = replace(HOPS[first.kind].made(named, first.behind), label=hops[index].label)
            hops[index + 1] = replace(hops[index + 1], instead_of=first.kind)
    return hops
