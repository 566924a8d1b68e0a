"""``make bench``: the hot path beside plain nginx, interleaved on one pinned core, as ratios.

Core 0 runs the proxy that is measured, alone; core 1 runs the upstream (nginx, one 1 KB file) and the load generator
(wrk). The gateway has everything on: session, revocation check, policy, identity headers, metrics. Machines are noisy,
so nothing here is an absolute figure: every round measures each proxy in turn, and the table shows medians of the
ratios within a round.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from gateway.core import clock, dice
from gateway.core.cookies import NO_COOKIES
from gateway.core.key_file import format_key
from gateway.core.sealing import Deployment, KeyRing, SealingKey
from gateway.core.session import Principal, Session, SessionLimits
from gateway.state.sqlite import SqliteLog
from gateway.web.session import Sessions

PROXY_CORE, LOAD_CORE = "0", "1"
ISSUER = "http://idp.localhost:1/pool"

NGINX = """
daemon off; worker_processes 1; error_log {work}/error.log; pid {work}/{name}.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 10000000; client_body_temp_path {work}/b; proxy_temp_path {work}/p;
  fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;
  {body}
}}
"""
UPSTREAM = "server {{ listen 127.0.0.1:{port} backlog=1024; root {work}/www; }}"
PROXY = (
    "upstream up {{ server 127.0.0.1:{up}; keepalive 64; keepalive_requests 10000000; }}"
    "server {{ listen 127.0.0.1:{port} backlog=1024; location / {{ proxy_pass http://up;"
    ' proxy_http_version 1.1; proxy_set_header Connection ""; }} }}'
)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def start(stack: ExitStack, core: str, *command: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        ["taskset", "-c", core, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )

    def stop() -> None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()

    stack.callback(stop)
    return process


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            sys.exit(f"bench: a server ended early: {process.stderr.read().decode()}")
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit("bench: a server does not answer")


def nginx(stack: ExitStack, core: str, work: Path, name: str, port: int, body: str, **values: object) -> None:
    path = work / f"{name}.conf"
    path.write_text(NGINX.format(work=work, name=name, body=body.format(work=work, port=port, **values)))
    wait_for(port, start(stack, core, "nginx", "-c", str(path), "-p", str(work)))


def gateway(stack: ExitStack, work: Path, port: int, up: int, *, access: bool) -> str:
    """Start the gateway; the Cookie header of a live session."""
    home = work / f"gateway-{port}"
    home.mkdir()
    key = dice.key()
    (home / "key").touch(mode=0o600)
    (home / "key").write_text(format_key(key) + "\n")
    config = home / "gateway.yaml"
    config.write_text(
        f"public_url: http://app.localhost:{port}\nlisten: 127.0.0.1:{port}\n"
        f"upstreams: [{{path: /, url: 'http://127.0.0.1:{up}'}}]\n"
        f"provider: {{kind: cognito, issuer: '{ISSUER}', domain: 'http://idp.localhost:1', client_id: bench}}\n"
        f"session: {{key_files: [key]}}\nstate: sqlite://{home}/state.db\n"
        f"probes: {{listen: '127.0.0.1:{free_port()}'}}\nadmin: {{listen: '127.0.0.1:{free_port()}'}}\n"
        f"log: {{level: error, access: {str(access).lower()}}}\n"
    )
    process = start(stack, PROXY_CORE, sys.executable, "-m", "gateway", "serve", "-c", str(config))
    wait_for(port, process)
    return cookie(home, key, port)


def cookie(home: Path, key: bytes, port: int) -> str:
    import asyncio

    async def log_id() -> str:
        log = SqliteLog(home / "state.db")
        await log.open()
        await log.close()
        return log.log_id

    now = clock.now()
    principal = Principal(
        ISSUER, "sub-1", "alice", "alice@example.com", ("admins", "staff"), "alice", {}, None, now
    )
    session = Session(
        sid=dice.token(),
        log_id=asyncio.run(log_id()),
        principal=principal,
        aliases=(f"sub:{ISSUER}|sub-1", "email:alice@example.com"),
        login_at=now,
        seen=1 << 60,
        idle_until=now + 1800,
        absolute_until=now + 43200,
    )
    sealed = Sessions(
        KeyRing([SealingKey.of(key)], now=now),
        Deployment(f"http://app.localhost:{port}", ISSUER, "bench"),
        SessionLimits(1800, 43200),
    ).seal(session, NO_COOKIES, now)
    return "; ".join(line.split(";", 1)[0] for line in sealed)


def verify(port: int, headers: dict[str, str], body: bytes) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/1k", headers=headers)
    with urllib.request.urlopen(request) as answer:
        if answer.status != 200 or answer.read() != body:
            sys.exit(f"bench: port {port} does not answer with the file")


def load(port: int, headers: dict[str, str], seconds: float) -> float:
    """Requests per second of one wrk run; it must see nothing but answers with status 2xx."""
    arguments = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    run = subprocess.run(
        ["taskset", "-c", LOAD_CORE, "wrk", "-t1", "-c32", f"-d{seconds:g}s", *arguments, f"http://127.0.0.1:{port}/1k"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    if "Non-2xx" in run.stdout or "Socket errors" in run.stdout:
        sys.exit(f"bench: port {port} failed under load\n{run.stdout}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", run.stdout)[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    for tool in ("nginx", "wrk", "taskset"):
        if shutil.which(tool) is None:
            sys.exit(f"bench: {tool} is missing; `make bench` installs it")
    if (os.cpu_count() or 1) < 2:
        sys.exit("bench: needs two cores, one for the proxy alone")
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-bench-")))
        work.chmod(0o755)
        (work / "www").mkdir()
        body = b"x" * 1024
        (work / "www" / "1k").write_bytes(body)
        up, plain, quiet, loud = (free_port() for _ in range(4))
        nginx(stack, LOAD_CORE, work, "upstream", up, UPSTREAM)
        nginx(stack, PROXY_CORE, work, "proxy", plain, PROXY, up=up)
        sides = {
            "nginx, no authentication": (plain, {}),
            "gateway, access log off": (quiet, {"Cookie": gateway(stack, work, quiet, up, access=False)}),
            "gateway, access log on": (loud, {"Cookie": gateway(stack, work, loud, up, access=True)}),
        }
        for port, headers in sides.values():
            if "Cookie" in headers:
                headers["Host"] = f"app.localhost:{port}"
            verify(port, headers, body)
        rates: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(options.rounds):
            for name, (port, headers) in sides.items():
                rates[name].append(load(port, headers, options.seconds))
    reference = rates["nginx, no authentication"]
    print(f"1 KB GET, keep-alive, 32 connections, median of {options.rounds} rounds of {options.seconds:g} s")
    print(f"{'':28}{'requests/s':>12}{'of nginx':>10}")
    for name, measured in rates.items():
        ratio = statistics.median(a / b for a, b in zip(measured, reference, strict=True))
        print(f"{name:28}{statistics.median(measured):>12,.0f}{ratio:>10.2f}")


if __name__ == "__main__":
    main()
