"""Whether a process knows all that it should: what it could not read, and whether the state file takes entries, which is
found out by writing, also by a process that has nothing to write.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.core import clock
from gateway.core.session.revocation_keys import sid_key
from gateway.state.sqlite import files
from gateway.state.sqlite.log import SqliteLog
from tests.fakes.patience import NEVER, PATIENCE
from tests.state.log_contract import ended, new, within
from tests.state.sqlite.test_log import locked, opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def is_read(log: SqliteLog) -> bool:
    """Whether it was read later than the last entry was taken."""
    return log._age.of_reading(time.monotonic()) < log.age()


async def test_r05_a_file_that_takes_nothing_grows_old_in_every_process(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be read, and nobody can say that somebody signed out: also who has nothing to say finds that out, and whoever
    was started meanwhile knows since when.
    """
    monkeypatch.setattr(files, "PULSE_EVERY", 0.0)
    log = await opened(path, beat=0.1, deadline=0.1)
    assert await within(PATIENCE, lambda: log._files._pulse > 0)
    with locked(path):
        assert await within(
            PATIENCE, lambda: log.age() > 1 and is_read(log) and "takes nothing" in log.health()
        )
        assert "holds a lock" in log.health()
        known = await log._on_files(lambda: log._files.look(log._known()))
        assert known.refusal
        pulse = known.pulse / 1000
        assert await within(PATIENCE, lambda: abs((clock.precise() - pulse) - log.age()) < 1)
    assert await within(PATIENCE, lambda: log.age() < 1 and log.health().startswith("ok"))
    await log.close()


async def test_one_process_of_a_host_shows_for_all_that_the_file_takes_entries(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They write no more often together than one of them alone."""
    monkeypatch.setattr(files, "PULSE_EVERY", 60.0)
    one, other = await opened(path, beat=NEVER), await opened(path, beat=NEVER)
    seen = []
    for log in (one, other, one, other):
        monkeypatch.setattr(log._files, "_pulse_at", -1e9)
        await log._look()
        seen.append(await log._on_files(log._files.table.pulse))

    assert seen[0] == seen[1] == 0
    assert 0 < seen[2] == seen[3]
    await one.close()
    await other.close()


async def test_r04_what_is_known_to_be_missing_lets_nobody_in(path: Path) -> None:
    """A process whose own disk job takes its time knows by the counter that somebody was signed out; until it has read
    whom, it serves nobody.
    """
    log, other = await opened(path, deadline=PATIENCE), await opened(path, beat=NEVER, deadline=0.25)
    answers = threading.Event()
    hanging = other._on_files(answers.wait)
    try:
        assert (await log.append([new(sid_key("s"))])).durable
        assert other.moved()
        with capture_logs() as lines:
            await other.catch_up()
        assert [line["event"] for line in lines] == ["state_log_incomplete"]
        assert ended(other, "s") is None
        assert other.age() == float("inf")
        assert other.health().startswith("nobody is let in")
    finally:
        answers.set()
        await hanging
    assert await within(PATIENCE, lambda: ended(other, "s") is not None)
    assert other.age() < float("inf")
    await other.close()
    await log.close()
