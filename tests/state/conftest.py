"""One redis-server for all tests that leave it as they found it; each test has keys of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.core import dice
from gateway.state.redis.place import RedisPlace
from tests.fakes.ample import ample_for_the_others, ample_unless_it_stalls  # noqa: F401 - what instances share may take its time
from tests.fakes.redis import RedisServer


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that nobody stops, empties or reconfigures."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def place(shared_redis: RedisServer) -> RedisPlace:
    """A log of this test's own in it."""
    return shared_redis.place(prefix=f"test-{dice.token(6)}")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of this test's own, without a disk."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def kept_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of this test's own with an append-only file, as the log should have."""
    with RedisServer(tmp_path / "redis", "appendonly yes") as server:
        yield server
