"""What can go wrong with the state file, in words for people: what happened, and the fix."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from gateway.core.errors import ConfigurationError
from gateway.state.contract import spool

UNWRITABLE: Final = "make the file and its directory writable for the gateway"
_FIXES: Final = {
    "SQLITE_FULL": "free space on the disk",
    "SQLITE_BUSY": "find what holds a lock on the file; no other program may use it",
    "SQLITE_LOCKED": "find what holds a lock on the file; no other program may use it",
    "SQLITE_READONLY": UNWRITABLE,
    "SQLITE_CANTOPEN": UNWRITABLE,
    "SQLITE_PERM": UNWRITABLE,
    "SQLITE_NOTADB": "move it and its -wal and -shm away; the new log signs everybody out",
    "SQLITE_CORRUPT": "move it and its -wal and -shm away; the new log signs everybody out",
}


def primary(error: sqlite3.Error) -> str:
    """The name of SQLite's primary result code, such as SQLITE_FULL; SQLITE_ERROR where there is none."""
    name = str(getattr(error, "sqlite_errorname", None) or "SQLITE_ERROR")
    return "_".join(name.split("_")[:2])


def fix_for(error: sqlite3.Error) -> str:
    """What to do about it, in a few words."""
    return _FIXES.get(primary(error), "look at the disk and at the file")


def explain(error: BaseException) -> str:
    """Trouble with the state file or with what lies beside it, in one line for /readyz."""
    if isinstance(error, sqlite3.Error):
        return f"{error}; {fix_for(error)}"
    return spool.explain(error)


def unusable(path: Path, error: sqlite3.Error) -> ConfigurationError:
    """Why a state file cannot be opened, and the fix."""
    name = primary(error)
    if name in ("SQLITE_NOTADB", "SQLITE_CORRUPT") or "damaged" in str(error):
        return ConfigurationError(
            "state_corrupt",
            f"the state file {path} is damaged or no SQLite database: {error}",
            fix=_FIXES["SQLITE_CORRUPT"],
        )
    code = "state_locked" if name in ("SQLITE_BUSY", "SQLITE_LOCKED") else "state_not_writable"
    return ConfigurationError(code, f"the state file {path} cannot be used: {error}", fix=fix_for(error))
