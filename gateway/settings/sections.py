"""The sections of the configuration, in the order of the reference listing.

Attribute names are the keys, with an underscore behind those that are words of Python's own. A default is written as an
operator would write it and parsed like everything else; durations come out as seconds (float), sizes as bytes (int),
paths absolute, secrets as ``Secret``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from gateway.settings import kinds, names
from gateway.settings.kinds import key


@dataclass(frozen=True, slots=True)
class TlsSection:
    """TLS on our own listener; both files or none."""

    cert_file: kinds.File | None = key(
        None, description="Certificate chain in PEM; with `key_file`, `listen` speaks TLS."
    )
    key_file: kinds.File | None = key(
        None, description="The certificate's private key in PEM, without a passphrase."
    )

    @property
    def enabled(self) -> bool:
        return self.cert_file is not None and self.key_file is not None


@dataclass(frozen=True, slots=True)
class UpstreamSection:
    """One place requests go on to; the longest matching `path` wins."""

    path: kinds.RoutePath = key(description="Path prefix, decoded; also the name of this route in policies.")
    url: kinds.Upstream = key(
        description="Where it is: `http://…`, `https://…`, each with a path for the front of every target,"
        " `unix:/socket`, or `file:///directory` of a built SPA."
    )
    ca_file: kinds.File | None = key(
        None, description="Certificates in PEM to trust for an `https` upstream, instead of the system's."
    )
    when_stale: Literal["refuse", "serve"] = key(
        "refuse", description="When the revocation log is older than `max_staleness`: answer 503, or go on."
    )
    encoded_slashes: Literal["refuse", "allow"] = key(
        "refuse",
        description="`allow` admits `%2F` in the path, matched literally; otherwise it is answered 400.",
    )
    method_override: Literal["refuse", "allow"] = key(
        "refuse",
        description="`allow` hands on `X-HTTP-Method-Override` and its like, which policies do not see;"
        " otherwise they are removed.",
    )
    strip_prefix: kinds.Flag = key(
        False,
        description="Take `path` from the front of what the upstream is asked for, and tell it `X-Forwarded-Prefix`."
        " Policies see the whole path. `Location` of the upstream comes back under `path`; links and paths of cookies"
        " are not changed.",
    )
    host: Literal["browser", "own"] = key(
        "browser",
        description="What `Host` the upstream is asked for: the one in the browser's address bar, or `own`, that of"
        " `url`; `X-Forwarded-Host` is the browser's.",
    )
    paths: Literal["exact", "insensitive"] = key(
        "exact",
        description="`insensitive`: the upstream serves `/Admin` and `/admin` as one (IIS, ASP.NET, Express), so all"
        " spellings are its own, and policies see paths in lower case.",
    )
    sign_out_on: tuple[kinds.RoutePath, ...] = key(
        [],
        description="Paths of the application's own sign-out: a request that acts there, or a navigation, still"
        " reaches it, ends the session here and begins the chain, which the next navigation walks.",
    )
    body: kinds.Size | None = key(None, description="In the place of `limits.body`, for this upstream.")
    connections: kinds.Number | None = key(
        None, description="In the place of `limits.upstream_connections`, for this upstream."
    )
    connect: kinds.Lifetime | None = key(None, description="In the place of `timeouts.connect`.")
    first_byte: kinds.Lifetime | None = key(
        None, description="In the place of `timeouts.first_byte`: for a report that takes minutes."
    )
    idle: kinds.Lifetime | None = key(
        None, description="In the place of `timeouts.idle`: for downloads and long answers that pause."
    )
    stream: kinds.Patience | None = key(None, description="In the place of `timeouts.stream`.")
    client_body: kinds.Lifetime | None = key(
        None, description="In the place of `timeouts.client_body`: for uploads that pause."
    )
    keep_alive: kinds.Lifetime | None = key(
        None, description="In the place of `timeouts.upstream_keep_alive`."
    )


@dataclass(frozen=True, slots=True)
class RedisSection:
    """What is not in the URL; it means nothing where the log is a file."""

    password: kinds.Secret | None = key(
        None, description="Password of the user in `state`, or of Redis's default user."
    )
    password_file: kinds.File | None = key(None, description="File that holds the password.")
    ca_file: kinds.File | None = key(
        None, description="Certificates in PEM to trust for `rediss://`, instead of the system's."
    )
    cert_file: kinds.File | None = key(
        None, description="Certificate in PEM to show to a Redis that asks for one."
    )
    key_file: kinds.File | None = key(
        None, description="That certificate's private key in PEM, without a passphrase."
    )
    prefix: kinds.RedisPrefix = key(
        "gateway",
        description="Begins the names of all keys; the same in all instances that share sessions' ends.",
    )
    spool: kinds.File | None = key(
        None, description="Directory that keeps, through restarts, the revocations that Redis cannot take."
    )


@dataclass(frozen=True, slots=True)
class HeadersSection:
    """Which claims become identity headers."""

    user: kinds.Word = key("sub", description="Claim that becomes `X-Auth-Request-User`.")
    groups: kinds.GroupsClaim = key(
        names.USUAL_GROUPS,
        description="Claim that becomes `X-Auth-Request-Groups` and the groups of policies; where it comes as a text"
        " also how to read it, `{claim: …, shape: …}` with `list`, `json`, `comma` or `brackets`.",
    )
    authorization: kinds.Flag = key(
        False, description="Send the access token to upstreams as `Authorization: Bearer`."
    )
    assertion: kinds.Flag = key(
        False,
        description="Send upstreams `X-Auth-Request-Assertion` too: who it is as a JWT (ES256, 60 s, audience:"
        " the route's `path`), to be verified with the keys at `/oauth2/assertion-keys`.",
    )
    assertion_key_files: tuple[kinds.File, ...] = key(
        [],
        description="Private keys (P-256, PEM) for it, of `gateway keys assertion`. The first one signs, all are"
        " published.",
    )
    claims: dict[kinds.ClaimHeader, kinds.Word] = key(
        {}, description="Further headers to upstreams, as `Header-Name: claim`."
    )
    reserved: tuple[kinds.ReservedHeader, ...] = key(
        [],
        description="Further headers that no client may send, because an upstream believes them; `X-Sso-*` is all that"
        " begin so. Those of the usual proxies (`Remote-User`, `X-Amzn-Oidc-*` …) never pass.",
    )
    underscores: Literal["pass", "drop"] = key(
        "pass",
        description="Headers with an underscore in their name: only those that are another spelling of one that does"
        " not pass are dropped, or all. A drop is said once in the log.",
    )


CallerKind = Literal["nginx", "traefik", "caddy", "envoy", "haproxy", "apisix", "nginx-gateway-fabric"]


@dataclass(frozen=True, slots=True)
class GrpcSection:
    """The listener for Envoy's questions over gRPC; needs the extra `grpc`."""

    listen: kinds.Address = key("127.0.0.1:9092", description="Where it listens.")
    cert_file: kinds.File | None = key(
        None, description="Certificate chain in PEM; with `key_file`, `listen` speaks TLS."
    )
    key_file: kinds.File | None = key(
        None, description="The certificate's private key in PEM, without a passphrase."
    )
    client_ca_file: kinds.File | None = key(
        None,
        description="Certificates in PEM; whoever asks must show one that they vouch for. All three files are read"
        " again when they change.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSection:
    """One proxy that may ask."""

    caller: CallerKind = key(description="Which proxy asks; it decides from where the request is read.")
    from_: tuple[kinds.Network, ...] = key(
        [],
        description="Where it asks from: networks within `trusted_proxies`. Without it, from all of these.",
    )
    login: Literal[401, 302] | None = key(
        None,
        description="Answer to people without a session. Default: 302 to the sign-in, and 401 for nginx, which does not"
        " pass a redirect on.",
    )
    hosts: tuple[kinds.Host, ...] = key(
        [], description="Further hosts that it may ask about, beside `public_url` and `hosts`."
    )
    secret: kinds.Secret | None = key(
        None,
        description="What it has to send in `X-Gateway-Secret` with each question; others in its networks are not"
        " believed then.",
    )
    secret_file: kinds.File | None = key(None, description="File that holds the secret.")
    renews_cookies: kinds.Flag = key(
        False,
        description="What a pass sets reaches the browser (`addAuthCookiesToResponse` of `traefik`), so activity counts"
        " and `session.idle` works. Over gRPC that is so by itself.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardAuthSection(CallerSection):
    """Answering for proxies in front; absent means that the endpoint is closed."""

    caller: CallerKind | None = key(  # type: ignore[assignment]  # None: nginx, or `callers`
        None,
        description="Which proxy asks, where there is one: with the keys beside it short for one entry of `callers`."
        " Without either it is nginx.",
    )
    grpc: GrpcSection | None = key(
        None, description="Where `envoy` asks over gRPC, and no more over HTTP; absent is off."
    )
    callers: tuple[CallerSection, ...] = key(
        [], description="The proxies that ask, where there are several, each from networks of its own."
    )

    @property
    def asking(self) -> tuple[CallerSection, ...]:
        """Everybody who may ask."""
        if self.callers:
            return self.callers
        only = {each.name: getattr(self, each.name) for each in fields(CallerSection)}
        return (CallerSection(**{**only, "caller": self.caller or "nginx"}),)

    def over_grpc(self, caller: CallerSection) -> bool:
        """Whether that one asks over gRPC."""
        return self.grpc is not None and caller.caller == "envoy"

    def renews(self, caller: CallerSection) -> bool:
        """Whether the cookies of a pass go on to the browser."""
        return caller.renews_cookies or self.over_grpc(caller)


@dataclass(frozen=True, slots=True)
class BrowserSection:
    """What is done inside the page."""

    inject_tab_script: kinds.Flag = key(
        False, description="Put the script that makes open tabs leave into HTML pages of signed-in users."
    )
    clear_storage: kinds.Flag = key(
        False,
        description="Clear the origin's storage, service workers included, on the last page of a finished sign-out.",
    )
    unregister_workers: kinds.Flag = key(
        False,
        description="Answer a service worker's update check without a session with a worker that removes itself.",
    )
    spa_has_own_tokens: kinds.Flag = key(
        False, description="The application keeps tokens of its own; needs `clear_storage`."
    )


@dataclass(frozen=True, slots=True)
class TimeoutsSection:
    """Towards upstreams and towards clients."""

    connect: kinds.Lifetime = key("5s", description="Until an upstream accepts a connection, then 504.")
    first_byte: kinds.Lifetime = key("60s", description="Until its answer begins, then 504.")
    idle: kinds.Lifetime = key(
        "60s",
        description="Without a byte either way in mid-answer, then the connection is cut; event streams, pushed images"
        " (`multipart/x-mixed-replace`) and WebSockets have `stream`.",
    )
    stream: kinds.Patience = key(
        "0s",
        description="How long an event stream or a WebSocket may say nothing, either way; `0s` is for ever, that is"
        " until its session ends. HAProxy's `timeout tunnel`; Envoy's `stream_idle_timeout` is 5m.",
    )
    upstream_keep_alive: kinds.Lifetime = key(
        "4s",
        description="How long a free connection to an upstream is kept: less than the upstream itself keeps it (Node,"
        " uvicorn 5s, Gunicorn 2s; Go and nginx longer).",
    )
    client_keep_alive: kinds.Lifetime = key(
        "75s",
        description="How long a client's connection is kept between two requests: longer than a load balancer in front"
        " keeps it (AWS 60s, Google 600s, Azure 4m). nginx's `keepalive_timeout`.",
    )
    client_handshake: kinds.Lifetime = key(
        "10s",
        description="From the beginning of a connection to the end of its TLS handshake, the PROXY header included;"
        " then it is closed. Kestrel's `HandshakeTimeout`.",
    )
    client_head: kinds.Lifetime = key(
        "30s",
        description="From the first byte of a request's head to its last, then 408. nginx 60s, Kestrel 30s.",
    )
    client_body: kinds.Lifetime = key(
        "60s",
        description="In each such time a request's body must have come on by `limits.body_rate`, then 408. nginx's"
        " `client_body_timeout`.",
    )
    client_send: kinds.Lifetime = key(
        "60s",
        description="In each such time a client must take something of what waits for it. nginx's `send_timeout`.",
    )
    drain_accept: kinds.Duration = key(
        "5s",
        description="How long a gateway that stops still accepts, being unready: until every load balancer knows.",
    )
    drain: kinds.Duration = key(
        "20s",
        description="How long requests under way may take after that, then they are cut. Both together stay below"
        " Kubernetes' `terminationGracePeriodSeconds` (30s).",
    )


@dataclass(frozen=True, slots=True)
class LimitsSection:
    """What a request may weigh, and how much of the gateway one client may take."""

    header: kinds.Size = key("32KiB", description="All request headers together, then 431.")
    cookies: kinds.Size = key(
        7000,
        description="All cookies of the gateway together; a session that needs more ends on a page that says so.",
    )
    body: kinds.Size = key(0, description="Request body, then 413; 0 is no limit.")
    body_rate: kinds.Count = key(
        240,
        description="Bytes a second that a request's body must have on average in each `timeouts.client_body`; 0 asks"
        " for one byte in it, as nginx does. Kestrel's `MinRequestBodyDataRate`; Apache has 500.",
    )
    connections: kinds.Count = key(
        0,
        description="Connections of all clients to one worker, proxies in front included; then idle ones of whoever has"
        " most are closed for new ones, and where there are none new ones are refused. 0, or more than that, is as many"
        " as the system lets the process open files for, as HAProxy's `maxconn`; nginx has 512 (`worker_connections`).",
    )
    connections_per_client: kinds.Count = key(
        1024,  # an office behind one address opens six for each browser
        description="Connections of one client address (of IPv6 its /64) to one worker; 0 is no limit."
        " Those of `trusted_proxies` and of this machine do not count. It is never more than a quarter of what all"
        " clients together may have.",
    )
    upstream_connections: kinds.Number = key(
        512,
        description="Connections of one worker to each upstream, event streams and WebSockets apart. HAProxy has 2,000"
        " for all together, Envoy 1,024. Where the system lets a process open few files it is less.",
    )
    upstream_queue: kinds.Count = key(
        1024,
        description="Requests that may wait for such a connection, no longer than `timeouts.connect`; more are answered"
        " 503. Envoy's `max_pending_requests`.",
    )


@dataclass(frozen=True, slots=True)
class ProbesSection:
    """The read-only listener of probes and metrics."""

    listen: kinds.Address = key(
        "127.0.0.1:9091", description="Where `/startupz`, `/livez`, `/readyz` and `/metrics` answer."
    )


@dataclass(frozen=True, slots=True)
class AdminSection:
    """The operator's listener."""

    listen: kinds.Address = key("127.0.0.1:9090", description="Where `/api` answers.")
    token: kinds.Secret | None = key(
        None, description="Bearer token that `/api` asks for; without one it answers 403."
    )
    token_file: kinds.File | None = key(None, description="File that holds the token.")


@dataclass(frozen=True, slots=True)
class LogSection:
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"] = key(
        "info", description="The least severe line that is written."
    )
    access: kinds.Flag = key(True, description="One line a request: path and parameter names, never values.")
