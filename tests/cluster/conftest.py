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
async def cluster(
    request: pytest.FixtureRequest, redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Cluster]:
    """For all tests; each leaves all three running and in step."""
    store = getattr(request, "param", "cookie")
    state = f"redis://127.0.0.1:{redis.port}/{int(store == 'ticket')}"
    async with clustered(tmp_path_factory.mktemp("cluster"), state=state, store=store) as running:
        yield running


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of a module with `STORES` run once with each."""
    if "cluster" in metafunc.fixturenames and hasattr(metafunc.module, "STORES"):
        metafunc.parametrize("cluster", metafunc.module.STORES, indirect=True, scope="session")
