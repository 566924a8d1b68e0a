"""The list of sign-ins of many hosts, in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.core import clock
from gateway.core.session.sign_in import Sighting
from gateway.state.contract.refreshes import Granted, Succeeded
from gateway.state.contract.sign_ins import UNKNOWN
from gateway.state.redis import sign_ins as redis_sign_ins
from gateway.state.redis.companion import WITHIN
from gateway.state.redis.faults import RIGHTS
from gateway.state.redis.place import RedisPlace
from gateway.state.redis.refreshes import RedisRefreshes
from gateway.state.redis.sign_ins import RedisSignIns
from tests.fakes.redis import RedisServer
from tests.state.redis.test_refreshes import AMPLE, keys
from tests.state.sign_ins_contract import ISSUER, SignInsContract, sign_in


@pytest.fixture
def make(place: RedisPlace) -> Callable[[], RedisSignIns]:
    return lambda: RedisSignIns(place, within=AMPLE)


@pytest.fixture
async def sign_ins(place: RedisPlace) -> AsyncIterator[RedisSignIns]:
    made = RedisSignIns(place, within=AMPLE)
    await made.open()
    yield made
    await made.close()


class TestContract(SignInsContract):
    """The contract, kept in Redis."""


async def test_nothing_is_left_of_what_was_ended(
    sign_ins: RedisSignIns, place: RedisPlace, shared_redis: RedisServer
) -> None:
    """Neither of the sign-in nor of its names; those of others stay."""
    for number in range(3):
        await sign_ins.record(sign_in(str(number)))
    await sign_ins.forget(["0", "1"])
    assert not await sign_ins.known(sign_in("0").aliases[1])
    assert await sign_ins.known(sign_in("0").aliases[0])
    await sign_ins.forget(["2"])

    assert keys(shared_redis, place) == []


async def test_what_is_over_is_removed_by_whoever_comes_next(
    sign_ins: RedisSignIns, place: RedisPlace, shared_redis: RedisServer
) -> None:
    """The keys do not grow for ever, and each has an end of its own."""
    many, end = 1_100, clock.now() + 3  # more than are removed at a time
    await sign_ins.record(sign_in("last", lives=600))
    await asyncio.gather(*(sign_ins.record(sign_in(str(number), until=end)) for number in range(many)))
    await asyncio.sleep(max(0.0, end + 0.1 - clock.precise()))
    await sign_ins.record(sign_in("last", lives=600))

    assert sum(count(shared_redis, key) for key in keys(shared_redis, place)) == 4 + 4
    assert all(0 < shared_redis.ask("TTL", key) <= 600 for key in keys(shared_redis, place))


async def test_a_name_lasts_as_long_as_the_longest_sign_in(sign_ins: RedisSignIns) -> None:
    """A shorter one that comes later does not shorten it, nor does a longer one that was ended lengthen it."""
    await sign_ins.record(sign_in("long", lives=600))
    await sign_ins.record(sign_in("short", lives=1))
    await asyncio.sleep(1.1)

    assert [one.sid for one in (await sign_ins.all(limit=10)).sign_ins] == ["long"]
    assert await sign_ins.known(sign_in("long").aliases[0])
    await sign_ins.forget(["long"])
    assert not await sign_ins.known(sign_in("long").aliases[0])


async def test_many_sightings_are_written_some_at_a_time(sign_ins: RedisSignIns) -> None:
    """None is left out."""
    later = clock.now() + 60
    sids = [str(number) for number in range(2 * redis_sign_ins.AT_ONCE + 1)]
    for sid in (sids[0], sids[-1]):
        await sign_ins.record(sign_in(sid))

    assert await sign_ins.note({sid: Sighting(later, "192.0.2.7") for sid in sids})
    assert {one.seen_at for one in (await sign_ins.all(limit=10)).sign_ins} == {later}
    await sign_ins.forget(sids)
    assert (await sign_ins.all(limit=10)).total == 0


async def test_what_another_release_wrote_is_left_out(
    sign_ins: RedisSignIns, place: RedisPlace, shared_redis: RedisServer
) -> None:
    """And it is said that the list is not whole; it can be ended all the same."""
    await sign_ins.record(sign_in("a"))
    await sign_ins.record(sign_in("b"))
    shared_redis.ask("HSET", f"{{{place.prefix}}}:sign-ins", "a", '{"sid": "a", "more": 1}')
    listed = await sign_ins.all(limit=10)
    assert [one.sid for one in listed.sign_ins] == ["b"]
    assert not listed.complete
    await sign_ins.forget(["a"])

    assert (await sign_ins.of(ISSUER, "alice", limit=10)).complete


async def test_the_rights_that_operators_are_told_of_are_enough(redis: RedisServer) -> None:
    """For the list and for refreshes."""
    place = redis.place(username="gateway", password="secret")
    redis.ask("ACL", "SETUSER", "gateway", "on", ">secret", *RIGHTS.replace("PREFIX", place.prefix).split())
    made, refreshes = RedisSignIns(place, within=AMPLE), RedisRefreshes(place, within=AMPLE)
    await made.open()
    await refreshes.open()
    assert await made.record(sign_in("a"))
    assert await made.note({"a": Sighting(clock.now(), "192.0.2.7")})
    assert await made.known(sign_in("a").aliases[0])
    await made.forget(["a"])
    assert (await made.of(ISSUER, "alice", limit=10)).complete
    assert (await made.all(limit=10)).total == 0
    await refreshes.claim("s", 0, lease=600)
    await refreshes.release("s", 0)
    assert await refreshes.claim("s", 0, lease=600) == Granted()
    assert await refreshes.publish("s", 1, b"sealed", visible=60, keep=60)
    assert await refreshes.later("s", 0) == Succeeded(1, b"sealed")
    await refreshes.close()
    await made.close()


async def test_without_redis_nothing_is_known(redis: RedisServer) -> None:
    """And it is said so; nothing is raised."""
    made = RedisSignIns(redis.place(), within=WITHIN)
    await made.open()
    redis.pause()
    assert not await made.record(sign_in("a"))
    assert not await made.note({"a": Sighting(clock.now(), "192.0.2.7")})
    assert await made.all(limit=10) == UNKNOWN
    assert await made.of(ISSUER, "alice", limit=10) == UNKNOWN
    assert await made.known("isid:x|y") is None
    await made.forget(["a"])
    redis.resume()
    await made.close()


def count(server: RedisServer, key: bytes) -> int:
    command = {b"hash": "HLEN", b"zset": "ZCARD"}[server.ask("TYPE", key)]
    return int(server.ask(command, key))
