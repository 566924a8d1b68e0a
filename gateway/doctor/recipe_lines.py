"""Which line of a recipe does what (``deploy/forward-auth/``): what is named where its work is not seen.

A test holds each of them to its recipe, and takes each out to see that it is the one that is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.settings.sections import ForwardAuthSection

OVER_GRPC = "envoy-grpc"
_IN_BOTH = frozenset({"asked", "/oauth2/", "/logout", "/logged-out", "set ours", "clear ours", "documents"})
"""What the recipe for Envoy over gRPC does by the same lines as the one over HTTP. The rest the gateway does for it."""
_HANDED_ON = 'allowed_client_headers: {patterns: [{safe_regex: {regex: ".+"}}]}'
_LINES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "asked": {
        "nginx": ("auth_request /oauth2/auth;",),
        "caddy": ("forward_auth 127.0.0.1:8080 {",),
        "envoy": ("- name: envoy.filters.http.ext_authz",),
        "haproxy": ("http-request lua.ask-gateway",),
        "traefik": ("middlewares: [ask, not-stored]", "middlewares: [ask, private]"),
    },
    "path": {
        "caddy": ("uri /oauth2/auth",),
        "envoy": ("path_prefix: /oauth2/auth",),
        "traefik": ("address: http://127.0.0.1:8080/oauth2/auth",),
    },
    "method": {
        "nginx": ("proxy_set_header X-Original-Method $request_method;",),
        "haproxy": ('["x-forwarded-method"] = {txn.f:method()},',),
    },
    "host": {"haproxy": ('["x-forwarded-host"] = values(headers["host"]),',)},
    "target": {
        "nginx": ("proxy_set_header X-Original-URL $scheme://$gateway_host$request_uri;",),
        "haproxy": ('["x-forwarded-uri"] = {txn.f:pathq()},',),
    },
    "cookie": {"envoy": ("- {exact: cookie}",), "haproxy": ('"cookie",',)},
    "accept": {"envoy": ("- {exact: accept}",), "haproxy": ('"accept",',)},
    "origin": {
        "envoy": ("- {exact: origin}", "- {exact: access-control-request-method}"),
        "haproxy": ('"origin",', '"access-control-request-method",'),
    },
    "fetch metadata": {
        "envoy": ("- {prefix: sec-fetch-}",),
        "haproxy": ('"sec-fetch-mode",', '"sec-fetch-dest",'),
    },
    "prefetch": {"envoy": ("- {exact: sec-purpose}",), "haproxy": ('"sec-purpose",',)},
    "handshake": {
        "envoy": ("- {exact: upgrade}", "- {exact: sec-websocket-key}"),
        "haproxy": ('"upgrade",', '"sec-websocket-key",'),
    },
    "location": {
        "nginx": (
            "auth_request_set $gateway_login    $upstream_http_location;",
            "return 302 $gateway_login;",
        ),
    },
    "body": {
        "nginx": ("error_page 401 = @gateway_sign_in;", "default_type application/problem+json;"),
        "envoy": (_HANDED_ON,),
    },
    "reason": {"nginx": ("auth_request_set $gateway_reason   $upstream_http_x_gateway_reason;",)},
    "refusal": {"nginx": ("error_page 403 = @gateway_refused;",), "envoy": (_HANDED_ON,)},
    "stored": {"nginx": ("add_header Cache-Control no-store always;",), "envoy": (_HANDED_ON,)},
    "question": {
        "nginx": ("internal;",),
        "caddy": ("@question path /oauth2/auth /oauth2/auth/*",),
        "envoy": ("- match: {path_separated_prefix: /oauth2/auth}",),
        "haproxy": ("http-request deny deny_status 404 if { path_beg -i /oauth2/auth }",),
        "traefik": ("&& !PathRegexp(`^/oauth2/auth(/|$)`)",),
    },
    "own pages": {
        "nginx": ("location ~ ^/(oauth2|logout|logged-out)(/|$) {",),
        "caddy": ("@gateway path /oauth2/* /logout /logout/* /logged-out /logged-out/*",),
        "haproxy": ("use_backend gateway if gateway_pages",),
        "traefik": ("PathRegexp(`^/(oauth2|logout|logged-out)(/|$)`)",),
    },
    "/oauth2/": {"envoy": ("- match: {path_separated_prefix: /oauth2}",)},
    "/logout": {"envoy": ("- match: {path_separated_prefix: /logout}",)},
    "/logged-out": {"envoy": ("- match: {path_separated_prefix: /logged-out}",)},
    "identity": {
        "nginx": ("proxy_set_header X-Auth-Request-User $gateway_user;",),
        "caddy": ("copy_headers X-Auth-Request-User X-Auth-Request-Email X-Auth-Request-Groups",),
        "envoy": ("allowed_upstream_headers: {patterns: [{prefix: x-auth-request-}",),
        "haproxy": ("txn.http:req_del_header(name)",),
    },
    "foreign": {
        "nginx": ('proxy_set_header Remote-User "";',),
        "caddy": ("header_up -Remote-*",),
        "envoy": ("- {remove_on_match: {key_matcher: {prefix: remote-}}}",),
        "haproxy": ("http-request del-header remote- -m beg",),
        "traefik": ("authResponseHeadersRegex:",),
    },
    "own cookies": {
        "nginx": ("proxy_set_header Cookie $application_cookies;",),
        "caddy": ('header_up Cookie "(?:^|;)',),
        "envoy": ('headers:remove("cookie")',),
        "haproxy": ('txn.http:req_del_header("cookie")',),
        "traefik": ("- Cookie",),
    },
    "renewed": {"traefik": ("addAuthCookiesToResponse:",)},
    "set ours": {
        "nginx": ('proxy_cookie_flags "~^__Host-(session|login(--|_)|logout)" nosecure;',),
        "caddy": ('header_down Set-Cookie "^',),
        "envoy": ('headers:remove("set-cookie")',),
        "haproxy": ('txn.http:res_del_header("set-cookie")',),
    },
    "clear ours": {
        "nginx": ("proxy_hide_header Clear-Site-Data;",),
        "caddy": ('header_down Clear-Site-Data "',),
        "envoy": ("""headers:replace("clear-site-data", '"cache", "storage"')""",),
        "haproxy": ("""txn.http:res_set_header("clear-site-data", '"cache", "storage"')""",),
        "traefik": ('Clear-Site-Data: ""',),
    },
    "documents": {
        "nginx": ("add_header Cache-Control $gateway_cache_control always;",),
        "caddy": ("header @document >Cache-Control no-store",),
        "envoy": ('headers:replace("cache-control", "no-store")',),
        "haproxy": ('txn.http:res_set_header("cache-control", says)',),
        "traefik": ("Cache-Control: no-store",),
    },
    "own host": {"nginx": ("proxy_set_header Host $gateway_host;",)},
}
LINES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    purpose: {**lines, OVER_GRPC: lines["envoy"]} if purpose in _IN_BOTH else lines
    for purpose, lines in _LINES.items()
}
"""By what they are for, and by kind of caller. Where a kind is not there its proxy does it by itself."""


def kinds_of(asked: ForwardAuthSection) -> list[str]:
    """Everybody who may ask, by recipe."""
    return [OVER_GRPC if asked.over_grpc(caller) else caller.caller for caller in asked.asking]


def named(purposes: Iterable[str], kinds: Iterable[str], otherwise: str) -> str:
    """What to do about it: the lines of these recipes, or ``otherwise`` where none of them has one."""
    advice = []
    for kind in dict.fromkeys(kinds):
        lines = dict.fromkeys(line for purpose in purposes for line in LINES[purpose].get(kind, ()))
        if lines:
            advice.append(f"put into force what the recipe for {kind} has: `{'` and `'.join(lines)}`")
    return "; ".join(advice) or otherwise
