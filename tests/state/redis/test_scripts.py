"""What Redis does by itself: who may make a log, fix it, or give it another id, and which positions it gives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.core import dice
from gateway.state.contract.renewal import RenewalCause, new_log_id
from gateway.state.redis.faults import CommandRefusedError, UnvouchedError
from gateway.state.redis.scripts import GAPS, LEAP
from gateway.state.redis.stream import LogPage, ReadTo, Stream
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer, follow
from tests.state.log_contract import ALICE, new
from tests.state.redis.test_stream import appended, going

META, LOG = "{gateway}:meta", "{gateway}:log"
NOBODY = ReadTo()


@pytest.fixture
async def stream(redis: RedisServer) -> AsyncIterator[Stream]:
    made = Stream(redis.place())
    yield made
    await made.link.close()


async def read(stream: Stream, history: ReadTo = NOBODY, *, renew: bool = False) -> LogPage:
    return await stream.read(history, history, new_log_id(), renew=renew)


def another_term(redis: RedisServer) -> None:
    """What a restart and a failover do to a server's replication id."""
    redis.ask("DEBUG", "CHANGE-REPL-ID")


async def test_whoever_comes_first_makes_the_log(redis: RedisServer) -> None:
    """All that come at the same time get the same one."""
    streams = [Stream(redis.place()) for _ in range(6)]
    pages = await asyncio.gather(*map(read, streams))

    assert len({page.standing for page in pages}) == 1
    assert sorted(page.change for page in pages) == ["", "", "", "", "", "made"]
    for stream in streams:
        await stream.link.close()


async def test_positions_begin_behind_the_server_s_clock(stream: Stream) -> None:
    """So that those of a log made after another was lost are later than what sessions sealed under the lost one."""
    page = await read(stream)

    assert page.standing.position == page.clock + LEAP


async def test_another_term_is_another_epoch_of_the_same_log(stream: Stream, redis: RedisServer) -> None:
    """For an instance that was there: it reads everything again, and no position is given twice."""
    known = (await read(stream)).standing
    page = await appended(stream, known, going(new(ALICE)))
    another_term(redis)
    assert await stream.append(page.standing, [going(new(ALICE))], within=PATIENCE, copies=False) is None
    fixed = await read(stream, page.standing)

    assert fixed.change == "repaired"
    assert fixed.from_start
    assert fixed.standing.log_id == known.log_id
    assert fixed.standing.epoch != known.epoch
    assert fixed.standing.position >= page.standing.position + LEAP
    assert [row.entry.key for row in fixed.rows] == [ALICE]
    assert (await read(stream, page.standing)).change == ""


async def test_a_log_behind_its_reader_is_fixed(stream: Stream, redis: RedisServer) -> None:
    """Whatever the term says: a position that somebody knows was given."""
    known = (await read(stream)).standing
    ahead = replace(known, position=known.position + 5)
    fixed = await read(stream, ahead)

    assert fixed.change == "repaired"
    assert fixed.standing.position >= ahead.position + LEAP


async def test_r05_a_truncated_stream_is_fixed(stream: Stream, redis: RedisServer) -> None:
    """Somebody has trimmed it who is not the gateway: it is not "nothing revoked"."""
    known = (await read(stream)).standing
    page = await appended(stream, known, going(new(ALICE)), going(new(ALICE)))
    redis.ask("XTRIM", LOG, "MAXLEN", 1)

    assert await stream.append(page.standing, (), within=PATIENCE, copies=False) is None
    with pytest.raises(UnvouchedError):
        await read(stream)
    assert (await read(stream, page.standing)).change == "repaired"


async def test_r05_nobody_without_history_vouches_for_an_older_copy(
    stream: Stream, redis: RedisServer
) -> None:
    """It waits; when it has waited long enough the log gets another id, which refuses the sessions of the old one."""
    known = (await read(stream)).standing
    await appended(stream, known, going(new(ALICE)))
    another_term(redis)
    with pytest.raises(UnvouchedError):
        await read(stream)
    with pytest.raises(UnvouchedError):
        await read(stream, ReadTo("another log", "1", known.position))
    renewed = await read(stream, renew=True)

    assert renewed.change == "renewed"
    assert renewed.standing.log_id != known.log_id
    assert [row.entry.key for row in renewed.rows] == [ALICE]
    assert (await read(stream, known)).standing == renewed.standing


async def test_an_append_only_file_vouches(kept_redis: RedisServer) -> None:
    """A restart of everything at once signs nobody out."""
    stream = Stream(kept_redis.place())
    known = (await read(stream)).standing
    await appended(stream, known, going(new(ALICE)))
    kept_redis.kill()
    kept_redis.start()
    await stream.link.drop()
    page = await read(stream)

    assert page.change == "repaired"
    assert page.standing.log_id == known.log_id
    assert len(page.rows) == 1
    await stream.link.close()


async def test_an_emptied_server_gets_another_log(stream: Stream, redis: RedisServer) -> None:
    """Also by an instance that has history; its positions go on."""
    known = (await read(stream)).standing
    redis.ask("FLUSHALL")
    made = await read(stream, known)

    assert made.change == "made"
    assert made.standing.log_id != known.log_id
    assert made.standing.position > known.position


async def test_a_stream_without_its_hash_is_another_log_too(stream: Stream, redis: RedisServer) -> None:
    """Nobody knows what it should have; what it has is kept, and its positions are not given again."""
    known = (await read(stream)).standing
    page = await appended(stream, known, going(new(ALICE)))
    redis.ask("DEL", META)
    made = await read(stream)

    assert made.standing.log_id != known.log_id
    assert made.standing.position > page.standing.position
    assert [row.entry.key for row in made.rows] == [ALICE]


async def test_a_reader_of_another_log_moves_the_positions_on(stream: Stream) -> None:
    """What it knows was sealed into sessions, which `state_loss: accept` lets live."""
    known = (await read(stream)).standing
    foreign = ReadTo("another log", "1", known.position + 1000)
    page = await read(stream, foreign)

    assert page.standing == replace(known, position=foreign.position)
    assert page.change == ""


async def test_a_log_of_a_later_release_is_left_alone(stream: Stream, redis: RedisServer) -> None:
    """It is refused by its format."""
    await read(stream)
    redis.ask("HSET", META, "format", "2")
    with pytest.raises(CommandRefusedError, match="FORMAT 2"):
        await read(stream)


async def test_a_replica_is_no_place_for_a_log(
    redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It says so itself, also to those who only read: it may be cut off from its primary."""
    with RedisServer(tmp_path_factory.mktemp(dice.token(4))) as primary:
        follow(redis, primary)
        stream = Stream(redis.place())
        with pytest.raises(CommandRefusedError, match="NOTPRIMARY"):
            await read(stream)
        assert stream.link.address is None


async def sealed_under(stream: Stream, history: ReadTo, sealed: int, *, settled: bool = True) -> str:
    """What becomes of the log when somebody shows this position."""
    return await stream.renew(history, new_log_id(), RenewalCause.SESSION, sealed=sealed, settled=settled)


async def test_r04_a_position_that_was_never_given_renews_the_log_once(
    stream: Stream, redis: RedisServer
) -> None:
    """When whoever could know of it had the time; the others find another log then."""
    known = (await read(stream)).standing
    page = await appended(stream, known, going(new(ALICE)))
    here = page.standing
    for position in (here.position - 1, here.position):
        assert await sealed_under(stream, here, position) == "has"
    sealed = here.position + 1
    assert await sealed_under(stream, here, sealed, settled=False) == "lacks"
    assert (await read(stream, here)).standing.log_id == here.log_id
    assert await sealed_under(stream, here, sealed) == "renewed"
    assert await sealed_under(stream, here, sealed) == "other"
    after = await read(stream, here)

    assert after.standing.log_id != here.log_id
    assert after.standing.position > sealed
    assert [row.entry.key for row in after.rows] == [ALICE]
    assert after.gaps == ()


async def test_r04_between_two_epochs_is_a_gap(stream: Stream, redis: RedisServer) -> None:
    """It begins where the copy ends; its positions prove that the copy was an older one."""
    known = (await read(stream)).standing
    page = await appended(stream, known, going(new(ALICE)))
    end = page.standing.position
    another_term(redis)
    assert await sealed_under(stream, page.standing, end + 1) == "rejoin"
    fixed = await read(stream, page.standing)
    begun = fixed.standing.position

    assert fixed.gaps == ((end, begun),)
    assert [await sealed_under(stream, fixed.standing, one, settled=False) for one in (end, end + 1)] == [
        "has",
        "lacks",
    ]
    for one, said in ((begun - 1, "lacks"), (begun, "has"), (begun + 1, "lacks")):
        assert await sealed_under(stream, fixed.standing, one, settled=False) == said
    assert (await appended(stream, fixed.standing, going(new(ALICE)))).gaps == fixed.gaps


async def test_r04_whoever_vouches_for_more_makes_the_gap_smaller(stream: Stream, redis: RedisServer) -> None:
    """An instance that was there, and comes later than the one that fixed the log, sends what it has."""
    known = (await read(stream)).standing
    end = known.position
    another_term(redis)
    begun = (await read(stream, known)).standing.position
    later = await read(stream, replace(known, position=end + 3))

    assert later.change == ""
    assert later.gaps == ((end + 3, begun),)
    assert (await read(stream, replace(known, position=end + 2))).gaps == later.gaps
    assert await sealed_under(stream, later.standing, end + 3, settled=False) == "has"
    assert await sealed_under(stream, later.standing, end + 4, settled=False) == "lacks"


async def test_gaps_are_kept_for_so_many_restarts(stream: Stream, redis: RedisServer) -> None:
    """The latest ones."""
    standing, begun = (await read(stream)).standing, []
    for _ in range(GAPS + 2):
        another_term(redis)
        page = await read(stream, standing)
        standing = page.standing
        begun.append(standing.position)

    assert [behind for _, behind in page.gaps] == begun[2:]


async def test_an_operator_renews_a_log_for_no_reason_of_its_own(stream: Stream, redis: RedisServer) -> None:
    """Where there is one; the reason and the time are in it, and one reader is to tell of it."""
    assert await stream.renew(NOBODY, new_log_id(), RenewalCause.OPERATOR) == "none"
    assert redis.ask("KEYS", "*") == []
    known = (await read(stream)).standing
    assert await stream.renew(NOBODY, new_log_id(), RenewalCause.OPERATOR) == "renewed"
    pages = [await read(stream, known) for _ in range(3)]

    assert len({page.standing for page in pages} | {known}) == 2
    assert [page.renewal is not None and page.renewal.reported for page in pages] == [False, True, True]
    assert {page.renewal.cause for page in pages if page.renewal} == {RenewalCause.OPERATOR}
    assert await stream.append(known, (), within=PATIENCE, copies=False) is None
