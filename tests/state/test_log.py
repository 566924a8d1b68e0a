"""The log kept in SQLite meets the contract of a revocation log."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.state.log import Appended, RevocationLog
from gateway.state.sqlite import SqliteLog
from tests.state.log_contract import LogContract, Make


class TestSqliteLog(LogContract):
    """See `tests/state/log_contract.py`."""

    @pytest.fixture
    def make(self, tmp_path: Path) -> Make:
        def another() -> RevocationLog:
            # The deadline of the contract is another test's; here a busy machine must not make one fail.
            return SqliteLog(tmp_path / "state.db", deadline=5.0, beat=0.2)

        return another


def test_an_answer_says_whether_and_where() -> None:
    """Two answers of the same content are the same."""
    assert Appended(durable=True, position=3) == Appended(durable=True, position=3)
    assert Appended(durable=True, position=3) != Appended(durable=False, position=3)
