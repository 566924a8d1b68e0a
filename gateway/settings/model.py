"""The whole configuration: every key of the reference listing, in its order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateway.settings import kinds
from gateway.settings.kinds import key
from gateway.settings.sections import (
    AdminSection,
    BrowserSection,
    ForwardAuthSection,
    HeadersSection,
    LimitsSection,
    LogSection,
    ProbesSection,
    RedisSection,
    TimeoutsSection,
    TlsSection,
    UpstreamSection,
)
from gateway.settings.session_sections import InboundSection, LogoutSection, ProviderSection, SessionSection


@dataclass(frozen=True, slots=True)
class Settings:
    """What the gateway runs on. Made by :func:`gateway.config.load`, which also holds the cross-field rules."""

    public_url: kinds.PublicUrl = key(
        description="Origin under which browsers reach the application; http on localhost only."
    )
    listen: kinds.Address = key("0.0.0.0:8080", description="Where the gateway listens.")
    hosts: tuple[kinds.Host, ...] = key(
        [], description="Further `Host` names to accept; any other is answered 421."
    )
    prefix: kinds.Prefix = key("/oauth2", description="Where the gateway's own endpoints live.")
    tls: TlsSection = key({}, description="TLS on the gateway's own listener.")
    trusted_proxies: tuple[kinds.Network, ...] = key(
        [], description="Networks whose forwarded headers count."
    )
    client_ip_header: Literal[
        "X-Forwarded-For",
        "Forwarded",
        "X-Real-IP",
        "CF-Connecting-IP",
        "True-Client-IP",
        "Fastly-Client-IP",
        "X-Azure-ClientIP",
        "X-Envoy-External-Address",
        "CloudFront-Viewer-Address",
    ] = key(
        "X-Forwarded-For",
        description="In which header they say who the client is; the others are not looked at. What cannot be read is"
        " the client `unknown`, and said in the log.",
    )
    proxy_protocol: kinds.Flag = key(
        False,
        description="Every connection to `listen` begins with a PROXY header (version 1 or 2), also before TLS, and"
        " comes from `trusted_proxies`; any other is closed.",
    )
    allowed_origins: tuple[kinds.Origin, ...] = key(
        [],
        description="Other origins that may send unsafe requests, preflights and WebSocket handshakes.",
    )
    upstreams: tuple[UpstreamSection, ...] = key(
        description="Where requests go on to; the longest path prefix wins."
    )
    provider: ProviderSection = key(description="The identity provider.")
    session: SessionSection = key(description="The session and its cookie.")
    state: kinds.State = key(
        "sqlite:///var/lib/gateway/state.db",
        description="The revocation log: a file for one host, `redis://…` for several.",
    )
    redis: RedisSection = key({}, description="What a Redis in `state` needs besides.")
    state_spool: kinds.Room = key(
        "1MiB",
        description="Room to reserve for revocations that the log cannot take, beside `state` or in `redis.spool`.",
    )
    state_loss: Literal["refuse", "accept"] = key(
        "refuse",
        description="After the log was lost: refuse its sessions, or accept that revocations are forgotten.",
    )
    max_staleness: kinds.Lifetime = key("5m", description="Age of the log from which requests are refused.")
    headers: HeadersSection = key({}, description="Identity headers to upstreams.")
    logout: LogoutSection = key({}, description="Signing out.")
    inbound: InboundSection = key({}, description="Who may end sessions from outside; absent is closed.")
    policies: kinds.Policies = key(
        "builtin:spa", description="Cedar policies: a built-in set, or a directory with `*.cedar`."
    )
    forward_auth: ForwardAuthSection | None = key(
        None, description="Answer for a proxy in front; absent is off."
    )
    browser: BrowserSection = key({}, description="Inside the page.")
    timeouts: TimeoutsSection = key({}, description="Towards upstreams and towards clients.")
    limits: LimitsSection = key({}, description="What requests and clients may take.")
    probes: ProbesSection = key({}, description="Probes and metrics.")
    admin: AdminSection = key({}, description="The operator's API.")
    log: LogSection = key({}, description="Logging.")

    @property
    def insensitive(self) -> list[str]:
        """Paths of the upstreams that make no difference between capitals and small letters."""
        return [upstream.path for upstream in self.upstreams if upstream.paths == "insensitive"]
