"""Logs that are lost, older, or changed by others: what each instance then denies, sends again, and says."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest

from gateway.core import clock
from gateway.core.session.revocation_keys import sid_key
from gateway.state.redis import mirror as redis_mirror
from gateway.state.redis.log import RedisLog
from gateway.state.redis.place import RedisPlace
from gateway.state.redis.stream import Stream
from tests.fakes.patience import NEVER, PATIENCE
from tests.fakes.redis import RedisServer
from tests.state.log_contract import ALICE, ended, new, within
from tests.state.redis.test_log import opened

META, LOG = "{gateway}:meta", "{gateway}:log"


class Copy:
    """An older copy of the log, as a replica has it that missed the last writes."""

    def __init__(self, redis: RedisServer) -> None:
        self.redis = redis
        self.keys = {key: redis.ask("DUMP", key) for key in (META, LOG)}

    def promote(self) -> None:
        """From now on this is what the server has, under another replication id."""
        self.redis.at_once(("DEL", *self.keys), *self.restoring())
        self.redis.ask("DEBUG", "CHANGE-REPL-ID")

    def restoring(self) -> list[tuple[str | int | bytes, ...]]:
        """What brings the keys back."""
        return [("RESTORE", key, 0, content) for key, content in self.keys.items() if content is not None]


def positions(log: RedisLog) -> dict[str, int]:
    return {entry.key: entry.position for entry in log.index.live(clock.now())}


async def test_r04_an_emptied_redis_is_another_log_everywhere(
    redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """FLUSHALL: all instances get the same new id, which refuses every session of the old one, and say so."""
    async with opened(redis.place()) as one, opened(redis.place()) as other:
        before = one.log_id
        answer = await one.append([new(sid_key("s")), new(ALICE)])
        await other.catch_up()
        had = positions(other)
        redis.ask("FLUSHALL")

        assert await within(PATIENCE, lambda: one.log_id == other.log_id != before)
        assert await within(PATIENCE, lambda: one.pending == other.pending == 0)
        assert positions(one) == positions(other) == had
        assert await within(PATIENCE, lambda: one.index.position == other.index.position)
        assert one.index.position > answer.position
        assert "state_log_lost" in capsys.readouterr().out
        assert redis.ask("XLEN", LOG) == 2
    async with opened(redis.place()) as fresh:
        assert fresh.log_id != before
        assert positions(fresh) == had


async def test_a_failover_that_lost_entries_loses_none(redis: RedisServer) -> None:
    """The id stays; whoever has read the lost entries sends them again, at the positions they had."""
    async with opened(redis.place()) as one, opened(redis.place()) as other:
        await one.append([new(sid_key("kept"))])
        older, before = Copy(redis), one.log_id
        await one.append([new(sid_key("lost")), new(ALICE)])
        await other.catch_up()
        had, seen = positions(one), one.index.position
        older.promote()
        assert await within(PATIENCE, lambda: redis.ask("XLEN", LOG) == 3)
        assert await within(PATIENCE, lambda: one.pending == other.pending == 0)

        assert one.log_id == other.log_id == before
        assert positions(one) == positions(other) == had
        async with opened(redis.place()) as fresh:
            assert fresh.log_id == before
            assert positions(fresh) == had
            # Alice signed in after she was ended, and seals what she saw: that stays so.
            assert ended(fresh, "x", seen=seen) is None
            assert ended(fresh, "x", seen=seen - 1) is not None


async def test_r06_no_position_is_given_twice(redis: RedisServer) -> None:
    """Who had not read what was lost appends first, and ends sessions that sealed the position of what was lost."""
    async with opened(redis.place(), beat=NEVER) as slow:
        older, slow_listening = Copy(redis), slow._tasks[1]
        slow_listening.cancel()
        async with opened(redis.place()) as one:
            await one.append([new(sid_key("lost")), new(sid_key("lost too"))])
            seen = one.index.position
        assert slow.index.position < seen
        older.promote()
        answer = await slow.append([new(ALICE)])

        assert answer.durable
        assert answer.position > seen
        assert ended(slow, "x", seen=seen) is not None


async def test_r05_nobody_vouches_for_an_older_copy(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All instances and Redis were restarted, without an append-only file: not loaded, then another id."""
    monkeypatch.setattr(redis_mirror, "VOUCH_WITHIN", math.inf)
    async with opened(redis.place()) as one:
        await one.append([new(sid_key("s"))])
        older, before = Copy(redis), one.log_id
    older.promote()
    async with opened(redis.place(), loaded=False) as fresh:
        assert not fresh.loaded
        assert "may lack the latest entries" in fresh.health()
        monkeypatch.setattr(redis_mirror, "VOUCH_WITHIN", 0.0)
        assert await within(PATIENCE, lambda: fresh.loaded)

        assert fresh.log_id != before
        assert ended(fresh, "s") is not None
        assert "state_log_renewed" in capsys.readouterr().out


async def test_an_instance_that_was_there_vouches_for_one_that_starts(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rolling update in the middle of a failover signs nobody out."""
    monkeypatch.setattr(redis_mirror, "VOUCH_WITHIN", PATIENCE)
    async with opened(redis.place(), beat=1.0) as one:
        older, before = Copy(redis), one.log_id
        await one.append([new(sid_key("lost"))])
        older.promote()
        async with opened(redis.place()) as fresh:
            assert await within(PATIENCE, lambda: fresh.loaded)
            assert fresh.log_id == before
            assert await within(PATIENCE, lambda: ended(fresh, "lost") is not None)


async def test_r05_what_somebody_else_trimmed_is_sent_again(redis: RedisServer) -> None:
    """`XTRIM` by hand: noticed within a beat, and fixed by all who know the entries."""
    async with opened(redis.place()) as one, opened(redis.place()) as other:
        await one.append([new(sid_key(f"s{n}")) for n in range(5)])
        before = one.log_id
        redis.ask("XTRIM", LOG, "MAXLEN", 0)

        assert await within(PATIENCE, lambda: redis.ask("XLEN", LOG) == 5)
        assert await within(PATIENCE, lambda: one.pending == other.pending == 0)
        assert one.log_id == other.log_id == before
    async with opened(redis.place()) as fresh:
        assert len(fresh.index) == 5


async def test_an_instance_behind_a_trimmed_gap_reads_everything(redis: RedisServer) -> None:
    """It was away while entries came, died and were removed: it is in step with the same id and position."""
    async with opened(redis.place(), beat=NEVER) as one, opened(redis.place(), beat=NEVER) as other:
        behind = other._mirror.known
        await one.append([new(sid_key("dead"), lives=-9), new(sid_key("alive"))])
        stream = Stream(redis.place())
        await stream.trim(one._mirror.known, clock.now())
        await stream.link.close()
        assert await within(
            PATIENCE, lambda: other.index.position == one.index.position
        )  # it has heard, and rests
        other._mirror.known = replace(behind)
        await other.catch_up()

        assert ended(other, "alive") is not None
        assert other.index.position == one.index.position
        assert other.log_id == one.log_id


async def test_a_long_log_is_read_page_by_page(place: RedisPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start, and by whoever fell far behind; nobody is loaded before the last page."""
    monkeypatch.setattr("gateway.state.redis.stream.PAGE", 10)
    async with opened(place, beat=NEVER) as one:
        await asyncio.gather(*(one.append([new(sid_key(f"s{n}"))]) for n in range(35)))
        assert one.pending == 0
        async with opened(place) as other:
            assert len(other.index) == 35
            assert other.index.position == one.index.position
            assert not other.moved()


async def test_a_second_failover_sends_again_what_the_first_one_did(redis: RedisServer) -> None:
    """The same entries under the same names, since nobody found them behind its position."""
    async with opened(redis.place()) as one:
        older = Copy(redis)
        await one.append([new(sid_key("s"))])
        for _ in range(3):
            epoch = one._mirror.known.epoch
            older.promote()
            assert await within(PATIENCE, lambda epoch=epoch: one._mirror.known.epoch != epoch)  # type: ignore[misc]  # mypy cannot infer the default of a lambda
            assert await within(PATIENCE, lambda: one.pending == 0 and redis.ask("XLEN", LOG) == 1)
