"""Trouble with the state file in words: a cause and a fix for each. Real files are broken in test_table.py."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gateway.state.sqlite.faults import fix_for, primary, unusable


def test_the_fix_follows_the_result_code() -> None:
    """Extended result codes are told by their primary one; unknown ones still get advice."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_READONLY_DBMOVED"

    assert primary(error) == "SQLITE_READONLY"
    assert "writable" in fix_for(error)
    assert "disk" in fix_for(sqlite3.OperationalError("x"))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("SQLITE_BUSY", "state_locked"),
        ("SQLITE_NOTADB", "state_corrupt"),
        ("SQLITE_CANTOPEN", "state_not_writable"),
    ],
)
def test_what_cannot_be_opened_has_a_code_and_names_the_file(name: str, code: str) -> None:
    """For the line at the start."""
    error = sqlite3.OperationalError("no")
    error.sqlite_errorname = name
    found = unusable(Path("/state.db"), error)

    assert found.code == code
    assert "/state.db" in found.detail
    assert found.fix
