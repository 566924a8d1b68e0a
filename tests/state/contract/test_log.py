"""The log kept in SQLite meets the contract of a revocation log."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from gateway.core.session.revocation_keys import sid_key
from gateway.state.contract.log import Appended, RevocationLog
from gateway.state.sqlite.log import SqliteLog
from tests.fakes.patience import NEVER, PATIENCE
from tests.state.log_contract import ALICE, LogContract, Make, ended, new


class TestSqliteLog(LogContract):
    """See `tests/state/log_contract.py`."""

    @pytest.fixture
    def make(self, tmp_path: Path) -> Make:
        def another() -> RevocationLog:
            # The deadline of the contract is another test's; here a busy machine must not make one fail.
            return SqliteLog(tmp_path / "state.db", deadline=PATIENCE, beat=0.2)

        return another

    async def trim(self, log: RevocationLog, now: int) -> None:
        assert isinstance(log, SqliteLog)
        await log._on_files(partial(log._files.table.trim, now, limit=10))  # unless it has by itself

    async def test_r04_another_process_sees_at_once_that_the_log_moved(
        self, one: RevocationLog, tmp_path: Path
    ) -> None:
        """On one host nothing has to travel: when append answers, `moved` is true in every process."""
        other = SqliteLog(
            tmp_path / "state.db", deadline=PATIENCE, beat=NEVER
        )  # reads only when it is asked to
        await other.open()
        try:
            await one.append([new(sid_key("s")), new(ALICE)])

            assert other.moved()
            assert ended(other, "s") is None
            await other.catch_up()
            assert not other.moved()
        finally:
            await other.close()


def test_an_answer_says_whether_and_where() -> None:
    """Two answers of the same content are the same."""
    assert Appended(durable=True, position=3) == Appended(durable=True, position=3)
    assert Appended(durable=True, position=3) != Appended(durable=False, position=3)
