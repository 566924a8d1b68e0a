"""Refreshes of many hosts, in Redis."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.core import clock
from gateway.state.backends import backends_at
from gateway.state.contract.refreshes import Busy, Granted, Outdated, Succeeded, Unavailable
from gateway.state.redis import refreshes as redis_refreshes
from gateway.state.redis.place import RedisPlace
from gateway.state.redis.refreshes import RedisRefreshes
from tests.fakes.ample import ample
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.state.refreshes_contract import RefreshesContract

AMPLE = PATIENCE
"""Seconds; how fast a machine is decides no test."""


@pytest.fixture
def make(place: RedisPlace) -> Callable[[], RedisRefreshes]:
    return lambda: RedisRefreshes(place, within=AMPLE)


def keys(server: RedisServer, place: RedisPlace) -> list[bytes]:
    return [key for key in server.ask("KEYS", "*") if key.startswith(f"{{{place.prefix}}}:".encode())]


class TestContract(RefreshesContract):
    """The contract, kept in Redis."""

    @pytest.fixture(autouse=True)
    def server(self, shared_redis: RedisServer, place: RedisPlace) -> None:
        self._redis, self._place = shared_redis, place

    async def pass_seconds(self, seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """All times are the keys' own: let that much of each go by."""
        for key in keys(self._redis, self._place):
            self._redis.ask("PEXPIRE", key, self._redis.ask("PTTL", key) - seconds * 1_000)


async def test_a_lease_that_went_over_is_not_given_back(place: RedisPlace, shared_redis: RedisServer) -> None:
    """A process that was stopped in the middle must not let a third one in beside the second."""
    slow, prompt = RedisRefreshes(place, within=AMPLE), RedisRefreshes(place, within=AMPLE)
    await slow.open()
    await prompt.open()
    await slow.claim("s", 0, lease=600)
    shared_redis.ask("DEL", *keys(shared_redis, place))
    assert isinstance(await prompt.claim("s", 0, lease=600), Granted)
    await slow.release("s", 0)

    assert isinstance(await slow.claim("s", 0, lease=600), Busy)
    await slow.close()
    await prompt.close()


async def test_every_key_has_an_end(place: RedisPlace, shared_redis: RedisServer) -> None:
    """Nothing is left of a session that nobody asks for any more."""
    store = RedisRefreshes(place, within=AMPLE)
    await store.open()
    await store.publish("s", 1, b"sealed", visible=60, keep=600)
    await store.claim("s", 1, lease=600)
    ends = [shared_redis.ask("TTL", key) for key in keys(shared_redis, place)]
    assert len(ends) == 5
    assert all(0 < end <= 600 for end in ends)
    await store.publish("late", 1, b"sealed", visible=-1, keep=-1)
    late = [shared_redis.ask("PTTL", key) for key in keys(shared_redis, place) if b":late" in key]
    assert all(end == -2 or 0 < end <= 1_000 for end in late)  # -2: it is gone by now
    await store.close()


async def test_a_cluster_takes_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """All keys of a question are in one slot."""
    with ample(), RedisServer(tmp_path_factory.mktemp("node"), "cluster-enabled yes") as node:
        node.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        node.wait_for(lambda: b"cluster_state:ok" in node.ask("CLUSTER", "INFO"))
        store = RedisRefreshes(node.place(kind="cluster"), within=AMPLE)
        await store.open()
        assert isinstance(await store.claim("s", 0, lease=600), Granted)
        assert await store.publish("s", 1, b"sealed", visible=60, keep=600)
        assert await store.later("s", 0) == Succeeded(1, b"sealed")
        await store.close()


async def test_without_redis_it_is_unavailable(redis: RedisServer) -> None:
    """Nothing is raised and nobody is told to refresh; a server that came back empty is asked like any other."""
    store = RedisRefreshes(redis.place(), within=AMPLE)
    await store.open()
    await store.publish("s", 1, b"sealed", visible=60, keep=600)
    redis.kill()
    assert await store.claim("s", 0, lease=600) == Unavailable("no connection to Redis: Connection refused")
    assert await store.later("s", 0) == Unavailable("no connection to Redis: Connection refused")
    assert isinstance(await store.renew("s", 0, lease=600), Unavailable)
    assert await store.publish("s", 2, b"sealed", visible=60, keep=600) is None
    await store.release("s", 0)
    redis.start()
    async with asyncio.timeout(PATIENCE):
        while not isinstance(await store.claim("s", 0, lease=600), Granted):
            await asyncio.sleep(0.05)
    await store.close()


async def test_a_lease_is_held_without_memory(redis: RedisServer) -> None:
    """A server that is out of it takes no successor, and grants nobody else the refresh meanwhile."""
    store, other = (RedisRefreshes(redis.place(), within=AMPLE) for _ in range(2))
    await store.open()
    await other.open()
    await store.claim("s", 0, lease=600, keep=600)
    redis.ask("CONFIG", "SET", "maxmemory", 1)
    assert await store.renew("s", 0, lease=60) == Granted()
    assert await store.publish("s", 1, b"sealed", visible=60, keep=600) is None
    redis.ask("EXPIRE", "{gateway}:refreshes", 300)  # as it is minutes later
    assert isinstance(await other.claim("t", 0, lease=600, keep=600), Unavailable)
    redis.ask("CONFIG", "SET", "maxmemory", 0)

    assert isinstance(await other.claim("s", 0, lease=600, keep=600), Busy)
    assert await store.publish("s", 1, b"sealed", visible=60, keep=600)
    await store.close()
    await other.close()


async def test_a_claim_whose_answer_was_lost_is_asked_again(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was granted, and nobody has acted on it: that is no other process that was not heard of again."""
    store = RedisRefreshes(redis.place(), within=0.2)
    await store.open()
    monkeypatch.setattr(redis_refreshes, "RETRY_EVERY", 1.1)
    redis.pause()
    claiming = asyncio.create_task(store.claim("s", 0, lease=600, keep=60))
    async with asyncio.timeout(PATIENCE):
        while not store._link.unheard:
            await asyncio.sleep(0.01)
    store._link._within = store._link._waits = PATIENCE
    redis.resume()

    assert await claiming == Granted()
    await store.close()


async def test_r10_what_a_restart_forgot_is_said_again(kept_redis: RedisServer, tmp_path: Path) -> None:
    """An older copy of the data, as a failover leaves it: nobody is granted a spent token, and the new one comes back."""
    backends = [backends_at(kept_redis.place(), spool=None, state_loss_accepted=False) for _ in range(2)]
    for each in backends:
        await each.log.open()
        await each.refreshes.open()
    one, other = (each.refreshes for each in backends)
    assert isinstance(await one.claim("held", 0, lease=600, keep=600), Granted)
    shutil.copytree(kept_redis.directory, tmp_path / "older")
    assert isinstance(await one.claim("s", 0, lease=600, keep=600), Granted)
    assert await one.publish("s", 1, b"sealed", visible=600, keep=600)
    kept_redis.kill()
    shutil.rmtree(kept_redis.directory)
    shutil.copytree(tmp_path / "older", kept_redis.directory)
    kept_redis.start()
    async with asyncio.timeout(PATIENCE):
        while not isinstance(claim := await other.claim("s", 0, lease=600, keep=600), Succeeded):
            assert isinstance(claim, Busy | Unavailable)
            await asyncio.sleep(0.02)
    assert claim == Succeeded(1, b"sealed")
    for each in backends:
        await each.refreshes.close()
        await each.log.close()


async def test_a_lease_that_was_forgotten_is_held_again(redis: RedisServer) -> None:
    """By whoever had it; nobody else is granted it meanwhile, and it is known to have been tried."""
    store, other = (RedisRefreshes(redis.place(), within=AMPLE) for _ in range(2))
    await store.open()
    await other.open()
    await store.claim("s", 0, lease=600, keep=6_000)
    for kind in ("refreshing", "tries"):
        redis.ask("DEL", f"{{gateway}}:{kind}:s")
    redis.ask("DEBUG", "CHANGE-REPL-ID")
    assert await other.claim("s", 0, lease=600, keep=6_000) == Busy()
    assert await store.renew("s", 0, lease=600, keep=6_000) == Granted()
    assert 5_000 < redis.ask("TTL", "{gateway}:tries:s") <= 6_000
    redis.ask("HSET", "{gateway}:refreshes", "since", 1)
    assert await other.claim("s", 0, lease=600, keep=6_000) == Busy()
    assert isinstance(await other.claim("t", 0, lease=600, keep=6_000), Granted)
    redis.ask("DEL", "{gateway}:refreshing:s")
    assert await other.claim("s", 0, lease=600, keep=6_000) == Granted(sure=False, lapsed=True)
    await store.close()
    await other.close()


async def test_what_is_remembered_of_publications_is_bounded(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bytes, and in time."""
    monkeypatch.setattr(redis_refreshes, "MOST_BYTES", 1_000)
    store = RedisRefreshes(redis.place(), within=AMPLE)
    await store.open()
    for n in (0, 1, 2, 2, 3, 4):
        await store.publish(f"s{n}", 1 + n, b"x" * 300, visible=60, keep=60)
    assert list(store._recent) == ["s3", "s4"]
    await store.publish("large", 1, b"x" * 3_000, visible=60, keep=60)
    assert (list(store._recent), store._recent_bytes) == ([], 0)
    await store.publish("old", 1, b"x", visible=60, keep=60)
    elapsed = clock.elapsed
    monkeypatch.setattr(clock, "elapsed", lambda: elapsed() + redis_refreshes.RECENT + 1)
    await store.publish("new", 1, b"x", visible=60, keep=60)
    assert list(store._recent) == ["new"]
    await store.close()


async def test_what_is_no_longer_there_is_outdated(place: RedisPlace, shared_redis: RedisServer) -> None:
    """Also where the server dropped the successor before its time."""
    store = RedisRefreshes(place, within=AMPLE)
    await store.open()
    await store.publish("s", 1, b"sealed", visible=60, keep=600)
    shared_redis.ask("DEL", next(key for key in keys(shared_redis, place) if b"successor" in key))

    assert await store.later("s", 0) == Outdated(1)
    await store.close()
