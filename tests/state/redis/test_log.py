"""The log in Redis meets the contract, and says what it must when Redis does not answer, refuses, or is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.core import clock
from gateway.core.errors import ConfigurationError
from gateway.core.session.revocation_keys import sid_key
from gateway.state.contract.log import RevocationLog
from gateway.state.contract.spool import Batch, Spool
from gateway.state.redis import mirror as redis_mirror
from gateway.state.redis.log import RedisLog
from gateway.state.redis.place import RedisPlace
from gateway.state.redis.stream import Stream
from tests.fakes.patience import NEVER, PATIENCE
from tests.fakes.redis import RedisServer
from tests.state.log_contract import ALICE, LogContract, Make, called, ended, new, within


class TestRedisLog(LogContract):
    """See `tests/state/log_contract.py`."""

    @pytest.fixture
    def make(self, place: RedisPlace, monkeypatch: pytest.MonkeyPatch) -> Make:
        monkeypatch.setattr(redis_mirror, "VOUCH_WITHIN", 0.3)  # nobody here has to be waited for

        def another() -> RevocationLog:
            # The deadline of the contract is another test's; here a busy machine must not make one fail.
            return RedisLog(place, deadline=PATIENCE, beat=0.2)

        return another

    async def trim(self, log: RevocationLog, now: int) -> None:
        assert isinstance(log, RedisLog)
        beside = Stream(log._place)  # each takes one call at a time
        await beside.trim(log._mirror.known, now)
        await beside.link.close()


STALLS = {"test_what_could_not_be_sent_survives_a_crash"}
"""It opens a log while Redis hangs."""


@asynccontextmanager
async def opened(place: RedisPlace, *, loaded: bool = True, **options: object) -> AsyncIterator[RedisLog]:
    """A log that has been read, unless nothing is to be said of that."""
    log = RedisLog(place, **{"beat": 0.1, "deadline": PATIENCE, **options})  # type: ignore[arg-type]  # its own options
    await log.open()
    try:
        assert await within(PATIENCE, lambda: log.age() < PATIENCE or not loaded)
        yield log
    finally:
        await log.close()


async def at_once(work: Awaitable[Any]) -> None:
    """Do this, which must not have to wait for anything outside of this process."""
    doing = asyncio.ensure_future(work)
    for _ in range(20):
        await asyncio.sleep(0)
    assert doing.done()
    await doing


async def test_r04_an_entry_reaches_the_others_without_being_asked_for(place: RedisPlace) -> None:
    """They listen: nobody waits for a beat, and nothing has moved any more when it is there."""
    async with opened(place) as one, opened(place, beat=NEVER) as other:
        await one.append([new(sid_key("s"))])

        assert await within(PATIENCE, lambda: ended(other, "s") is not None)
        assert not other.moved()
        assert other.index.position == one.index.position


async def test_appends_at_the_same_time_share_the_way(place: RedisPlace, shared_redis: RedisServer) -> None:
    """Two hundred logouts at once are a few exchanges, not two hundred."""

    def scripts() -> int:
        return int(shared_redis.ask("INFO", "commandstats")["cmdstat_eval"]["calls"])

    async with opened(place, beat=NEVER) as log:
        before = scripts()
        answers = await asyncio.gather(*(log.append([new(sid_key(f"s{n}"))]) for n in range(200)))

        assert all(answer.durable for answer in answers)
        assert len({answer.position for answer in answers}) < 10
        assert scripts() - before < 10


async def test_a_paused_server_costs_nobody_more_than_the_deadline(redis: RedisServer) -> None:
    """SIGSTOP: not durable when the deadline has passed, dead here; those that come after do not wait at all."""
    async with opened(redis.place(), deadline=0.25) as log, opened(redis.place()) as other:
        redis.pause()
        assert not (await log.append([new(sid_key("a"))])).durable
        assert await within(PATIENCE, lambda: "does not answer in time" in log.health())
        for n in range(50):
            await at_once(log.append([new(sid_key(f"s{n}"))]))
        await at_once(log.catch_up())

        assert ended(log, "a") is not None
        assert ended(log, "s49") is not None
        assert log.pending == 51
        assert await within(PATIENCE, lambda: "does not answer in time" in log.health())
        assert log.age() > 0.2
        redis.resume()

        assert await within(PATIENCE, lambda: log.pending == 0 and ended(other, "s49") is not None)
        assert await within(PATIENCE, lambda: log.health().startswith("ok"))
        assert len(other.index) == 51


async def test_what_was_heard_although_no_answer_came_is_not_appended_twice(redis: RedisServer) -> None:
    """The paused server finds the first try in its socket when it goes on, and the second one beside it."""
    async with opened(redis.place(), deadline=0.25) as log:
        redis.pause()
        assert not (await log.append([new(ALICE), new(sid_key("s"))])).durable
        redis.resume()

        assert await within(PATIENCE, lambda: log.pending == 0)
        assert redis.ask("XLEN", "{gateway}:log") == 2


async def test_r06_what_is_taken_late_is_dated(redis: RedisServer) -> None:
    """It gets a late position and still spares who signed in well after it was made; by the server's own clock."""
    async with opened(redis.place(), deadline=0.25) as log, opened(redis.place()) as patient:
        redis.pause()
        await log.append([new(ALICE)])
        await asyncio.sleep(0.3)
        redis.resume()
        assert await within(PATIENCE, lambda: log.pending == 0)
        (late,) = log.index.live(clock.now())
        await patient.append([new(sid_key("s"))])
        prompt = ended(patient, "s")

        assert late.event_time is not None
        assert prompt is not None
        assert prompt.event_time is None


async def test_a_restarted_server_is_not_noticed_by_a_logout(kept_redis: RedisServer) -> None:
    """The connection of a quiet hour is gone: the append makes a new one within its deadline."""
    async with opened(kept_redis.place(), beat=NEVER) as log:
        before, position = log.log_id, (await log.append([new(sid_key("a"))])).position
        kept_redis.kill()
        kept_redis.start()
        answer = await log.append([new(sid_key("b"))])

        assert answer.durable
        assert answer.position > position
        assert log.log_id == before


async def test_g03_a_killed_server_loses_no_acknowledged_entry(kept_redis: RedisServer) -> None:
    """SIGKILL in the middle of a stream of logouts, twice; a fresh instance has every one of them afterwards."""
    acknowledged: list[str] = []
    async with opened(kept_redis.place(), deadline=PATIENCE) as log:
        for round_ in range(2):
            for number in range(40):
                if number == 20:
                    kept_redis.kill()
                    log._deadline = 0.25
                if number == 30:
                    kept_redis.start()
                    assert await within(PATIENCE, lambda: log.pending == 0)
                    log._deadline = PATIENCE
                if (await log.append([new(sid_key(f"s{round_}-{number}"))])).durable:
                    acknowledged.append(f"s{round_}-{number}")
        assert await within(PATIENCE, lambda: log.pending == 0)
        before = log.log_id
    async with opened(kept_redis.place()) as again:
        assert len(acknowledged) >= 50
        assert again.log_id == before
        assert [name for name in acknowledged if ended(again, name) is None] == []
        assert len(again.index) == 80


async def test_it_starts_without_redis(redis: RedisServer) -> None:
    """Not loaded is not "nothing revoked" (rule R5): it waits, holds what is ended here, and loads when it can."""
    redis.stop()
    async with opened(redis.place(), loaded=False, deadline=0.25) as log:
        assert not log.loaded
        assert log.age() == float("inf")
        assert log.health().startswith("not loaded: no connection to Redis")
        assert not (await log.append([new(sid_key("s"))])).durable
        assert ended(log, "s") is not None
        redis.start()

        assert await within(PATIENCE, lambda: log.loaded and log.pending == 0)
        assert ended(log, "s") is not None
        assert await within(PATIENCE, lambda: log.health().startswith("ok"))


async def test_a_server_that_takes_nothing_is_still_read(redis: RedisServer) -> None:
    """Out of memory: health says it with the fix, and what waits goes when there is room. Meanwhile the age grows."""
    async with opened(redis.place()) as log:
        redis.ask("CONFIG", "SET", "maxmemory", "1")
        answer = await log.append([new(sid_key("s"))])

        assert not answer.durable
        assert "raise `maxmemory`" in log.health()
        assert await within(PATIENCE, lambda: log.age() > log._age.of_reading(clock.elapsed()) + 1)
        redis.ask("CONFIG", "SET", "maxmemory", "0")
        assert await within(PATIENCE, lambda: log.pending == 0)
        assert await within(PATIENCE, lambda: log.health().startswith("ok"))


def spooled(directory: Path) -> int:
    """How many batches wait in the spool there."""
    spool = Spool(directory / "state.spool")
    try:
        return len(spool.batches(patience=PATIENCE))
    finally:
        spool.close()


async def test_what_could_not_be_sent_survives_a_crash(redis: RedisServer, tmp_path: Path) -> None:
    """The spool on this host's disk keeps it; the next process sends it."""
    spool = tmp_path / "spool"
    spool.mkdir()
    redis.pause()
    async with opened(redis.place(), loaded=False, spool=spool, deadline=0.05) as log:
        await log.append([new(sid_key("s"))])
        assert await within(PATIENCE, lambda: spooled(spool) > 0)
        log._outbox._batches.clear()  # the crash: nothing that is done at the end is done
    redis.resume()
    async with opened(redis.place(), spool=spool) as again:
        assert ended(again, "s") is not None
        assert await within(PATIENCE, lambda: again.pending == 0)
        assert await within(PATIENCE, lambda: spooled(spool) == 0)
    async with opened(redis.place()) as third:
        assert ended(third, "s") is not None


async def test_a_worker_sends_what_another_has_spooled(redis: RedisServer, tmp_path: Path) -> None:
    """It denies in every worker of the host at once, and reaches the log once although two send it."""
    async with (
        opened(redis.place(), spool=tmp_path, deadline=0.05) as one,
        opened(redis.place(), spool=tmp_path, deadline=0.05) as other,
    ):
        redis.pause()
        await one.append([new(sid_key("s"))])

        assert await within(PATIENCE, lambda: ended(other, "s") is not None)
        redis.resume()
        assert await within(PATIENCE, lambda: one.pending == other.pending == 0)
        assert redis.ask("XLEN", "{gateway}:log") == 1


async def test_a_spooled_batch_that_the_log_has_is_not_sent_again(redis: RedisServer, tmp_path: Path) -> None:
    """Its process died between sending and emptying the spool; the others have read past it long since."""
    async with opened(redis.place(), spool=tmp_path) as log:
        entry = new(ALICE)
        await log.append([entry])
        ((_, fields),) = redis.ask("XRANGE", "{gateway}:log", "-", "+")
        Spool(tmp_path / "state.spool").put(Batch(fields[b"b"].decode(), (entry,)), patience=PATIENCE)

        assert await within(PATIENCE, lambda: spooled(tmp_path) == 0)
        assert log.pending == 0
        assert redis.ask("XLEN", "{gateway}:log") == 1


async def test_a_listener_that_fails_stops_nothing(
    place: RedisPlace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody's code fails at an entry: it is told, and this entry and the next ones come through."""
    failing = ["sid:a"]

    def hear(key: str) -> None:
        if key in failing:
            failing.remove(key)
            raise ZeroDivisionError

    async with opened(place) as one, opened(place) as other:
        other.index.on_key = hear
        await one.append([new(sid_key("a"))])
        assert await within(PATIENCE, lambda: not failing)
        await one.append([new(sid_key("b"))])

        assert await within(PATIENCE, lambda: ended(other, "a") is not None and ended(other, "b") is not None)
        read = other._age._read_at
        assert await within(PATIENCE, lambda: other._age._read_at > read)
        assert other.index.position == one.index.position
        assert "state_log_crashed" in capsys.readouterr().out


async def test_dead_entries_are_trimmed(place: RedisPlace, shared_redis: RedisServer) -> None:
    """The stream and the index forget what can end nothing any more, and positions are not given again."""
    async with opened(place) as log:
        answer = await log.append([new(sid_key(f"s{n}"), lives=-5) for n in range(20)])
        log._trimmed_at = float("-inf")

        assert await within(PATIENCE, lambda: shared_redis.ask("XLEN", place.log_key) == 0)
        assert await within(PATIENCE, lambda: len(log.index) == 0)
        assert (await log.append([new(sid_key("s"))])).position > answer.position


async def test_r05_a_server_that_may_drop_entries_is_named_at_the_start(
    redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """What to set stands beside what is wrong."""
    redis.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    async with opened(redis.place()):
        said = capsys.readouterr().out

    assert "redis_evicts" in said
    assert "noeviction" in said


async def test_an_accepted_loss_is_said_loudly(place: RedisPlace, capsys: pytest.CaptureFixture[str]) -> None:
    """At the start and in health, for as long as it is configured."""
    async with opened(place, state_loss_accepted=True) as log:
        assert "state_loss_accepted" in capsys.readouterr().out
        assert "loss of the log is accepted" in log.health()


async def test_what_waiting_cannot_fix_stops_the_start(redis: RedisServer) -> None:
    """The wrong password: a ConfigurationError that names the keys to fix, and not the password."""
    redis.ask("CONFIG", "SET", "requirepass", "right")
    with pytest.raises(ConfigurationError) as caught:
        await RedisLog(redis.place(password="hunter2")).open()

    assert caught.value.code == "state_refused"
    assert "password" in caught.value.detail
    assert "hunter2" not in str(caught.value) + repr(redis.place(password="hunter2"))


async def test_asking_whether_the_log_moved_is_cheap(place: RedisPlace) -> None:
    """It is on the way of every request."""
    async with opened(place) as log:
        *others, look, copy = called(log.moved)
        assert others == ["RedisLog.moved", "Age.of_reading", "RedisSpool.moved"]
        assert (look, copy) == ("Board.stamp", "memoryview.tobytes")


def test_an_unopened_log_connects_to_nothing() -> None:
    """Nothing is opened before the fork."""
    log = RedisLog(RedisPlace((("192.0.2.1", 6379),)))

    assert not log.loaded
