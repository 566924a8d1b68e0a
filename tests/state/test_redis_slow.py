"""A Redis that is far away is no dead one: replicas get in step, stay so, and hear of every end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.core.session.revocation_keys import sid_key
from gateway.state.contract.refreshes import Granted
from gateway.state.redis.faults import LostError
from gateway.state.redis.link import Link
from gateway.state.redis.log import RedisLog
from gateway.state.redis.place import RedisPlace
from gateway.state.redis.refreshes import RedisRefreshes
from tests.fakes.certificates import Authority
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.fakes.slow_way import SlowWay
from tests.state.log_contract import ended, new, within

STALLS = True


def at(way: SlowWay, **more: object) -> RedisPlace:
    return RedisPlace((("localhost", way.port),), **more)  # type: ignore[arg-type]  # fields of the place


@asynccontextmanager
async def opened(place: RedisPlace) -> AsyncIterator[RedisLog]:
    log = RedisLog(place)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


async def answer(place: RedisPlace) -> list[object]:
    """The first that comes, as those who ask beside the requests get it: by trying again."""
    link = Link(place)
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return list(await link.ask(("PING",), within=0.25))
                except (TimeoutError, LostError):  # the latter where this process stood still
                    continue
    finally:
        await link.close()


@pytest.mark.parametrize(("round_trip", "jitter"), [(0.3, 0.1), (1.0, 0.0)])
async def test_replicas_get_in_step_and_hear_of_every_end(
    redis: RedisServer, round_trip: float, jitter: float
) -> None:
    """The receipt says "pending", because a request has a quarter of a second; the entry arrives all the same. It takes
    the seconds that so many round trips take.
    """
    async with (
        SlowWay(redis.port, round_trip=round_trip, jitter=jitter) as way,
        opened(at(way)) as one,
        opened(at(way)) as other,
    ):
        assert await within(PATIENCE, lambda: one.loaded and other.loaded)
        assert not (await one.append([new(sid_key("s"))])).durable
        assert await within(PATIENCE, lambda: ended(other, "s") is not None)
        assert await within(PATIENCE, lambda: one.pending == 0)
        assert await within(PATIENCE, lambda: other.health().startswith("ok"))
        assert not other._failures
        assert await within(PATIENCE, lambda: other.age() < other._unheard_for)


async def test_a_slow_handshake_is_waited_for(tmp_path: Path) -> None:
    """TCP, TLS, the password and the database: one round trip each, or more."""
    guard = ("user gateway on >secret ~* &* +@all", "user default off")
    with RedisServer(tmp_path / "redis", *guard, authority=Authority.make(tmp_path)) as server:
        async with SlowWay(server.port, round_trip=0.4) as way:
            place = server.place(
                hosts=(("localhost", way.port),), username="gateway", password="secret", db=1
            )
            assert await answer(place) == [b"PONG"]


async def test_slow_sentinels_are_waited_for(redis: RedisServer, tmp_path: Path) -> None:
    """Each has its share of the time, and that grows."""
    watch = f"sentinel monitor service 127.0.0.1 {redis.port} 1"
    with RedisServer(tmp_path / "sentinel", watch, sentinel=True) as sentinel:
        async with SlowWay(sentinel.port, round_trip=0.5) as way:
            hosts = (("127.0.0.1", way.port),) * 3
            assert await answer(RedisPlace(hosts, "sentinel", "service")) == [b"PONG"]


async def test_a_slow_cluster_is_waited_for(tmp_path: Path) -> None:
    """The discovery and the node itself."""
    with RedisServer(tmp_path / "node", "cluster-enabled yes") as node:
        node.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        node.wait_for(lambda: b"cluster_state:ok" in node.ask("CLUSTER", "INFO"))
        async with SlowWay(node.port, round_trip=0.5) as way:
            node.ask("CONFIG", "SET", "cluster-announce-port", way.port)
            assert await answer(RedisPlace((("127.0.0.1", way.port),), "cluster")) == [b"PONG"]


async def test_tokens_are_renewed_far_away(redis: RedisServer) -> None:
    """No request waits for what the processes tell each other of that."""
    async with SlowWay(redis.port, round_trip=0.3) as way:
        store = RedisRefreshes(at(way))
        await store.open()
        async with asyncio.timeout(PATIENCE):  # again where this process stood still
            while not isinstance(await store.claim("s", 0, lease=600, keep=600), Granted):
                pass
            while await store.renew("s", 0, lease=600) != Granted():
                pass
            while not await store.publish("s", 1, b"sealed", visible=600, keep=600):
                pass
        await store.close()
