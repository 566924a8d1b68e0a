"""The real redis-server of this machine, on a free port, in every state that a server can be in."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from redis import Redis
from redis.exceptions import RedisError

from gateway.state.redis.link import Command, Link, Reply
from gateway.state.redis.place import RedisPlace
from tests.fakes.certificates import Authority
from tests.fakes.patience import PATIENCE
from tests.fakes.ports import free_ports
from tests.fakes.still import stop
from tests.programs import program

ADMIN = "for-the-tests-only"
"""The password of the tests' own user, who may do everything."""


class RedisServer:
    """One server process in a directory. Its files stay, so that it can be started again with them.

    :ivar options: lines of its configuration besides the usual ones. :ivar password: of a Sentinel that asks for one.
    """

    def __init__(
        self,
        directory: Path,
        *options: str,
        authority: Authority | None = None,
        sentinel: bool = False,
        password: str = "",
    ) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.port, self.bus = free_ports(2)
        self.options = list(options)
        self.authority = authority
        self.sentinel = sentinel
        self.password = password
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> Self:
        """Start it and wait until it answers."""
        lines = ["bind 127.0.0.1", f"dir {self.directory}", f"logfile {self.directory}/redis.log"]
        lines += self._listening()
        if "cluster-enabled yes" in self.options:
            lines += [f"cluster-port {self.bus}"]
        if "appendonly yes" in self.options and not any("appendfsync" in option for option in self.options):
            lines += [
                "appendfsync always"
            ]  # while a disk is busy "everysec" keeps back what it has acknowledged
        if not self.sentinel:
            lines += ['save ""', "enable-debug-command yes", "repl-diskless-sync-delay 0"]
            lines += [f"user tests on >{ADMIN} ~* &* +@all"]
        file = self.directory / "redis.conf"
        if not (self.sentinel and file.exists()):  # a Sentinel writes into its own file
            file.write_text("\n".join([*lines, *self.options]) + "\n")
        command: list[str | Path] = [
            program("redis-server"),
            str(file),
            *(["--sentinel"] if self.sentinel else []),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.wait_for(self.answers)
        except AssertionError:
            self.kill()
            raise
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, by default as an operator would; it may be paused. May be called twice."""
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(how)
            process.send_signal(signal.SIGCONT)
            process.wait(timeout=PATIENCE)

    def kill(self) -> None:
        """SIGKILL."""
        self.stop(signal.SIGKILL)

    def pause(self) -> None:
        """It keeps its connections and takes new ones, and says nothing any more."""
        assert self.process is not None
        stop(self.process.pid)

    def resume(self) -> None:
        """The opposite of `pause`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def ask(self, *command: str | int | bytes) -> Any:
        """An operator's command and its answer."""
        with self._client() as client:
            return client.execute_command(*command)

    def at_once(self, *commands: tuple[str | int | bytes, ...]) -> None:
        """Several, with nobody else's between them."""
        with self._client() as client, client.pipeline(transaction=True) as together:
            for command in commands:
                together.execute_command(*command)
            together.execute()

    def answers(self) -> bool:
        """Does it answer, with its data loaded?"""
        try:
            return bool(self.ask("PING"))
        except (RedisError, OSError):
            return False

    def wait_for(self, happens: Callable[[], Any], seconds: float = PATIENCE) -> None:
        """Until it happens; fails with the server's own log when it does not."""
        until = time.monotonic() + seconds
        while not happens():
            log = self.directory / "redis.log"
            assert time.monotonic() < until, log.read_text() if log.exists() else "it never wrote a log"
            time.sleep(0.01)

    def place(self, **changes: Any) -> RedisPlace:
        """Where it is, for a log."""
        host = "localhost" if self.authority else "127.0.0.1"
        tls = {"tls": True, "ca_file": self.authority.file} if self.authority else {}
        return RedisPlace(**{"hosts": ((host, self.port),), **tls, **changes})

    def _listening(self) -> list[str]:
        if self.authority is None:
            return [f"port {self.port}"]
        self.authority.server("localhost")
        pem = self.authority.file.with_suffix(".localhost.pem")
        return [
            *("port 0", f"tls-port {self.port}", "tls-auth-clients no"),
            *(f"tls-cert-file {pem}", f"tls-key-file {pem}", f"tls-ca-cert-file {self.authority.file}"),
        ]

    def _client(self) -> Redis:
        login = {"username": "tests", "password": ADMIN}
        if self.sentinel:
            login = {"password": self.password} if self.password else {}
        tls = {"ssl": True, "ssl_ca_certs": str(self.authority.file)} if self.authority else {}
        host = "localhost" if self.authority else "127.0.0.1"
        return Redis(host, self.port, socket_timeout=60, protocol=2, **login, **tls)  # type: ignore[arg-type]  # of one kind each


def follow(replica: RedisServer, primary: RedisServer) -> None:
    """Make `replica` a replica and wait until it has everything."""
    replica.ask("REPLICAOF", "127.0.0.1", primary.port)
    replica.wait_for(lambda: replica.ask("INFO", "replication").get("master_link_status") == "up")
    primary.wait_for(lambda: primary.ask("INFO", "replication").get("slave0", {}).get("state") == "online")


def questions(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Command, ...]]:
    """Those that are really sent from now on."""
    found: list[tuple[Command, ...]] = []
    ask = Link.ask

    async def noted(link: Link, *commands: Command, within: float) -> list[Reply]:
        if commands:  # without any it only connects
            found.append(commands)
        return await ask(link, *commands, within=within)

    monkeypatch.setattr(Link, "ask", noted)
    return found
