"""The SQLite log when things go wrong: other processes, crashes, locked, full, removed and damaged files."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import stat
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.core import clock
from gateway.core.session.revocation_keys import sid_key, subject_key
from gateway.state.sqlite import files
from gateway.state.sqlite.files import IndexPosition, LogFiles
from gateway.state.sqlite.log import SqliteLog
from tests.fakes.patience import NEVER, PATIENCE
from tests.fakes.signed_in import signed_in
from tests.state.log_contract import ALICE, called, ended, new, within
from tests.state.process import Peer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
async def log(path: Path) -> AsyncIterator[SqliteLog]:
    """A log with so much patience that a busy machine makes no test fail."""
    one = await opened(path, beat=0.1, deadline=PATIENCE)
    yield one
    await one.close()


@pytest.fixture
async def prompt(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteLog]:
    """A log with the deadline of production, for what happens when it is over; it does not try by itself whether the
    file takes entries.
    """
    monkeypatch.setattr(files, "PULSE_EVERY", math.inf)
    one = await opened(path, beat=0.1, deadline=0.25)
    yield one
    await one.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the write lock of the file."""
    db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        db.execute("ROLLBACK")
        db.close()


async def opened(path: Path, **options: float | bool) -> SqliteLog:
    one = SqliteLog(path, **options)  # type: ignore[arg-type]  # its own options
    await one.open()
    return one


async def test_r04_two_processes_see_each_others_entries_at_once(path: Path) -> None:
    """Once append has answered in one, the other's next decision knows; there is no interval to wait for."""
    first, second = Peer(path), Peer(path)
    try:
        for number in range(10):
            assert first.ask(f"append a{number}") == "durable"
            assert second.ask("moved now") == "True"
            assert second.ask(f"ended a{number}") == "True"
            assert second.ask("moved now") == "False"
            assert second.ask(f"append b{number}") == "durable"
            assert first.ask(f"ended b{number}") == "True"
    finally:
        first.end()
        second.end()


async def test_g03_a_killed_process_loses_no_acknowledged_entry(path: Path) -> None:
    """SIGKILL at any moment of an append: every key it had acknowledged is there afterwards."""
    acknowledged: list[str] = []
    for round_ in range(4):
        peer = Peer(path)
        peer.tell(f"flood {round_}-")
        lines = [peer.line() for _ in range(5)]
        time.sleep(0.01 * round_)
        acknowledged += lines + [line for line in peer.kill() if line]
    log = await opened(path, deadline=PATIENCE)
    try:
        assert len(acknowledged) >= 20
        assert [key for key in acknowledged if ended(log, key) is None] == []
        assert (await log.append([new(sid_key("after"))])).durable
    finally:
        await log.close()


async def test_r04_a_read_under_way_does_not_stand_for_a_later_one(path: Path, log: SqliteLog) -> None:
    """Who joins a read that began before the entry was committed gets another one."""
    reading = log._start_reading()
    assert log._file_thread is not None
    log._file_thread.submit(int).result(
        PATIENCE
    )  # the loop is busy: the read is over, and nobody has been told yet
    elsewhere = LogFiles(path, patience=PATIENCE)
    elsewhere.start()
    elsewhere.write([new(sid_key("s"))], IndexPosition(log.log_id, log.index.position))
    elsewhere.close()
    assert log.moved()
    assert not reading.done()
    await log.catch_up()

    assert ended(log, "s") is not None


async def test_a_killed_process_leaves_a_counter_that_others_follow(path: Path, log: SqliteLog) -> None:
    """A writer's death neither silences nor rewinds the counter."""
    peer = Peer(path)
    peer.tell("flood x")
    peer.line()
    peer.kill()
    await log.catch_up()
    before = log.index.position
    again = Peer(path)
    try:
        assert again.ask("append late") == "durable"
        assert log.moved()
        await log.catch_up()
        assert log.index.position > before
    finally:
        again.end()


async def test_r04_a_write_that_fails_still_denies_here(path: Path, prompt: SqliteLog) -> None:
    """While it is locked, so within the deadline: not durable, dead here, said in health; durable and everywhere once the lock is gone."""
    other = await opened(path, beat=NEVER)  # else it would wait for the lock, and whoever asks it for that
    with locked(path):
        answer = await prompt.append([new(sid_key("s")), new(ALICE)])

        assert not answer.durable
        assert ended(prompt, "s") is not None
        assert ended(prompt, "x") is not None
        assert prompt.pending == 2
        assert "2 entries deny" in prompt.health()
        await other.catch_up()
        assert ended(other, "s") is not None

    assert await within(PATIENCE, lambda: prompt.pending == 0 and prompt.health().startswith("ok"))
    assert ended(other, "s") is not None
    await other.close()


async def test_r06_a_late_entry_keeps_its_order(path: Path, prompt: SqliteLog) -> None:
    """Sent late it gets a late position, and still spares who signed in well after it was made."""
    with locked(path):
        now = clock.now()
        await prompt.append([new(ALICE)])
        assert await within(PATIENCE, lambda: bool(prompt._outbox.unsent()))
    assert await within(PATIENCE, lambda: prompt.pending == 0)
    ask = prompt.index.ended_by

    assert ask(signed_in("x", (ALICE,), login_at=now)) is not None
    assert ask(signed_in("x", (ALICE,), login_at=now + 120)) is None


async def test_what_could_not_be_sent_survives_a_crash(path: Path) -> None:
    """The spool beside the log keeps it; the next process to open the log sends it."""
    log = await opened(path, beat=NEVER, deadline=0.25)
    with locked(path):
        assert not (await log.append([new(sid_key("s"))])).durable
        assert await within(PATIENCE, log._files.spool.filled)
        # The crash: nothing of this process runs any more.
        log._outbox = type(log._outbox)(log.index)
        await log.close()
    again = await opened(path, beat=0.1)
    try:
        assert await within(PATIENCE, lambda: ended(again, "s") is not None)
        assert await within(PATIENCE, lambda: not again._files.spool.filled())
    finally:
        await again.close()


async def test_a_disk_that_does_not_answer_does_not_stop_a_logout(prompt: SqliteLog) -> None:
    """The answer comes before the disk's; the write that comes back late makes it durable."""
    answers = threading.Event()
    hanging = prompt._on_files(answers.wait)
    first, second = await asyncio.gather(
        prompt.append([new(sid_key("a"))]), prompt.append([new(sid_key("b"))])
    )
    assert await within(PATIENCE, lambda: not prompt._spool._spoolings)  # else that is news to it
    await prompt.catch_up()

    assert not first.durable
    assert not second.durable
    assert "the disk does not answer" in prompt.health()
    answers.set()
    await hanging
    assert await within(PATIENCE, lambda: prompt.pending == 0)
    assert ended(prompt, "a") is not None
    assert await within(PATIENCE, lambda: not prompt._outbox.committed())
    assert len(prompt.index) == 2
    assert {entry.event_time is None for entry in (await prompt._on_files(prompt._files.load)).entries} == {
        False
    }


async def test_a_full_disk_is_named_and_fixed(path: Path, log: SqliteLog) -> None:
    """SQLITE_FULL: not durable, spooled in the room made beforehand, sent when there is space."""

    def limit(pages: int) -> None:
        log._files.table._connection().execute(f"PRAGMA max_page_count = {pages}")

    await log._on_files(lambda: limit(1))
    answers = [await log.append([new(sid_key(f"{n}" * 900))]) for n in range(9)]

    assert not answers[-1].durable
    assert "free space on the disk" in log.health()
    assert ended(log, "8" * 900) is not None
    assert log._files.spool.filled()
    await log._on_files(lambda: limit(100_000))
    assert await within(PATIENCE, lambda: log.pending == 0)
    assert len(log.index) == 9


async def test_an_entry_in_a_removed_file_is_not_durable_but_sent_again(path: Path, log: SqliteLog) -> None:
    """A log whose file was removed under it becomes a new log with a new id, which has the entry."""
    before = log.log_id
    path.unlink()
    await log.append([new(sid_key("s"))])

    assert await within(PATIENCE, lambda: log.log_id != before and log.pending == 0)
    assert ended(log, "s") is not None
    again = await opened(path, deadline=PATIENCE)
    assert again.log_id == log.log_id
    assert ended(again, "s") is not None
    await again.close()


async def test_r04_a_lost_file_is_another_log(path: Path, log: SqliteLog) -> None:
    """A new file has a new id and later positions than any session of the lost one has seen."""
    answer = await log.append([new(ALICE)])
    await log.close()
    for file in path.parent.glob("state.db*"):
        file.unlink()
    again = await opened(path, deadline=PATIENCE)
    try:
        assert again.log_id != log.log_id
        assert again.index.position > answer.position
    finally:
        await again.close()


async def test_r04_an_older_copy_of_the_file_is_another_log(path: Path, log: SqliteLog) -> None:
    """A restored backup has lost entries that were acknowledged: the counter remembers, the sessions die."""
    await log.append([new(sid_key("a"))])
    await log.close()
    backup = path.read_bytes()
    log = await opened(path, deadline=PATIENCE)
    await log.append([new(sid_key("b"))])
    await log.close()
    path.write_bytes(backup)
    again = await opened(path, deadline=PATIENCE)
    third = await opened(path)
    try:
        assert again.log_id != log.log_id
        assert again.index.position >= log.index.position
        assert third.log_id == again.log_id
    finally:
        await again.close()
        await third.close()


async def test_a_missing_counter_is_made_anew_while_the_log_runs(path: Path, log: SqliteLog) -> None:
    """Processes that had the old one find the new one."""
    path.with_name("state.db.seq").unlink()
    other = await opened(path, beat=NEVER, deadline=PATIENCE)
    try:
        assert await within(PATIENCE, lambda: not log._files.counter.replaced())
        await other.append([new(sid_key("s"))])
        assert await within(PATIENCE, lambda: log.moved() or ended(log, "s") is not None)  # by its beat
    finally:
        await other.close()


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64, b"x" * 5000])
async def test_a_damaged_counter_is_rebuilt(path: Path, log: SqliteLog, content: bytes) -> None:
    """Short or foreign content is replaced by the table's own position; nobody is signed out for it."""
    answer = await log.append([new(sid_key("s"))])
    await log.close()
    path.with_name("state.db.seq").write_bytes(content)
    again = await opened(path, deadline=PATIENCE)
    try:
        assert again.log_id == log.log_id
        assert again._files.counter.value() == answer.position
        assert not again.moved()
    finally:
        await again.close()


async def test_trimming_keeps_memory_and_file_small(path: Path) -> None:
    """Dead entries leave the table and the index, and positions are not given again."""
    log = await opened(path, beat=0.05, deadline=PATIENCE)
    try:
        answer = await log.append([new(sid_key(f"s{n}"), lives=-5) for n in range(20)])
        log._trimmed_at = float("-inf")
        assert await within(PATIENCE, lambda: len(log.index) == 0)
        assert await within(PATIENCE, lambda: _rows(path) == 0)
        assert (await log.append([new(sid_key("s"))])).position > answer.position
    finally:
        await log.close()


async def test_a_reader_behind_the_trim_is_in_step(path: Path, log: SqliteLog) -> None:
    """When everything it missed was dead and is gone, it is still at the last position."""
    other = await opened(path, beat=NEVER, deadline=PATIENCE)
    await log.append([new(sid_key("s"), lives=-5)])
    await log._on_files(lambda: log._files.table.trim(clock.now(), limit=10))
    assert other.moved()
    await other.catch_up()

    assert not other.moved()
    await other.close()


async def test_the_files_are_for_their_owner_only(path: Path, log: SqliteLog) -> None:
    """Names of people are in them."""
    await log.append([new(subject_key("https://i", "alice"))])
    files = sorted(file.name for file in path.parent.iterdir())

    assert files == ["state.db", "state.db-shm", "state.db-wal", "state.db.seq", "state.db.spool"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


async def test_r05_an_unreadable_log_grows_old(path: Path, log: SqliteLog) -> None:
    """When the file cannot be read the age grows and health says why; nothing raises."""

    def replace() -> None:
        path.unlink()
        path.mkdir()

    await log._on_files(replace)  # which else would make the file anew in between
    assert await within(PATIENCE, lambda: log.health().startswith("out of step"))
    aged = log.age()
    await log.catch_up()

    assert await within(PATIENCE, lambda: log.age() > aged)
    assert not (await log.append([new(sid_key("s"))])).durable
    assert ended(log, "s") is not None
    path.rmdir()
    assert await within(PATIENCE, lambda: log.health().startswith("ok"))


async def test_asking_whether_the_log_moved_is_cheap(log: SqliteLog) -> None:
    """It is on the way of every request: no system call, and next to no work."""
    assert called(log.moved) == ["SqliteLog.moved", "Counter.value", "Board.stamp", "memoryview.tobytes"]


def _rows(path: Path) -> int:
    db = sqlite3.connect(path, timeout=PATIENCE)
    try:
        return int(db.execute("SELECT count(*) FROM entries").fetchone()[0])
    finally:
        db.close()
