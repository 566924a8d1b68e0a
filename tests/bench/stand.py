"""The place where it is measured: ports, processes pinned to a core, and what they cost.

Core 0 has the proxy alone. Core 1 has everything else: upstreams, identity provider, load generator.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.bench.install import Tools

PROXY_CORE, LOAD_CORE = 0, 1
TICK = os.sysconf("SC_CLK_TCK")
FILES = {"1k": 1024, "100k": 100 * 1024}

NGINX = """
daemon off; worker_processes 1; error_log {work}/{name}.log; pid {work}/{name}.pid;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; client_max_body_size 8m; default_type application/octet-stream;
  client_body_temp_path {work}/b; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u;
  scgi_temp_path {work}/s;
  {body}
}}
"""
UPSTREAM = """
  sendfile on; tcp_nopush on; open_file_cache max=64;
  server {{
    listen 127.0.0.1:{port} backlog=1024; root {work}/www;
    location /u/ {{ try_files /1k =404; }}
  }}
"""


def file_body(name: str) -> bytes:
    """The content of an upstream file: not one repeated byte, so that a mixed-up answer shows."""
    line = name.encode() + b" 0123456789 abcdefghijklmnopqrstuvwxyz\n"
    return (line * (FILES[name] // len(line) + 1))[: FILES[name]]


@dataclass(frozen=True)
class Process:
    """A server that was started, and the file with what it says."""

    running: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.running.pid

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def stop(self) -> None:
        self.running.send_signal(signal.SIGTERM)
        try:
            self.running.wait(10)
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()


@dataclass
class Stand:
    """Where the upstreams and the provider answer, and how things are started beside them.

    :ivar beside: what runs on the load core for as long as the stand is open.
    """

    tools: Tools
    work: Path
    stack: ExitStack
    files: int = 0
    live: int = 0
    idp: int = 0
    beside: list[Process] = field(default_factory=list)
    _ports: list[socket.socket] = field(default_factory=list)
    _started: int = 0

    @classmethod
    def open(cls, tools: Tools, stack: ExitStack) -> Self:
        """A directory of its own, and both upstreams running."""
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-bench-")))
        work.chmod(0o755)
        stand = cls(tools, work, stack)
        (work / "www").mkdir()
        for name in FILES:
            (work / "www" / name).write_bytes(file_body(name))
        stand.files, stand.live, stand.idp = (stand.port() for _ in range(3))
        upstream = UPSTREAM.format(work=work, port=stand.files)
        stand.nginx(LOAD_CORE, "upstream", stand.files, upstream)
        live = [sys.executable, "-m", "tests.bench.upstream", str(stand.live)]
        stand.wait(stand.live, stand.start(LOAD_CORE, *live))
        return stand

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.idp}"

    def port(self) -> int:
        """A port that is kept: bound here without listening, which SO_REUSEADDR lets a server do beside us."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
        self._ports.append(sock)
        return sock.getsockname()[1]

    def pids_beside(self) -> list[int]:
        return [pid for process in self.beside for pid in tree(process.pid)]

    def directory(self, name: str) -> Path:
        path = self.work / name
        path.mkdir(mode=0o755)
        return path

    def start(self, core: int, *command: str | Path, **environ: str) -> Process:
        """Start a process on one core; it is stopped at the end. What it says goes to a file."""
        self._started += 1
        log = self.work / f"{self._started}-{Path(command[0]).name}.out"
        with log.open("wb") as out:
            running = subprocess.Popen(
                ["taskset", "-c", str(core), *command],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **environ},
            )  # fmt: skip
        process = Process(running, log)
        if core == LOAD_CORE:
            self.beside.append(process)
        self.stack.callback(process.stop)
        return process

    def wait(self, port: int, process: Process, seconds: float = 20) -> float:
        """Until the port answers; the seconds that took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if process.running.poll() is not None:
                break
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    return time.monotonic() - began
            time.sleep(0.02)
        sys.exit(f"bench: {process.running.args} does not answer\n{process.said()}")

    def nginx(self, core: int, name: str, port: int, body: str) -> Process:
        """An nginx whose http section has ``body``."""
        path = self.work / f"{name}.conf"
        path.write_text(NGINX.format(work=self.work, name=name, body=body))
        process = self.start(core, "nginx", "-c", str(path), "-p", str(self.work))
        self.wait(port, process)
        return process


def tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def cpu_seconds(pids: list[int]) -> float:
    """User and system time used so far (proc(5): stat, fields 14 and 15)."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def resident_bytes(pids: list[int]) -> int:
    """Resident memory; what processes share is divided among them (proc(5): smaps_rollup, Pss)."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def core_seconds(core: int) -> float:
    """What a core has worked since the machine started, and what the hypervisor took from it (proc(5): stat)."""
    line = next(x for x in Path("/proc/stat").read_text().splitlines() if x.startswith(f"cpu{core} "))
    user, nice, system, _idle, _wait, _irq, _softirq, steal, *_ = map(int, line.split()[1:])
    return (user + nice + system + steal) / TICK
