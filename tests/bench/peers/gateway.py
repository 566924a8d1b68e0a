"""This gateway, everything on: session, revocation check, policies that read the path, identity headers, metrics."""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request
from importlib.metadata import version
from pathlib import Path

from gateway.core import dice
from gateway.core.key_file import format_key
from tests.bench.peers.peer import Client, Peer
from tests.bench.stand import PROXY_CORE, Process, Stand

CONFIG = """
public_url: http://localhost:{client.port}
listen: 127.0.0.1:{listen}
upstreams:
  - {{path: /live/, url: 'http://127.0.0.1:{live}'}}
  - {{path: /, url: 'http://127.0.0.1:{files}'}}
provider: {{kind: oidc, issuer: '{issuer}', client_id: {client.name}, client_secret: {client.secret}}}
session: {{key_files: [key], idle: 12h, absolute: 12h}}
headers: {{groups: groups}}
policies: builtin:groups
state: sqlite://{home}/state.db
logout: {{chain: []}}
probes: {{listen: '127.0.0.1:{probes}'}}
admin: {{listen: '127.0.0.1:{admin}'}}
log: {{level: info, access: {access}}}
{extra}
"""


def client(port: int, name: str) -> Client:
    return Client(name, port, "/oauth2/callback")


def start(stand: Stand, client: Client, *, access: bool) -> Peer:
    process, ready = run(stand, client, client.port, access=access)
    name = f"this gateway, access log {'on' if access else 'off'}"
    return Peer(name, version("spa-auth-gateway"), client.port, [process], ready=ready)


def run(stand: Stand, client: Client, listen: int, *, access: bool, extra: str = "") -> tuple[Process, float]:
    """The process alone, listening on ``listen``, and the seconds until ``/readyz`` said 200."""
    home = stand.directory(client.name)
    key = home / "key"
    key.touch(mode=0o600)
    key.write_text(format_key(dice.key()) + "\n")
    probes = stand.port()
    config = home / "gateway.yaml"
    config.write_text(
        CONFIG.format(
            client=client, listen=listen, home=home, live=stand.live, files=stand.files, issuer=stand.issuer,
            probes=probes, admin=stand.port(), access=str(access).lower(), extra=extra,
        )
    )  # fmt: skip
    began = time.monotonic()
    process = stand.start(PROXY_CORE, Path(sys.executable).with_name("gateway"), "serve", "-c", str(config))
    return process, until_ready(process, probes, began)


def until_ready(process: Process, probes: int, began: float) -> float:
    while time.monotonic() - began < 20 and process.running.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{probes}/readyz", timeout=1) as answer:
                if answer.status == 200:
                    return time.monotonic() - began
        except (urllib.error.URLError, OSError):
            time.sleep(0.01)
    sys.exit(f"bench: the gateway does not become ready\n{process.said()}")
