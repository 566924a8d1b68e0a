"""Sessions kept for their tickets, in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.core import dice
from gateway.core.session.ticket import LARGEST
from gateway.state.contract.tickets import Absent, StoredSession, Unavailable
from gateway.state.redis import companion as redis_companion
from gateway.state.redis.companion import WITHIN
from gateway.state.redis.faults import RIGHTS
from gateway.state.redis.place import RedisPlace
from gateway.state.redis.tickets import AT_ONCE, RedisTickets
from tests.fakes.ample import ample
from tests.fakes.certificates import Authority
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer, questions
from tests.state.tickets_contract import TicketsContract

AMPLE = PATIENCE
"""Seconds; how fast a machine is decides no test."""


@pytest.fixture
def make(place: RedisPlace) -> Callable[[], RedisTickets]:
    return lambda: RedisTickets(place, within=AMPLE)


class TestContract(TicketsContract):
    """The contract, kept in Redis."""

    @pytest.fixture(autouse=True)
    def server(self, shared_redis: RedisServer, place: RedisPlace) -> None:
        self._redis, self._place = shared_redis, place

    async def pass_seconds(self, seconds: int) -> None:
        for key in self._redis.ask("KEYS", "*"):
            if key.startswith(f"{{{self._place.prefix}}}:".encode()):
                self._redis.ask("PEXPIRE", key, self._redis.ask("PTTL", key) - seconds * 1_000)


async def kept_by(place: RedisPlace) -> None:
    """A session can be kept, read, changed and removed."""
    store = RedisTickets(place, within=AMPLE)
    await store.open()
    assert await store.create("a", b"first", keep=600), store.health()
    assert await store.replace("a", 1, b"second") == StoredSession(2, b"second")
    assert await store.read("a") == StoredSession(2, b"second")
    assert await store.remove("a")
    assert await store.read("a") == Absent()
    await store.close()


async def test_the_named_rights_are_enough_over_tls(tmp_path: Path) -> None:
    """Those that operators are told of, for a user with a password."""
    with RedisServer(tmp_path / "redis", authority=Authority.make(tmp_path)) as redis:
        redis.ask("ACL", "SETUSER", "gateway", "on", ">secret", *RIGHTS.replace("PREFIX", "gateway").split())
        await kept_by(redis.place(username="gateway", password="secret"))


async def test_a_cluster_takes_it(tmp_path: Path) -> None:
    """All keys are in the slot that the connection leads to."""
    with ample(), RedisServer(tmp_path / "node", "cluster-enabled yes") as node:
        node.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        node.wait_for(lambda: b"cluster_state:ok" in node.ask("CLUSTER", "INFO"))
        await kept_by(node.place(kind="cluster"))


async def test_sentinels_lead_to_it(tmp_path: Path, redis: RedisServer) -> None:
    """By the name of the service."""
    options = f"sentinel monitor gw 127.0.0.1 {redis.port} 1", "sentinel auth-user gw tests"
    with RedisServer(tmp_path / "sentinel", *options, sentinel=True) as sentinel:
        await kept_by(sentinel.place(kind="sentinel", master="gw"))


async def test_the_largest_session_is_kept(place: RedisPlace) -> None:
    """And comes back whole."""
    store, sealed = RedisTickets(place, within=AMPLE), dice.token(LARGEST).encode()[:LARGEST]
    await store.open()
    assert await store.create("a", sealed, keep=600)
    assert await store.read("a") == StoredSession(1, sealed)
    await store.close()


async def test_all_that_is_wanted_at_the_same_time_takes_few_questions(
    place: RedisPlace, shared_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has just started is asked by everybody at once."""
    store = RedisTickets(place, within=AMPLE)
    await store.open()
    questions: list[int] = []
    ask = store._link.ask

    async def counted(*commands):
        questions.append(len(commands))
        return await ask(*commands)

    monkeypatch.setattr(store._link, "ask", counted)
    await asyncio.gather(*(store.read(f"s{n % 500}") for n in range(2_000)))

    assert questions == [AT_ONCE, AT_ONCE, AT_ONCE, 500 - 3 * AT_ONCE]
    await store.close()


async def test_without_redis_there_is_no_answer(redis: RedisServer) -> None:
    """Which is another thing than no session; it works again by itself, with what is in the file."""
    store = RedisTickets(redis.place(), within=AMPLE)
    await store.open()
    redis.kill()
    assert isinstance(await store.read("a"), Unavailable)
    assert not await store.create("a", b"first", keep=600)
    assert isinstance(await store.replace("a", 1, b"second"), Unavailable)
    assert not await store.remove("a")
    assert "no connection to Redis" in store.health()
    redis.start()
    async with asyncio.timeout(PATIENCE):
        while isinstance(await store.read("a"), Unavailable):
            await asyncio.sleep(0.05)
    assert store.health() == "ok"
    await store.close()


async def test_a_redis_that_hangs_costs_each_little_time(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many wait: those who come together wait together, and the next are told at once, with nothing asked."""
    store = RedisTickets(redis.place(), within=WITHIN)
    await store.open()
    async with asyncio.timeout(PATIENCE):
        while isinstance(await store.read("a"), Unavailable):
            await asyncio.sleep(0.05)
    monkeypatch.setattr(redis_companion, "RETRY_EVERY", 3_600.0)
    redis.pause()
    asked = questions(monkeypatch)
    found = await asyncio.gather(*(store.read(f"s{n}") for n in range(1_000)))
    assert {type(one) for one in found} == {Unavailable}
    for _ in range(100):
        assert isinstance(await store.read("a"), Unavailable)
    assert len(asked) <= 1  # none, if this process stood still for that long
    redis.resume()
    await store.close()


async def test_closing_answers_those_who_wait(redis: RedisServer) -> None:
    """With nothing, and nothing is left running."""
    store = RedisTickets(redis.place(), within=WITHIN)
    await store.open()
    await store.read("a")
    redis.pause()
    waiting = [asyncio.create_task(store.read(f"s{n}")) for n in range(2 * AT_ONCE)]
    await asyncio.sleep(0.05)
    await store.close()

    assert {type(one) for one in await asyncio.gather(*waiting)} == {Unavailable}
    redis.resume()


async def test_what_somebody_else_has_put_there_is_no_session(
    place: RedisPlace, shared_redis: RedisServer
) -> None:
    """It is taken for nothing, or for a storage that refuses."""
    store = RedisTickets(place, within=AMPLE)
    await store.open()
    key = store._link.key("session", "a")
    shared_redis.ask("HSET", key, "revision", "many", "sealed", "x")
    assert await store.read("a") == Absent()
    shared_redis.ask("DEL", key)
    shared_redis.ask("SET", key, "x")
    assert isinstance(await store.read("a"), Unavailable)
    await store.close()
