"""Which event loops the tests of this directory run on, and two replicas whose sessions have tickets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

from gateway.core import clock
from tests.fakes.ample import ample_for_the_others, ample_unless_it_stalls  # noqa: F401 - how fast a machine is decides no test
from tests.fakes.ticketing import NOW, Replica
from tests.fakes.tickets import Vault

ON_BOTH = frozenset(
    {"test_connection.py", "test_connection_ends.py", "test_downloads.py", "test_half_closed.py"}
)
"""Tests of clients' connections, and of what goes past the loop's own transports; production runs on uvloop."""


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """asyncio's own loop, and uvloop's where it could make a difference."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    return loops | {"uvloop": uvloop.new_event_loop} if item.path.name in ON_BOTH else loops


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch):
    """Put the clock forward."""

    def put(seconds: int) -> None:
        monkeypatch.setattr(clock, "now", lambda: NOW + seconds)

    put(0)
    return put


@pytest.fixture
def vault(at) -> Vault:
    """What the replicas share, in a stopped time."""
    return Vault()


@pytest.fixture
def one(vault: Vault) -> Replica:
    return Replica(vault)


@pytest.fixture
def other(vault: Vault) -> Replica:
    return Replica(vault)
