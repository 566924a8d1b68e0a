"""Token revocations of many hosts, in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gateway.state.redis import faults as redis_faults
from gateway.state.redis import token_revocations as redis_token_revocations
from gateway.state.redis.place import RedisPlace
from gateway.state.redis.token_revocations import MARGIN, RedisTokenRevocations
from tests.fakes.ample import ample
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.state.parking import Parking
from tests.state.token_revocations_contract import DAY, TokenRevocationsContract

AMPLE = PATIENCE
"""Seconds; how fast a machine is decides no test."""
AGE = """
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  redis.call('ZINCRBY', KEYS[1], -ARGV[1], name)
  local known = redis.call('HGET', KEYS[2], name)
  if known then
    local sealed, tries, latest, deadline = unpack(cmsgpack.unpack(known))
    redis.call('HSET', KEYS[2], name, cmsgpack.pack({sealed, tries, latest - ARGV[1], deadline - ARGV[1]}))
  end
end
return 1
"""
"""What so many seconds do to the records."""


@pytest.fixture
def make(place: RedisPlace) -> Callable[[], RedisTokenRevocations]:
    return lambda: RedisTokenRevocations(place, within=AMPLE)


def keys(place: RedisPlace) -> list[str]:
    return [f"{{{place.prefix}}}:revocations:{what}" for what in ("due", "tokens")]


class TestContract(TokenRevocationsContract):
    """The contract, kept in Redis."""

    most_module = redis_token_revocations

    @pytest.fixture(autouse=True)
    def server(self, shared_redis: RedisServer, place: RedisPlace) -> None:
        self._redis, self._place = shared_redis, place

    async def pass_seconds(self, seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """The server's clock counts: let the records be that much older."""
        self._redis.ask("EVAL", AGE, 2, *keys(self._place), seconds)


async def test_nothing_is_left_when_all_is_done(place: RedisPlace, shared_redis: RedisServer) -> None:
    """And what nobody sees to goes by itself, an hour after its deadline."""
    store = RedisTokenRevocations(place, within=AMPLE)
    await store.open()
    await store.park("s", b"sealed", due=0, latest=60, keep=DAY)
    await store.park("t", b"sealed", due=0, latest=60, keep=60)
    ends = [shared_redis.ask("TTL", key) for key in keys(place)]
    assert all(DAY < end <= DAY + MARGIN for end in ends)
    for taken in await store.take(lease=600):
        await store.finish(taken.name)

    assert [shared_redis.ask("EXISTS", key) for key in keys(place)] == [0, 0]
    await store.close()


async def test_what_a_killed_process_had_parked_or_taken_is_there(
    place: RedisPlace, shared_redis: RedisServer
) -> None:
    """SIGKILL while it parks and takes: nothing that it was told is kept is lost, whoever had taken it."""
    with Parking(str(shared_redis.port), place.prefix) as peer:
        parked = [peer.line() for _ in range(8)]
        parked += peer.kill()
    store = RedisTokenRevocations(place, within=AMPLE)
    await store.open()
    shared_redis.ask("EVAL", AGE, 2, *keys(place), 1_000)
    kept: set[str] = set()
    while taken := await store.take(lease=10_000):
        kept |= {each.sealed.decode() for each in taken}
    assert set(parked) <= kept
    await store.close()


async def test_a_server_that_was_killed_has_them(kept_redis: RedisServer) -> None:
    """With an append-only file, as the log has to have one."""
    store = RedisTokenRevocations(kept_redis.place(), within=AMPLE)
    await store.open()
    assert await store.park("s", b"sealed", due=0, latest=60, keep=DAY)
    kept_redis.kill()
    assert not await store.park("t", b"sealed", due=0, latest=60, keep=DAY)
    kept_redis.start()
    async with asyncio.timeout(PATIENCE):
        while not (taken := await store.take(lease=600)):
            await asyncio.sleep(0.05)

    assert [each.sealed for each in taken] == [b"sealed"]
    await store.close()


async def test_a_cluster_takes_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """All keys of a question are in one slot."""
    with ample(), RedisServer(tmp_path_factory.mktemp("node"), "cluster-enabled yes") as node:
        node.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        node.wait_for(lambda: b"cluster_state:ok" in node.ask("CLUSTER", "INFO"))
        store = RedisTokenRevocations(node.place(kind="cluster"), within=AMPLE)
        await store.open()
        assert await store.park("s", b"sealed", due=60, latest=60, keep=DAY)
        assert await store.move("s", due=0) == 1
        (taken,) = await store.take(lease=600)
        await store.put_off(taken.name, due=0)
        await store.finish(taken.name)
        waiting = await store.waiting()
        assert waiting is not None
        assert waiting.count == 0
        await store.close()


async def test_the_rights_of_the_log_are_enough(redis: RedisServer) -> None:
    """A user who may do no more than the operations page says."""
    rights = redis_faults.RIGHTS.replace("PREFIX", "mine").split()
    redis.ask("ACL", "SETUSER", "gateway", "reset", "on", ">secret", *rights)
    store = RedisTokenRevocations(
        redis.place(prefix="mine", username="gateway", password="secret"), within=AMPLE
    )
    await store.open()
    assert await store.park("s", b"sealed", due=0, latest=60, keep=DAY)
    assert len(await store.take(lease=600)) == 1
    await store.close()


async def test_without_redis_nothing_is_kept(redis: RedisServer) -> None:
    """Nothing is raised, and nobody is told that it is kept."""
    store = RedisTokenRevocations(redis.place(), within=AMPLE)
    await store.open()
    redis.kill()
    assert not await store.park("s", b"sealed", due=0, latest=60, keep=DAY)
    assert await store.move("s", due=0) is None
    assert await store.take(lease=600) == []
    assert await store.waiting() is None
    await store.put_off("s/0", due=0)
    await store.finish("s/0")
    await store.close()
