"""nginx in front that asks an authorizer about every request (auth_request): this gateway, and oauth2-proxy."""

from __future__ import annotations

from collections.abc import Callable

from tests.bench.install import OAUTH2_PROXY
from tests.bench.peers import gateway, oauth2_proxy
from tests.bench.peers.peer import Client, Peer
from tests.bench.peers.plain import LOCATIONS, POOLS, nginx_version
from tests.bench.stand import PROXY_CORE, Process, Stand

FRONT = (
    POOLS
    + """
  upstream authorizer {{ server 127.0.0.1:{authorizer}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    auth_request /oauth2/auth;
    auth_request_set $user $upstream_http_x_auth_request_user;
    proxy_set_header X-Auth-Request-User $user;
    error_page 401 = @refused;
    location @refused {{
      auth_request off;
      if ($http_sec_fetch_mode = navigate) {{ return 302 /oauth2/start?rd=$request_uri; }}
      return 401;
    }}
    location = /oauth2/auth {{
      auth_request off; internal;
      proxy_pass http://authorizer; proxy_pass_request_body off;
      proxy_set_header Content-Length ""; proxy_set_header Host $http_host;
      proxy_set_header X-Original-URI $request_uri; proxy_set_header X-Original-Method $request_method;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Forwarded-Uri $request_uri;
    }}
    location /oauth2/ {{
      auth_request off;
      proxy_pass http://authorizer; proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
    }}
"""
    + LOCATIONS
    + "  }}\n"
)
GATEWAY = "trusted_proxies: [127.0.0.1/32]\nforward_auth: {caller: nginx}"


def line_up(stand: Stand) -> tuple[list[Client], list[tuple[str, Callable[[], Peer]]]]:
    ours = gateway.client(stand.port(), "gateway-asked")
    clients = [ours]
    starters: list[tuple[str, Callable[[], Peer]]] = [("gateway asked", lambda: gateway_asked(stand, ours))]
    if stand.tools.oauth2_proxy is not None:
        theirs = oauth2_proxy.client(stand.port(), "oauth2-proxy-asked")
        clients.append(theirs)
        starters.append(("oauth2-proxy asked", lambda: oauth2_proxy_asked(stand, theirs)))
    return clients, starters


def gateway_asked(stand: Stand, client: Client) -> Peer:
    listen = stand.port()
    process, ready = gateway.run(stand, client, listen, access=False, extra=GATEWAY)
    pair = [front(stand, client, listen), process]
    return Peer("nginx asking this gateway", nginx_version(), client.port, pair, forward_auth=True, ready=ready)


def oauth2_proxy_asked(stand: Stand, client: Client) -> Peer:
    listen = stand.port()
    process = oauth2_proxy.run(stand, client, listen, "--reverse-proxy=true", "--set-xauthrequest=true")
    pair = [front(stand, client, listen), process]
    return Peer("nginx asking oauth2-proxy", OAUTH2_PROXY, client.port, pair, forward_auth=True)


def front(stand: Stand, client: Client, authorizer: int) -> Process:
    return stand.nginx(
        PROXY_CORE, f"front-{client.name}", client.port, FRONT,
        authorizer=authorizer, files=stand.files, live=stand.live,
    )  # fmt: skip
