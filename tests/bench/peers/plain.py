"""Proxies without authentication: nginx, to which all are compared, and Caddy."""

from __future__ import annotations

import subprocess

from tests.bench.peers.peer import Peer, Role
from tests.bench.stand import Stand

NGINX = "nginx, no authentication"
POOLS = """
  upstream files {{ server 127.0.0.1:{files}; keepalive 64; keepalive_requests 100000000; }}
  upstream live {{ server 127.0.0.1:{live}; keepalive 64; keepalive_requests 100000000; }}
  map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
  proxy_http_version 1.1; proxy_set_header Connection "";
  proxy_buffer_size 16k; proxy_buffers 8 16k; proxy_busy_buffers_size 64k;
"""
LOCATIONS = """
    location /live/ws {{
      proxy_pass http://live; proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }}
    location /live/ {{ proxy_pass http://live; proxy_request_buffering off; }}
    location / {{ proxy_pass http://files; }}
"""
SERVER = (
    POOLS
    + "  server {{\n    listen 127.0.0.1:{port} backlog=1024;\n    location = /refused {{ return 401; }}"
    + LOCATIONS
    + "  }}\n"
)
CADDYFILE = """
{{
  admin off
  auto_https off
  persist_config off
  storage file_system {home}
  log {{
    level ERROR
  }}
}}
http://localhost:{port} {{
  bind 127.0.0.1
  reverse_proxy /live/* 127.0.0.1:{live}
  reverse_proxy 127.0.0.1:{files}
}}
"""


def nginx_version() -> str:
    said = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    return said.strip().rpartition("/")[2]


def nginx(stand: Stand) -> Peer:
    """The reference: no authentication, unbuffered uploads, pooled upstream connections."""
    port = stand.port()
    body = SERVER.format(port=port, files=stand.files, live=stand.live)
    process = stand.nginx(stand.start_proxy, "proxy", port, body)
    return Peer(NGINX, nginx_version(), port, [process], Role.REFERENCE, "/refused")


def caddy(stand: Stand) -> Peer:
    """Caddy as a plain reverse proxy."""
    port, home = stand.port(), stand.directory("caddy")
    (home / "Caddyfile").write_text(
        CADDYFILE.format(home=home, port=port, live=stand.live, files=stand.files)
    )
    binary = str(stand.tools.caddy)
    process = stand.start_proxy(binary, "run", "--config", str(home / "Caddyfile"), HOME=str(home))
    stand.wait(port, process)
    return Peer("Caddy, no authentication", caddy_version(stand), port, [process], Role.PLAIN)


def caddy_version(stand: Stand) -> str:
    said = subprocess.run([str(stand.tools.caddy), "version"], capture_output=True, text=True, check=True)
    return said.stdout.split()[0].lstrip("v")
