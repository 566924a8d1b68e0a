"""nginx in front that asks an authorizer about every request (auth_request): this gateway, and oauth2-proxy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.bench.install import oauth2_proxy_version
from tests.bench.peers import gateway, oauth2_proxy
from tests.bench.peers.peer import Client, Peer, Role
from tests.bench.peers.plain import POOLS, nginx_version
from tests.bench.stand import Stand
from tests.fakes.pieces import put

RECIPE = Path(__file__).resolve().parents[3] / "deploy" / "forward-auth" / "nginx.conf"
FRONT = (
    POOLS
    + """
  upstream authorizer {{ server 127.0.0.1:{authorizer}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    auth_request /oauth2/auth;
    auth_request_set $user $upstream_http_x_auth_request_user;
    auth_request_set $email $upstream_http_x_auth_request_email;
    error_page 401 = @refused;
    location @refused {{
      auth_request off;
      if ($http_sec_fetch_mode = navigate) {{ return 302 /oauth2/start?rd=$request_uri; }}
      return 401;
    }}
    location = /oauth2/auth {{
      auth_request off; internal;
      proxy_pass http://authorizer; proxy_pass_request_body off;
      proxy_set_header Content-Length ""; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-Uri $request_uri;
    }}
    location /oauth2/ {{
      auth_request off;
      proxy_pass http://authorizer; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Auth-Request-Redirect $request_uri;
    }}
    location / {{
      proxy_pass http://files; proxy_set_header Connection "";
      proxy_set_header X-User $user; proxy_set_header X-Email $email;
    }}
  }}
"""
)
FRONTS = ("nginx", "Caddy", "Envoy")
"""Those that are measured with either authorizer."""
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
    """With the recipe that is shipped, but for its addresses and its access log."""
    listen = stand.port()
    home = gateway.make_home(stand, client)
    process, _ = gateway.run(stand, client, home, listen, extra=GATEWAY)
    recipe = put(RECIPE.read_text(), substitutions(client, listen, stand.files))
    front = stand.nginx(stand.start_proxy, f"front-{client.name}", client.port, recipe)
    return Peer("nginx asking this gateway", nginx_version(), client.port, [front, process], Role.ASKED)


def substitutions(client: Client, listen: int, files: int) -> dict[str, str]:
    return {
        "https://app.example.com": f"http://localhost:{client.port}",
        "proxy_set_header Host app.example.com": f"proxy_set_header Host localhost:{client.port}",
        "server_name app.example.com": "server_name localhost",
        "listen 80": f"listen 127.0.0.1:{client.port}",
        "127.0.0.1:8080": f"127.0.0.1:{listen}",
        "127.0.0.1:3000": f"127.0.0.1:{files}",
        "access_log /var/log/nginx/access.log gateway": "access_log off",
    }


def oauth2_proxy_asked(stand: Stand, client: Client) -> Peer:
    """With the configuration that its documentation gives for nginx."""
    listen = stand.port()
    process = oauth2_proxy.run(stand, client, listen, "--reverse-proxy=true", "--set-xauthrequest=true")
    body = FRONT.format(port=client.port, authorizer=listen, files=stand.files, live=stand.live)
    front = stand.nginx(stand.start_proxy, f"front-{client.name}", client.port, body)
    version = f"{oauth2_proxy_version()} behind {nginx_version()}"
    return Peer("nginx asking oauth2-proxy", version, client.port, [front, process], Role.ASKED)
