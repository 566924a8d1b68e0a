"""The stream: what goes in comes out, late or new, once, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core import clock
from gateway.core.session.revocation_keys import sid_key
from gateway.core.signout.revocation import Entry, NewEntry, RevocationIndex
from gateway.state.contract.outbox import Outbox, Outgoing
from gateway.state.contract.renewal import RenewalCause, new_log_id
from gateway.state.redis import stream as redis_stream
from gateway.state.redis.faults import CommandRefusedError, GarbledError
from gateway.state.redis.place import RedisPlace
from gateway.state.redis.stream import Bell, LogPage, ReadTo, Stream, name_of
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer, follow
from tests.state.log_contract import ALICE, new

FOREVER = 1 << 53


@pytest.fixture
async def stream(place: RedisPlace) -> AsyncIterator[Stream]:
    made = Stream(place)
    yield made
    await made.link.close()


async def joined(stream: Stream) -> ReadTo:
    """Somebody who has read the whole log, made now."""
    page = await stream.read(ReadTo(), ReadTo(), new_log_id(), renew=False)
    assert page.from_start
    return page.standing


async def appended(stream: Stream, known: ReadTo, *batches: Outgoing, copies: bool = False) -> LogPage:
    page = await stream.append(known, batches, within=PATIENCE, copies=copies)
    assert page is not None
    return page


def going(*entries: NewEntry, until: int = FOREVER) -> Outgoing:
    """A batch that is new until then."""
    one = Outbox(RevocationIndex()).take(entries, clock.now())
    one.new_until = until
    return one


async def test_what_is_appended_comes_back_with_what_others_did(stream: Stream) -> None:
    """In the order of the log, each at its position, with its batch."""
    known = await joined(stream)
    theirs, mine = going(new(ALICE)), going(new(sid_key("a"), barrier=9), new(sid_key("b"), event_time=5))
    await appended(stream, known, theirs)
    page = await appended(stream, known, mine)

    assert [row.entry.key for row in page.rows] == [ALICE, "sid:a", "sid:b"]
    assert [row.batch for row in page.rows] == [theirs.batch.id, mine.batch.id, mine.batch.id]
    assert [row.position for row in page.rows] == [known.position + n for n in (1, 2, 3)]
    assert page.rows[1].entry == mine.new[0].placed(known.position + 2)
    assert page.standing == replace(known, position=known.position + 3)
    assert not page.more


async def test_a_batch_is_appended_once(stream: Stream) -> None:
    """However often it is sent by somebody who has not read it back yet."""
    known, one = await joined(stream), going(new(ALICE))
    first = await appended(stream, known, one)
    again = await appended(stream, known, one)

    assert again.rows == first.rows
    assert again.standing == first.standing


async def test_the_server_decides_what_is_late(stream: Stream) -> None:
    """By its own clock: the entry is dated then, otherwise the order of the log alone says when it was."""
    known = await joined(stream)
    page = await appended(stream, known, going(new(ALICE)), going(new(ALICE), until=1))

    assert [row.entry.event_time is None for row in page.rows] == [True, False]


async def test_an_entry_sent_again_keeps_the_position_it_had(stream: Stream) -> None:
    """And has one name, whoever sends it."""
    known, entry = await joined(stream), new(ALICE).placed(77)
    index = RevocationIndex()
    outbox = Outbox(index)
    outbox.restore(name_of(entry), entry)
    page = await appended(stream, known, *outbox.waiting())

    assert page.rows[0].entry == entry
    assert page.rows[0].position == known.position + 1
    assert name_of(replace(entry)) == page.rows[0].batch
    assert name_of(replace(entry, position=78)) != page.rows[0].batch


async def test_a_long_log_comes_in_pages(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each goes on where the last one ended; whoever is that far behind may not append before having read."""
    known = await joined(stream)
    await appended(stream, known, going(*(new(sid_key(f"s{n}")) for n in range(25))))
    monkeypatch.setattr(redis_stream, "PAGE", 10)
    keys: list[str] = []
    cursor = ReadTo()
    while True:
        page = await stream.read(ReadTo(), cursor, new_log_id(), renew=False)
        assert page.from_start == (not keys)
        keys += [row.entry.key for row in page.rows]
        cursor = page.standing
        if not page.more:
            break

    assert keys == [f"sid:s{n}" for n in range(25)]
    assert cursor == replace(known, position=known.position + 25)
    assert await stream.append(known, [going(new(ALICE))], within=PATIENCE, copies=False) is None


async def test_dead_entries_are_removed_from_the_beginning(stream: Stream) -> None:
    """Up to the first that lives; whoever was not that far reads the whole log again (rule R5)."""
    known = await joined(stream)
    dead = [going(new(sid_key(f"d{n}"), lives=-9)) for n in range(3)]
    page = await appended(stream, known, *dead, going(new(ALICE)), going(new(sid_key("d"), lives=-9)))

    assert await stream.trim(page.standing, clock.now()) == 3
    assert await stream.trim(page.standing, clock.now()) == 0
    read = await stream.read(known, known, new_log_id(), renew=False)
    assert read.from_start
    assert [row.entry.key for row in read.rows] == [ALICE, "sid:d"]
    assert await stream.append(known, (), within=PATIENCE, copies=False) is None
    assert not (await stream.read(page.standing, page.standing, new_log_id(), renew=False)).from_start


async def test_a_clock_that_is_ahead_trims_nothing_that_lives(stream: Stream) -> None:
    """An instance's clock counts only as far as the server's agrees."""
    known = await joined(stream)
    page = await appended(stream, known, going(new(ALICE, lives=60)))

    assert await stream.trim(page.standing, clock.now() + 9999) == 0


@pytest.mark.parametrize("fields", [("b", "x", "x", "9", "e", text) for text in ("no json", "[1]", "1")])
async def test_what_the_gateway_did_not_write_is_not_read_over(
    stream: Stream, place: RedisPlace, shared_redis: RedisServer, fields: tuple[str, ...]
) -> None:
    """It may have meant to end something: the log is out of step until somebody has looked."""
    known = await joined(stream)
    shared_redis.ask("XADD", place.log_key, f"{known.position + 9}-0", *fields)
    with pytest.raises(GarbledError):
        await stream.read(known, known, new_log_id(), renew=False)


async def test_a_replica_confirms(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the server has one; one that hangs is not waited for longer than its time."""
    stream = Stream(redis.place())
    with RedisServer(tmp_path / "replica") as replica:
        follow(replica, redis)
        known = await joined(stream)
        monkeypatch.setattr(redis_stream, "COPY_WITHIN", PATIENCE)
        page = await appended(stream, known, going(new(ALICE)), copies=True)
        assert page.copied
        assert page.replicas == 1
        replica.pause()
        monkeypatch.setattr(redis_stream, "COPY_WITHIN", 0.05)
        assert not (await appended(stream, known, going(new(ALICE)), copies=True)).copied
    await stream.link.close()


async def test_r04_another_id_is_confirmed_by_a_replica(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failover would bring the old one back otherwise, and with it whom nobody else knew to be signed out."""
    with RedisServer(tmp_path / "one") as primary, RedisServer(tmp_path / "other") as replica:
        stream = Stream(primary.place())
        page = await stream.read(ReadTo(), ReadTo(), new_log_id(), renew=False)
        with pytest.raises(CommandRefusedError, match="NOREPLICAS"):
            await stream.renew(page.standing, new_log_id(), RenewalCause.UNWRITTEN, copies=True)
        follow(replica, primary)
        monkeypatch.setattr(redis_stream, "COPY_WITHIN", PATIENCE)
        monkeypatch.setattr(redis_stream, "READ_WITHIN", 2 * PATIENCE)
        candidate = new_log_id()
        assert await stream.renew(page.standing, candidate, RenewalCause.UNWRITTEN, copies=True) == "renewed"
        assert replica.ask("HGET", "{gateway}:meta", "id") == candidate.encode()
        await stream.link.close()


async def test_the_bell_rings_for_what_is_new(stream: Stream, place: RedisPlace) -> None:
    """At once for what is there, later for what comes, and not at all for what was read."""
    known = await joined(stream)
    bell = Bell(place)
    assert await bell.rings(known.position, within=0.05) is None
    page = await appended(stream, known, going(new(ALICE)), going(new(ALICE)))

    assert await bell.rings(known.position, within=PATIENCE) == known.position + 1
    assert await bell.rings(page.standing.position, within=0.05) is None
    await bell.link.close()


def test_positions_of_entries_are_part_of_them() -> None:
    """Two entries of the same words at two positions are two."""
    entry = Entry(ALICE, 9, "test", position=1)
    assert entry != replace(entry, position=2)
