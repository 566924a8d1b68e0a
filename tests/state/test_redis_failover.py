"""Another server takes over: with everything, or without the last entries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.core.session.revocation_keys import sid_key
from gateway.state.redis import stream as redis_stream
from gateway.state.redis.place import RedisPlace
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer, follow
from tests.state.log_contract import ended, new, within
from tests.state.redis.test_log import opened


class Door:
    """An address that leads to one server and then to another, as a service's name or a virtual IP does."""

    def __init__(self, to: RedisServer) -> None:
        self.to = to
        self.writers: list[asyncio.StreamWriter] = []

    async def start(self) -> RedisPlace:
        self.server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        return RedisPlace((("127.0.0.1", self.server.sockets[0].getsockname()[1]),))

    async def lead_to(self, server: RedisServer) -> None:
        """From now on; connections to the other one break."""
        self.to = server
        self.cut()

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    async def close(self) -> None:
        self.server.close()
        self.cut()
        await asyncio.sleep(0.01)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            inner, outer = await asyncio.open_connection("127.0.0.1", self.to.port)
        except OSError:
            writer.transport.abort()
            return
        self.writers.append(outer)
        await asyncio.gather(_pump(reader, outer), _pump(inner, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
    except OSError:
        pass
    writer.close()


@pytest.fixture
def replica(redis: RedisServer, tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "replica") as server:
        follow(server, redis)
        yield server


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine makes no replica look like one that hangs."""
    monkeypatch.setattr(redis_stream, "COPY_WITHIN", PATIENCE)


@pytest.fixture
async def door(redis: RedisServer) -> AsyncIterator[Door]:
    made = Door(redis)
    yield made
    await made.close()


async def test_a_replica_without_the_last_entries_gets_them_back(
    redis: RedisServer, replica: RedisServer, door: Door
) -> None:
    """They were acknowledged, the primary is dead, the replica never heard of them: the instances did."""
    place = await door.start()
    async with opened(place) as one, opened(place) as other:
        assert (await one.append([new(sid_key("kept"))])).durable
        replica.wait_for(lambda: replica.ask("XLEN", place.log_key) == 1)
        before, epoch = one.log_id, one._mirror.known.epoch
        replica.ask("REPLICAOF", "NO", "ONE")
        redis.wait_for(lambda: redis.ask("INFO", "replication")["connected_slaves"] == 0)
        await one.catch_up()
        answer = await one.append([new(sid_key("lost"))])
        assert answer.durable
        assert await within(PATIENCE, lambda: ended(other, "lost") is not None)
        redis.kill()
        await door.lead_to(replica)

        assert await within(PATIENCE, lambda: replica.ask("XLEN", place.log_key) == 2)
        assert await within(PATIENCE, lambda: one.pending == other.pending == 0)
        assert one.log_id == other.log_id == before
        assert one._mirror.known.epoch != epoch
        assert (await one.append([new(sid_key("after"))])).position > answer.position
        async with opened(place) as fresh:
            assert [ended(fresh, sid) is not None for sid in ("kept", "lost", "after")] == [True] * 3


async def test_an_entry_that_no_replica_confirmed_is_not_durable(
    redis: RedisServer, replica: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said until one has confirmed it."""
    async with opened(redis.place()) as log:
        assert (await log.append([new(sid_key("a"))])).durable
        replica.pause()
        monkeypatch.setattr(redis_stream, "COPY_WITHIN", 0.05)
        assert not (await log.append([new(sid_key("b"))])).durable
        assert "no replica of Redis confirmed" in log.health()
        assert log.pending == 0
        replica.resume()
        monkeypatch.setattr(redis_stream, "COPY_WITHIN", PATIENCE)

        assert await within(PATIENCE, lambda: log.health().startswith("ok"))
        assert (await log.append([new(sid_key("c"))])).durable


async def test_sentinels_lead_to_the_promoted_replica(
    redis: RedisServer, replica: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The primary is killed: logouts deny here meanwhile, and are durable again without anybody's help."""
    watch = [f"sentinel monitor mymaster 127.0.0.1 {redis.port} 1"]
    watch += ["sentinel down-after-milliseconds mymaster 3600000", "sentinel failover-timeout mymaster 3000"]
    for server in (redis, replica):
        server.ask("CONFIG", "SET", "masteruser", "tests")
        server.ask("CONFIG", "SET", "masterauth", "for-the-tests-only")
    watch += ["sentinel auth-user mymaster tests", "sentinel auth-pass mymaster for-the-tests-only"]
    with RedisServer(tmp_path / "sentinel", *watch, sentinel=True) as sentinel:
        sentinel.wait_for(lambda: sentinel.ask("SENTINEL", "REPLICAS", "mymaster"), PATIENCE)
        place = RedisPlace((("127.0.0.1", sentinel.port),), "sentinel", "mymaster")
        async with opened(place) as log:
            assert (await log.append([new(sid_key("a"))])).durable
            before = log.log_id
            monkeypatch.setattr(redis_stream, "COPY_WITHIN", 0.05)  # there will be no replica any more
            redis.kill()
            assert not (await log.append([new(sid_key("b"))])).durable
            assert ended(log, "b") is not None
            # From now on: before, a machine that stops for a moment would look like a primary that is gone.
            sentinel.ask("SENTINEL", "SET", "mymaster", "down-after-milliseconds", 500)

            assert await within(PATIENCE, lambda: log.pending == 0 and log.health().startswith("ok"))
            assert log._stream.link.address == ("127.0.0.1", replica.port)
            assert log.log_id == before
            assert replica.ask("XLEN", place.log_key) == 2
            assert await within(PATIENCE, lambda: log._bell.link.address == ("127.0.0.1", replica.port))
