"""This gateway, everything on: session, revocation check, policies that read the path, identity headers, metrics."""

from __future__ import annotations

import shutil
import sys
import time
import urllib.error
import urllib.request
from importlib.metadata import version
from pathlib import Path

from gateway.core import clock, dice
from gateway.core.session.key_file import format_key
from gateway.core.session.revocation_keys import email_key, sid_key, subject_key
from gateway.core.signout.revocation import NewEntry
from gateway.state.sqlite.files import IndexPosition, LogFiles
from tests.bench.peers.peer import Client, Peer, Role
from tests.bench.stand import Process, Stand

SIGNED_OUT = 1_000
"""People who are signed out and whose entries are in force: nobody asks an empty index in production."""
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


def start(
    stand: Stand, client: Client, name: str, role: Role, *, access: bool = False, workers: int = 1
) -> Peer:
    home = make_home(stand, client)
    process, ready = run(stand, client, home, client.port, access=access, workers=workers)
    return Peer(name, version("spa-auth-gateway"), client.port, [process], role, ready=ready)


def start_apart(stand: Stand, client: Client, name: str, role: Role) -> Peer:
    """Two gateways that share nothing; both began as copies, so that one sign-in does."""
    home = make_home(stand, client)
    copy, twin = Path(shutil.copytree(home, f"{home}-twin")), stand.port()
    first, _ = run(stand, client, home, client.port, wide=True)
    second, _ = run(stand, client, copy, twin, wide=True)
    return Peer(name, version("spa-auth-gateway"), client.port, [first, second], role, twin=twin)


def make_home(stand: Stand, client: Client) -> Path:
    """A directory with a key, and a revocation log with what has happened before."""
    home = stand.directory(client.name)
    key = home / "key"
    key.touch(mode=0o600)
    key.write_text(format_key(dice.key()) + "\n")
    sign_out_others(home / "state.db", stand.issuer)
    return home


def run(
    stand: Stand,
    client: Client,
    home: Path,
    listen: int,
    *,
    access: bool = False,
    workers: int = 1,
    wide: bool = False,
    extra: str = "",
) -> tuple[Process, float]:
    """The process alone, listening on ``listen``, and the seconds until ``/readyz`` said 200."""
    probes = stand.port()
    config = home / "gateway.yaml"
    config.write_text(
        CONFIG.format(
            client=client, listen=listen, home=home, live=stand.live, files=stand.files, issuer=stand.issuer,
            probes=probes, admin=stand.port(), access=str(access).lower(), extra=extra,
        )
    )  # fmt: skip
    command: list[str | Path] = [Path(sys.executable).with_name("gateway"), "serve", "-c", str(config)]
    several: list[str | Path] = [] if workers == 1 else ["--workers", str(workers)]
    began = time.monotonic()
    process = stand.start_proxy(*command, *several, wide=wide or workers > 1)
    return process, until_ready(process, probes, began)


def sign_out_others(state: Path, issuer: str) -> None:
    """Fill the revocation log with the sign-outs of people who take no part."""
    expires = clock.now() + 86_400
    keys = [
        key
        for n in range(SIGNED_OUT)
        for key in (sid_key(f"s-{n}"), subject_key(issuer, f"u-{n}"), email_key(f"u-{n}@example.com"))
    ]
    files = LogFiles(state, patience=5)
    files.start()
    files.write([NewEntry(key, expires, "bench") for key in keys], IndexPosition("", 0))
    files.close()


def until_ready(process: Process, probes: int, began: float) -> float:
    while time.monotonic() - began < 60 and process.running.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{probes}/readyz", timeout=1) as answer:
                if answer.status == 200:
                    return time.monotonic() - began
        except (urllib.error.URLError, OSError):
            time.sleep(0.01)
    sys.exit(f"bench: the gateway does not become ready\n{process.said()}")
