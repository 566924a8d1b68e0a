"""What every peer is to the benchmark."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.stand import Process, tree


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

    :ivar authenticates: somebody signs in to it, and without that it refuses.
    :ivar refused: a path that it answers with 401 when nobody is signed in; empty where it has none.
    :ivar forward_auth: it is a pair, nginx asking an authorizer; only that case measures it.
    :ivar reference: what all others are compared with, in every case.
    :ivar ready: seconds from start to readiness, where that is measured.
    """

    name: str
    version: str
    port: int
    processes: list[Process]
    authenticates: bool = True
    refused: str = "/1k"
    forward_auth: bool = False
    reference: bool = False
    ready: float = 0.0

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    def pids(self) -> list[int]:
        return [pid for process in self.processes for pid in tree(process.pid)]
