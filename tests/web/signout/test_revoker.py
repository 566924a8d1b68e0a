"""Whatever ends sessions does it in one order: denied here, cut off here, durable, told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from gateway.core import clock
from gateway.core.session.revocation_keys import sid_key, subject_key, token_key
from gateway.core.signout.revocation import NewEntry
from gateway.proxy.live import Endings, LiveConnections
from gateway.state.sqlite.log import SqliteLog
from gateway.web.signout.revoker import Revoker
from tests.fakes.signed_in import signed_in

ALICE = subject_key("https://idp", "alice")


def new(key: str, reason: str = "for a reason") -> NewEntry:
    return NewEntry(key, clock.now() + 60, reason)


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    made = SqliteLog(tmp_path / "state.db")
    await made.open()
    yield made
    await made.close()


async def test_the_order_is_the_promise(log: SqliteLog) -> None:
    """Connections end when it denies already, before the log has answered; then it is told, with what the log says."""
    seen: list[object] = []

    def end_live(entries: Sequence[NewEntry]) -> int:
        seen.append(("live", log.index.ended_by(signed_in("s")) is not None, log.pending))
        return len(entries)

    done = await Revoker(log, end_live).end(
        [new(sid_key("s")), new(ALICE)], lambda entry, durable: seen.append((entry.key, durable))
    )
    assert seen == [("live", True, 2), (sid_key("s"), True), (ALICE, True)]
    assert (done.durable, done.position, done.closed) == (True, log.index.position, 2)


async def test_what_is_only_remembered_is_not_told(log: SqliteLog) -> None:
    """That a token was taken ends nobody."""
    told: list[str] = []
    taken = token_key("https://idp", "token")
    await Revoker(log).end([new(ALICE), new(taken)], lambda entry, _: told.append(entry.key))
    assert told == [ALICE]
    assert log.index.taken(taken, clock.now()) is not None


async def test_each_connection_hears_the_reason_of_its_own_session(log: SqliteLog) -> None:
    """Where an entry names one session; where it may name several, that it is over."""
    live = LiveConnections()
    endings = Endings(live, lambda _: None)
    log.index.on_key = endings.hear
    heard: dict[str, str] = {}
    for sid in ("a", "b"):
        live.add(sid, lambda reason, sid=sid: heard.update({sid: reason}))  # type: ignore[misc]  # mypy cannot infer it
    done = await Revoker(log, endings.end).end([new(sid_key("a"), "elsewhere")], lambda *_: None)
    assert heard == {"a": "elsewhere"}
    assert (done.closed, len(live)) == (1, 1)


async def test_a_log_that_does_not_answer_keeps_nobody_connected(log: SqliteLog) -> None:
    """The disk may hang; who was signed out is cut off all the same."""
    live, answers = LiveConnections(), asyncio.Event()
    ended: list[str] = []
    live.add("s", ended.append)

    class Slow:
        def append(self, entries: Sequence[NewEntry]) -> object:
            async def later() -> object:
                await answers.wait()
                return await log.append(entries)

            return later()

    slow: object = Slow()
    ending = asyncio.ensure_future(
        Revoker(slow, Endings(live, lambda _: None).end).end([new(sid_key("s"), "logout")], lambda *_: None)  # type: ignore[arg-type]  # no more is asked
    )
    await asyncio.sleep(0)
    assert ended == ["logout"]
    answers.set()
    assert (await ending).durable
