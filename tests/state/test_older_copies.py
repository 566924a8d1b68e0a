"""State files that went back, and processes that merely lag: the one is proven and answered for, the other never is."""

from __future__ import annotations

import asyncio
import math
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from threading import Event
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core import clock
from gateway.core.session.revocation_keys import sid_key
from gateway.core.signout.log_extent import lacks
from gateway.core.signout.revocation import NewEntry
from gateway.state.contract.renewal import RenewalCause
from gateway.state.sqlite.files import IndexPosition, LogFiles
from gateway.state.sqlite.log import SqliteLog
from tests.fakes.patience import NEVER, PATIENCE
from tests.state.log_contract import ended, new, within
from tests.state.sqlite.test_files import locked

ENTRY = NewEntry("sid:s", 100, "logout")


class Lagging:
    """Processes over one state file of which each has read up to somewhere, and sessions that were sealed anywhere."""

    def __init__(self, path: Path, opened: ExitStack, processes: int = 3) -> None:
        self.files = [LogFiles(path, patience=PATIENCE) for _ in range(processes)]
        for one in self.files:
            one.start()
            opened.callback(one.close)
        tail = self.files[0].load()
        self.log_id = tail.log_id
        self.known = [IndexPosition(tail.log_id, tail.position)] * processes
        self.sealed = [tail.position]

    def commit(self, where: int, _: int) -> None:
        """And be killed before anybody is told."""
        self.files[where].table.append([ENTRY])

    def write(self, where: int, _: int) -> None:
        self.see(where, self.files[where].write([ENTRY], self.known[where]).position)

    def read(self, where: int, _: int) -> None:
        self.see(where, self.files[where].read(self.known[where]).position)

    def look(self, where: int, _: int) -> None:
        looked = self.files[where].look(self.known[where])
        assert looked.seen.older is None
        self.see(where, looked.seen.tail.position)

    def prove(self, where: int, which: int) -> None:
        sealed = self.sealed[which % len(self.sealed)]
        seen = self.files[where].prove(IndexPosition(self.log_id, sealed), self.known[where])
        assert seen.older is None
        assert seen.tail.position >= sealed
        self.see(where, seen.tail.position)

    def restart(self, where: int, _: int) -> None:
        self.files[where].close()
        self.files[where].start()
        self.known[where] = IndexPosition("", 0)

    def see(self, where: int, position: int) -> None:
        """Somebody signs in with what this process has read."""
        self.known[where] = IndexPosition(self.log_id, position)
        self.sealed.append(position)


STEPS = st.tuples(
    st.sampled_from(["commit", "write", "read", "look", "prove", "prove", "restart"]),
    st.integers(0, 2),
    st.integers(0, 99),
)


@given(st.lists(STEPS, max_size=30))
@settings(max_examples=80)
def test_r04_a_process_that_lags_never_renews(steps: list[tuple[str, int, int]]) -> None:
    """Whatever each has read, whoever was killed in the middle, and wherever a session was sealed."""
    with (
        patch("gateway.state.sqlite.table.STRETCH", 0),  # each start goes on with another position
        tempfile.TemporaryDirectory() as directory,
        ExitStack() as opened_files,
    ):
        world = Lagging(Path(directory) / "state.db", opened_files)
        for name, where, which in steps:
            getattr(world, name)(where, which)
        tail = world.files[0].load()

    assert tail.log_id == world.log_id
    assert tail.renewal is None


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def restore(directory: Path, files: dict[str, bytes]) -> None:
    for file in directory.iterdir():
        file.unlink()
    for name, content in files.items():
        directory.joinpath(name).write_bytes(content)


@asynccontextmanager
async def at(path: Path, *, beat: float = 0.1, deadline: float = PATIENCE) -> AsyncIterator[SqliteLog]:
    """An open log of one host."""
    log = SqliteLog(path, deadline=deadline, beat=beat)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


@pytest.fixture
async def gone_back(tmp_path: Path) -> tuple[Path, str, int]:
    """A state file whose directory was restored from a copy that knows nothing of ten sign-outs: the file, the log's id,
    and the position that somebody sealed who signed in after them.
    """
    path = tmp_path / "state" / "state.db"
    path.parent.mkdir()
    async with at(path) as log:
        await log.append([new(sid_key("before"))])
    copy = contents(path.parent)
    async with at(path) as log:
        assert (await log.append([new(sid_key(f"s{n}")) for n in range(10)])).durable
        log_id, sealed = log.log_id, log.index.position
    restore(path.parent, copy)
    return path, log_id, sealed


def without_witness() -> None:
    """As after a restart of the machine."""
    for file in Path(os.environ["RUNTIME_DIRECTORY"]).glob("*.witness"):
        file.unlink()


async def test_r04_a_restored_directory_is_another_log(gone_back: tuple[Path, str, int]) -> None:
    """The host has seen more of it. What the copy has still counts."""
    path, log_id, sealed = gone_back
    told: list[RenewalCause] = []
    log = SqliteLog(path)
    log.on_renewed = told.append
    await log.open()
    try:
        assert log.log_id != log_id
        assert log.index.position > sealed
        assert ended(log, "before") is not None
        assert told == [RenewalCause.WITNESS]
        assert "this host has seen more of it" in log.health()
    finally:
        await log.close()
    async with at(path) as again:
        assert again.log_id == log.log_id


async def test_r04_a_session_proves_what_the_host_has_forgotten(gone_back: tuple[Path, str, int]) -> None:
    """Nothing tells until somebody comes who signed in after what was lost; then all processes have another log."""
    path, log_id, sealed = gone_back
    without_witness()
    async with at(path) as one, at(path, beat=NEVER) as other:
        assert one.log_id == other.log_id == log_id
        await one.prove(sealed)
        assert one.log_id != log_id
        assert other.moved()
        await other.catch_up()
        assert other.log_id == one.log_id


async def test_r04_a_session_proves_it_however_much_was_written_since(
    gone_back: tuple[Path, str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that is started goes on behind all that it may have lost, so no position is given twice."""
    path, log_id, sealed = gone_back
    without_witness()
    monkeypatch.setattr(clock, "precise", lambda: time.time() + 3_600)
    async with at(path) as log:
        assert log.log_id == log_id
        assert (await log.append([new(sid_key(f"t{n}")) for n in range(20)])).position > sealed
        assert lacks(sealed, log.index.position, log.gaps)
        await log.prove(sealed)
        assert log.log_id != log_id
        assert log.gaps == ()
        assert not log.moved()


async def test_r04_a_copy_that_cannot_be_written_lets_nobody_in(gone_back: tuple[Path, str, int]) -> None:
    """It is known to lack something; when it can be written it gets another id."""
    path, log_id, sealed = gone_back
    without_witness()
    async with at(path, deadline=0.25) as log:
        with locked(path):
            proving = asyncio.ensure_future(log.prove(sealed))
            await proving
            assert log.age() == math.inf
            # The answer, where it was not there in time: until then it only cannot be read.
            assert await within(PATIENCE, lambda: "older copy" in log.health())
            assert (log.age(), log.log_id) == (math.inf, log_id)
        assert await within(PATIENCE, lambda: log.log_id != log_id and log.age() < math.inf)


async def test_r04_an_older_file_in_the_place_of_a_running_one_is_another_log(tmp_path: Path) -> None:
    """A process that runs has read more of it than it has, whatever became of counter and witness."""
    path = tmp_path / "state" / "state.db"
    path.parent.mkdir()
    async with at(path) as log:
        await log.append([new(sid_key("before"))])
    copy = contents(path.parent)
    async with at(path) as log:
        await log.append([new(sid_key("lost"))])
        before = log.log_id

        def go_back() -> None:
            restore(path.parent, copy)
            without_witness()

        await log._on_files(go_back)  # which else would make the file anew in between

        assert await within(PATIENCE, lambda: log.log_id != before)
        assert ended(log, "lost") is not None
    async with at(path) as again:
        assert again.log_id == log.log_id


async def test_r05_more_than_can_be_read_lets_nobody_in(tmp_path: Path) -> None:
    """The disk hangs, and somebody has seen more than was read: something is missing, old copy or not. Until it is read."""
    path = tmp_path / "state.db"
    async with at(path) as other, AsyncExitStack() as opened_logs:
        log = SqliteLog(path, deadline=0.25, beat=0.1)
        await log.open()
        opened_logs.push_async_callback(log.close)
        answers = Event()
        hanging = log._on_files(answers.wait)
        sealed = (await other.append([new(sid_key("s"))])).position
        await log.prove(sealed)
        assert log.age() == math.inf
        answers.set()
        await hanging

        assert await within(PATIENCE, lambda: log.age() < math.inf)
        assert ended(log, "s") is not None
        assert log.log_id == other.log_id
