"""The common part of every way in: entries, replays, durability, bodies."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.core import clock
from gateway.core.errors import DownstreamError
from gateway.core.session.revocation_keys import email_key, subject_key, token_key
from gateway.core.signout.revocation import NewEntry
from gateway.state.sqlite.log import SqliteLog
from gateway.telemetry.audit import AuditEvent, AuditTrail
from gateway.telemetry.metrics import Metrics
from gateway.web.body import Body
from gateway.web.signout import inbound
from gateway.web.signout.inbound import Ended, Inbound, answer, complete_body, only_header, try_again
from gateway.web.signout.revoker import Revoker
from gateway.web.signout.session_events import SessionEvents
from tests.fakes.patience import PATIENCE

ISSUER = "https://idp.example"
ALICE = subject_key(ISSUER, "alice")
TOKEN = token_key(ISSUER, "one")
STALLS = {"test_r05_what_the_log_does_not_have_is_not_done"}
"""Its disk does not answer."""


@dataclass
class House:
    """One process: its log, its way in, what it has told."""

    log: SqliteLog
    inbound: Inbound
    audit: list[AuditEvent]
    metrics: Metrics
    swept: list[int]

    async def end(self, *keys: str, token: str | None = TOKEN, at: int | None = None) -> Ended:
        return await self.inbound.end(
            keys or (ALICE,),
            reason="backchannel",
            event_time=at,
            token_id=token,
            source=ISSUER,
            now=clock.now(),
            client="192.0.2.9",
            token_until=clock.now() + 60,
        )


async def house(path: Path) -> House:
    log = SqliteLog(path)
    await log.open()
    audit: list[AuditEvent] = []
    metrics, swept = Metrics(), list[int]()

    def sweep(_: Sequence[NewEntry]) -> int:
        swept.append(len(log.index))
        return 0

    events = SessionEvents(AuditTrail(audit.append), metrics)
    return House(
        log,
        Inbound(log=log, revoker=Revoker(log, sweep), events=events, lifetime=3_660),
        audit,
        metrics,
        swept,
    )


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[House]:
    made = await house(tmp_path / "state.db")
    yield made
    await made.log.close()


@pytest.fixture
async def other(one: House, tmp_path: Path) -> AsyncIterator[House]:
    """A second process on the same log."""
    made = await house(tmp_path / "state.db")
    yield made
    await made.log.close()


async def test_each_key_is_an_entry_that_outlasts_every_session(one: House) -> None:
    """Once, however often it is named; live connections are ended while the disk is still written."""
    assert await one.end(ALICE, email_key("a@b.example"), ALICE) == Ended(durable=True)
    entries = one.log.index.live(clock.now())
    assert {entry.key for entry in entries} == {ALICE, email_key("a@b.example")}
    assert all(entry.expires - clock.now() > 3_600 and entry.reason == "backchannel" for entry in entries)
    assert one.swept == [3]


async def test_r06_events_are_dated_at_their_receipt_at_the_latest(one: House) -> None:
    """A sender whose clock is ahead ends nobody who signs in later."""
    await one.end(at=clock.now() + 10_000)
    (entry,) = one.log.index.live(clock.now())
    assert entry.event_time is not None
    assert entry.event_time <= clock.now()


async def test_a_token_counts_once_in_every_process(one: House, other: House) -> None:
    """What was done is done again by nobody: no entry, no sweep, no line."""
    await one.end()
    position = one.log.index.position
    assert await one.end() == Ended(durable=True, replayed=True)
    assert await other.end() == Ended(durable=True, replayed=True)
    assert (one.log.index.position, other.log.index.position) == (position, position)
    assert (len(one.audit), len(other.audit), len(one.swept)) == (1, 0, 1)
    assert not (await other.end(token=token_key(ISSUER, "two"))).replayed


async def test_a_token_counts_once_after_a_restart(one: House, tmp_path: Path) -> None:
    """What remembers it is the log."""
    await one.end()
    late = await house(tmp_path / "state.db")
    assert (await late.end()).replayed
    await late.log.close()


async def test_a_token_that_comes_again_while_it_is_written_waits_for_the_log(one: House) -> None:
    """A sender may be impatient; it is told the truth both times, and the second changes nothing."""
    first = asyncio.ensure_future(one.end())
    while not len(one.log.index):
        await asyncio.sleep(0)
    assert await one.end() == Ended(durable=True, replayed=True)
    assert await first == Ended(durable=True)


async def test_a_token_that_comes_twice_at_the_same_time_counts_once(one: House) -> None:
    """Over two connections, in one turn of the event loop."""
    position = one.log.index.position
    answers = await asyncio.gather(one.end(), one.end())
    assert sorted(each.replayed for each in answers) == [False, True]
    assert one.log.index.position == position + 2  # the user, and the token
    assert len(one.audit) == 1


async def test_r05_what_the_log_does_not_have_is_not_done(one: House, tmp_path: Path) -> None:
    """It denies here at once; the sender comes again, and hears of success when it is true."""
    lock = sqlite3.connect(tmp_path / "state.db", timeout=PATIENCE, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    first = await one.end()
    again = await one.end()
    assert (first.durable, first.result, again.durable) == (False, inbound.NOT_DURABLE, False)
    assert [entry.key for entry in one.log.index.live(clock.now())] == [ALICE]
    lock.execute("ROLLBACK")
    lock.close()
    one.log._deadline = PATIENCE  # from now on it is only as slow as the machine
    async with asyncio.timeout(PATIENCE):
        while one.log.pending:
            await asyncio.sleep(0.02)
    assert await one.end() == Ended(durable=True, replayed=True)


async def test_the_trail_names_who_asked_and_never_the_token(one: House) -> None:
    """For whoever wants to know why they were signed out; counted by reason and by way."""
    await one.end()
    (event,) = one.audit
    assert (event.revocation, event.reason, event.client) == (ALICE, "backchannel", "192.0.2.9")
    assert event.source == ISSUER
    assert "one" not in {event.revocation, event.source}
    one.inbound.count("backchannel", "ended")
    told = one.metrics.exposition().decode()
    assert 'gateway_revocations_total{durable="yes",reason="backchannel"} 1.0' in told
    assert 'gateway_inbound_total{result="ended",way="backchannel"} 1.0' in told


async def test_nothing_to_end_is_done(one: House) -> None:
    """With a token, that is remembered; without, there is nothing to write."""
    done = await one.inbound.end((), reason="x", event_time=None, token_id=None, source="s", now=clock.now())
    assert done == Ended(durable=True)
    assert (len(one.log.index), one.swept) == (0, [])


class Reader:
    """A client that sends no more."""

    def hold(self) -> None: ...
    def go_on(self) -> None: ...
    def interim(self, data: bytes) -> None: ...


class Asking:
    """As much of a request as is looked at here."""

    def __init__(self, body: Body | None = None, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self.body = body
        self.headers = headers


async def read(body: Body | None, most: int = inbound.MAX_BODY) -> bytes:
    return await complete_body(Asking(body), most)  # type: ignore[arg-type]  # nothing else of a request is looked at


async def test_bodies_are_read_whole_up_to_a_bound() -> None:
    """One byte more is refused, before the rest of it has come."""
    assert await read(None) == b""
    body = Body(Reader(), inbound.MAX_BODY, expected=False)
    body.feed(b"a" * inbound.MAX_BODY)
    assert len(await read(body)) == inbound.MAX_BODY
    body = Body(Reader(), 1 << 30, expected=False)
    body.feed(b"a" * (inbound.MAX_BODY + 1))
    with pytest.raises(DownstreamError, match="too_large"):
        await read(body)
    body = Body(Reader(), 11, expected=False)
    body.feed(b"a" * 11)
    with pytest.raises(DownstreamError, match="too_large: limit"):
        await read(body, most=10)


async def test_bodies_that_drip_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever time a client would like to take."""
    monkeypatch.setattr(inbound, "BODY_WITHIN", 0.02)
    body = Body(Reader(), 10, expected=False)
    body.feed(b"a")
    with pytest.raises(DownstreamError, match="too_slow"):
        await read(body)


def test_answers_are_for_programs_and_never_stored() -> None:
    """Empty, or an object; trouble names when to come again."""
    done, again = answer(200), try_again({"error": "temporarily_unavailable"})
    assert (done.body, done.headers["Cache-Control"]) == (b"", "no-store")
    assert (again.status, again.headers["Retry-After"]) == (503, "5")
    assert again.body == b'{"error": "temporarily_unavailable"}'


def test_a_header_that_comes_twice_is_none() -> None:
    """Two readers could take two different ones for the secret."""
    once, twice = ((b"Authorization", b"a\xe9"),), ((b"authorization", b"a"), (b"Authorization", b"a"))
    found = [
        only_header(Asking(headers=headers), b"authorization")  # type: ignore[arg-type]  # as above
        for headers in ((), once, twice)
    ]
    assert found == [None, "a\xe9", None]
