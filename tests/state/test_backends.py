"""Where `state` says decides what is shared, and what is imported for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gateway.state.backends import backends_at
from gateway.state.redis.log import RedisLog
from gateway.state.redis.place import RedisPlace
from gateway.state.redis.refreshes import RedisRefreshes
from gateway.state.redis.sign_ins import RedisSignIns
from gateway.state.redis.token_revocations import RedisTokenRevocations
from gateway.state.sqlite.log import SqliteLog
from gateway.state.sqlite.refreshes import SqliteRefreshes
from gateway.state.sqlite.sign_ins import SqliteSignIns
from gateway.state.sqlite.token_revocations import SqliteTokenRevocations

REDIS = RedisPlace((("192.0.2.1", 6379),))


def test_a_file_is_for_one_host(tmp_path: Path) -> None:
    """All of it in SQLite; nothing is opened yet."""
    found = backends_at(tmp_path / "state.db", spool=None, room=70_000, state_loss_accepted=True)

    assert (type(found.log), type(found.refreshes), type(found.sign_ins), type(found.token_revocations)) == (
        SqliteLog,
        SqliteRefreshes,
        SqliteSignIns,
        SqliteTokenRevocations,
    )
    assert found.log.state_loss_accepted  # type: ignore[attr-defined]  # of this kind of log
    assert found.log._spool._spool.size == 70_000  # type: ignore[attr-defined]  # of this kind of log
    assert list(tmp_path.iterdir()) == []


def test_a_redis_is_for_many(tmp_path: Path) -> None:
    """All of it in Redis; nothing is connected yet."""
    found = backends_at(REDIS, spool=tmp_path, room=70_000, state_loss_accepted=True)

    assert (type(found.log), type(found.refreshes), type(found.sign_ins), type(found.token_revocations)) == (
        RedisLog,
        RedisRefreshes,
        RedisSignIns,
        RedisTokenRevocations,
    )
    assert found.log.state_loss_accepted  # type: ignore[attr-defined]  # of this kind of log
    assert found.log._spool._spool.size == 70_000  # type: ignore[attr-defined]  # of this kind of log


def test_nobody_pays_for_a_redis_that_is_not_configured() -> None:
    """redis-py is imported where there is one."""
    code = (
        "import sys; from pathlib import Path; from gateway.state.backends import backends_at;"
        "backends_at(Path('/tmp/state.db'), spool=None, state_loss_accepted=False);"
        "print('redis' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
