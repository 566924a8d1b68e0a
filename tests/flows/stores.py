"""Where a stand's sessions are: in their cookies, or in a Redis that is reached by TLS, as a user with few rights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from gateway.core import dice
from gateway.state.redis.faults import RIGHTS
from tests.fakes.certificates import Authority
from tests.fakes.redis import RedisServer

PASSWORD = "of-the-gateway"
BOTH = ("cookie", "ticket")
"""A module whose tests hold wherever sessions are kept says so: ``STORES = BOTH``."""
T = TypeVar("T")


def of_files(test: T) -> T:
    """Of such a module, a test that is about the files of one host."""
    test.stores = ("cookie",)  # type: ignore[attr-defined]  # read by pytest_generate_tests
    return test


@dataclass(frozen=True)
class Store:
    """:ivar replaced: pieces of the generated configuration, by what they are to be replaced with.
    :ivar extra: lines to add to it. :ivar redis: None where sessions are in their cookies.
    """

    replaced: Mapping[str, str] = field(default_factory=dict)
    extra: str = ""
    redis: RedisServer | None = None


COOKIE = Store()


@contextmanager
def redis_with_tls(directory: Path) -> Iterator[RedisServer]:
    """A server with an authority of its own and a file."""
    directory.mkdir(exist_ok=True)
    with RedisServer(directory, "appendonly yes", authority=Authority.make(directory)) as server:
        yield server


def in_redis(server: RedisServer, directory: Path) -> Store:
    """Keys, user and rights of a stand's own; ``directory`` is that of its configuration."""
    prefix = f"stand-{dice.token(6)}"
    server.ask(
        "ACL", "SETUSER", prefix, "reset", "on", f">{PASSWORD}", *RIGHTS.replace("PREFIX", prefix).split()
    )
    (directory / "redis-password").write_text(PASSWORD)
    (directory / "redis-password").chmod(0o600)
    assert server.authority is not None
    return Store(
        {
            f"sqlite://{directory}/state.db": f"rediss://{prefix}@localhost:{server.port}/0",
            "key_files: [session-key]": "key_files: [session-key]\n  store: ticket",
        },
        f"redis: {{password_file: redis-password, ca_file: {server.authority.file}, prefix: {prefix}}}\n",
        server,
    )
