"""What every peer is to the benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from tests.bench.stand import Process
from tests.bench.usage import tree


class Role(Enum):
    """What a peer is measured for."""

    REFERENCE = auto()
    """Plain nginx, which all others are compared with."""
    PLAIN = auto()
    """A proxy without authentication."""
    GATED = auto()
    """Signs people in, and checks every request."""
    LOGGING = auto()
    """The same as one of the gated, but with its access log."""
    ASKED = auto()
    """A pair: nginx, and an authorizer that it asks about every request."""
    WORKERS = auto()
    """This gateway once more: with one worker, with two, and twice with one."""
    RESTING = auto()
    """This gateway once more, for what it needs while nothing happens."""


@dataclass(frozen=True)
class Client:
    """A client at the provider.

    :ivar auth: how the peer shows its secret at the token endpoint (OpenID Connect Core §9).
    """

    name: str
    port: int
    callback: str
    auth: str = "client_secret_basic"
    secret: str = "a-benchmark-keeps-no-secrets-0123456789"

    @property
    def redirect_uri(self) -> str:
        return f"http://localhost:{self.port}{self.callback}"


@dataclass
class Peer:
    """A running proxy.

    :ivar refused: a path that it answers with 401 when nobody is signed in.
    :ivar ready: seconds from start to readiness, where that is measured.
    :ivar twin: port of a second proxy that takes half of the connections; 0 when there is none.
    """

    name: str
    version: str
    port: int
    processes: list[Process]
    role: Role
    refused: str = "/1k"
    ready: float = 0.0
    twin: int = 0

    @property
    def ports(self) -> list[int]:
        return [self.port, self.twin] if self.twin else [self.port]

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def cores(self) -> tuple[int, ...]:
        """Those that it may run on."""
        return tuple({core: None for process in self.processes for core in process.cores})

    def pids(self) -> list[int]:
        return [pid for process in self.processes for pid in tree(process.pid)]
