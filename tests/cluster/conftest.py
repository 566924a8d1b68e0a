"""Three gateways on one Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.cluster.rig import Cluster, clustered
from tests.fakes.redis import RedisServer

APPEND_ONLY = ("appendonly yes", "appendfsync always")


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that keeps what it has acknowledged."""
    with RedisServer(tmp_path_factory.mktemp("redis"), *APPEND_ONLY) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """For all tests; each leaves all three running and in step."""
    state = f"redis://127.0.0.1:{redis.port}/0"
    async with clustered(tmp_path_factory.mktemp("cluster"), state=state) as running:
        yield running
