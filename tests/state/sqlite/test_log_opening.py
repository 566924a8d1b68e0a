"""How the SQLite log is opened: a damaged file, many processes at once, an accepted loss."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.state.sqlite.log import SqliteLog
from tests.state.sqlite.test_log import opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


async def test_a_damaged_file_is_a_finding_with_its_fix(path: Path) -> None:
    """A file that is no database, or a broken one, is not silently replaced."""
    path.write_bytes(b"this is no database at all, not even nearly" * 100)
    with pytest.raises(ConfigurationError) as caught:
        await opened(path)

    assert caught.value.code == "state_corrupt"
    assert str(path) in caught.value.detail
    assert "move it" in caught.value.fix
    assert path.read_bytes().startswith(b"this is no database")


async def test_many_processes_may_make_the_log_at_once(path: Path) -> None:
    """Workers start together on a file that does not exist."""
    logs = [SqliteLog(path) for _ in range(6)]
    await asyncio.gather(*(one.open() for one in logs))

    assert len({one.log_id for one in logs}) == 1
    await asyncio.gather(*(one.close() for one in logs))


async def test_an_accepted_loss_is_said_loudly(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At the start and in health, for as long as it is configured."""
    log = await opened(path, state_loss_accepted=True)

    assert "state_loss_accepted" in capsys.readouterr().out
    assert "loss of the log is accepted" in log.health()
    await log.close()


def test_an_unopened_log_touches_nothing(path: Path) -> None:
    """Nothing is opened before the fork."""
    SqliteLog(path)

    assert list(path.parent.iterdir()) == []
