"""The place where it is measured: upstreams, ports, and processes that are pinned to their cores."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.bench.cores import Cores
from tests.bench.install import Tools
from tests.bench.usage import tree

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
# 1 KB comes from memory, with the headers of a file: reading it would take longer than what is measured.
UPSTREAM = """
  sendfile on; tcp_nopush on; open_file_cache max=64;
  server {{
    listen 127.0.0.1:{port} backlog=1024; root {work}/www;
    location = /1k {{ {small} }}
    location /u/ {{ {small} }}
  }}
"""
SMALL = (
    'add_header Last-Modified "Sun, 01 Nov 2026 08:00:00 GMT"; add_header ETag "\\"68c0ffee-400\\"";'
    ' add_header Accept-Ranges bytes; return 200 "{}";'
)


def file_body(name: str) -> bytes:
    """The content of an upstream file: not one repeated byte, so that a mixed-up answer shows."""
    line = name.encode() + b" 0123456789 abcdefghijklmnopqrstuvwxyz\n"
    return (line * (FILES[name] // len(line) + 1))[: FILES[name]]


@dataclass(frozen=True)
class Process:
    """A server that was started, the cores it may use, and the file with what it says."""

    running: subprocess.Popen[bytes]
    cores: tuple[int, ...]
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

    :ivar beside: what runs outside the proxy's core for as long as the stand is open.
    """

    tools: Tools
    cores: Cores
    work: Path
    stack: ExitStack
    files: int = 0
    live: int = 0
    idp: int = 0
    beside: list[Process] = field(default_factory=list)
    _ports: list[socket.socket] = field(default_factory=list)
    _started: int = 0

    @classmethod
    def open(cls, tools: Tools, cores: Cores, stack: ExitStack) -> Self:
        """A directory of its own, and both upstreams running."""
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-bench-")))
        work.chmod(0o755)
        stand = cls(tools, cores, work, stack)
        (work / "www").mkdir()
        for name in FILES:
            (work / "www" / name).write_bytes(file_body(name))
        stand.files, stand.live, stand.idp = (stand.port() for _ in range(3))
        small = SMALL.format(file_body("1k").decode())
        upstream = UPSTREAM.format(work=work, port=stand.files, small=small)
        stand.nginx(stand.start_beside, "upstream", stand.files, upstream)
        live = stand.start_beside(sys.executable, "-m", "tests.bench.upstream", str(stand.live))
        stand.wait(stand.live, live)
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
        return int(sock.getsockname()[1])

    def pids_beside(self) -> list[int]:
        return [pid for process in self.beside for pid in tree(process.pid)]

    def directory(self, name: str) -> Path:
        path = self.work / name
        path.mkdir(mode=0o755)
        return path

    def start_proxy(self, *command: str | Path, wide: bool = False, **environ: str) -> Process:
        """Start a proxy on its core; a ``wide`` one may also use the second, where there is one."""
        second = (self.cores.second,) if wide and self.cores.second is not None else ()
        return self._start((self.cores.proxy, *second), command, environ)

    def start_beside(self, *command: str | Path) -> Process:
        """Start what the proxies are measured with."""
        process = self._start((self.cores.upstream,), command, {})
        self.beside.append(process)
        return process

    def _start(
        self, cores: tuple[int, ...], command: tuple[str | Path, ...], environ: dict[str, str]
    ) -> Process:
        """Start a process that is stopped at the end. What it says goes to a file."""
        self._started += 1
        log = self.work / f"{self._started}-{Path(command[0]).name}.out"
        with log.open("wb") as out:
            running = subprocess.Popen(
                ["taskset", "-c", ",".join(map(str, cores)), *command],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **environ},
            )  # fmt: skip
        process = Process(running, cores, log)
        self.stack.callback(process.stop)
        return process

    def wait(self, port: int, process: Process, seconds: float = 20) -> None:
        """Until the port answers."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if process.running.poll() is not None:
                break
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.02)
        sys.exit(f"bench: {process.running.args!r} does not answer\n{process.said()}")

    def nginx(self, start: Callable[..., Process], name: str, port: int, body: str) -> Process:
        """An nginx whose http section has ``body``. :param start: one of the two methods above."""
        path = self.work / f"{name}.conf"
        path.write_text(NGINX.format(work=self.work, name=name, body=body))
        process = start("nginx", "-c", str(path), "-p", str(self.work))
        self.wait(port, process)
        return process
