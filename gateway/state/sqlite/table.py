"""The log as a table in SQLite. Synchronous; everything here runs on the log's own thread.

WAL, so that reading never waits for writing. `synchronous=FULL`, so that a committed entry survives a power
cut. Positions come from AUTOINCREMENT: they are never given twice, also after trimming. They start at the
milliseconds since the epoch at which the log was made, so that the positions of a log made after another
was lost are later than what sessions sealed under the lost one. For the same reason a log that is opened goes on with
the milliseconds of then: should it be an older copy, none of the positions that it has lost is given again, and they
lie in a gap (core/signout/log_extent.py) for whoever has seen one.
"""

from __future__ import annotations

import math
import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway.core import clock
from gateway.core.errors import ConfigurationError
from gateway.core.signout.log_extent import Gap, lacks
from gateway.core.signout.revocation import Entry, NewEntry
from gateway.state.contract.renewal import LogRenewal, RenewalCause, new_log_id
from gateway.state.contract.renewal import read as read_renewal
from gateway.state.sqlite.faults import UNWRITABLE, unusable

APPLICATION: Final = 0x67776C67
VERSION: Final = 1
OPEN_PATIENCE: Final = 5.0
"""Seconds to wait for locks while opening; another process may be making the file."""

STRETCH: Final = 60_000
"""Milliseconds behind the last position within which whoever opens the log adds no gap: there are many processes."""
GAPS: Final = 16
"""Those that are kept. What is forgotten proves nothing any more."""

_SCHEMA: Final = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    expires INTEGER NOT NULL,
    reason TEXT NOT NULL,
    event_time INTEGER,
    barrier INTEGER
);
CREATE INDEX entries_by_expiry ON entries (expires);
"""


@dataclass(frozen=True, slots=True)
class Tail:
    """What a read found: the log's id, its last position, and the entries after the position asked for.

    :ivar forgotten: see `RevocationIndex.forgotten`. :ivar renewal: the last one, if there was one.
    :ivar gaps: positions that were never given.
    """

    log_id: str
    position: int
    entries: tuple[Entry, ...]
    forgotten: int = 0
    renewal: LogRenewal | None = None
    gaps: tuple[Gap, ...] = ()


class Table:
    """One connection to the log's file."""

    def __init__(self, path: Path, *, patience: float) -> None:
        """`patience`: seconds that a write waits for another process's write."""
        self.path = path
        self._patience = patience
        self._db: sqlite3.Connection | None = None
        self._files: tuple[tuple[int, int], ...] = ()

    def open(self) -> bool:
        """Connect, and make the log where there is none; True if it was made. Raises ConfigurationError.

        One process at a time: the caller holds the counter's lock.
        """
        try:
            _provide(self.path)
            self._db = self._connect()
            made = self._prepare()
            self._files = self._seen()
        except sqlite3.Error as error:
            self.close()
            raise unusable(self.path, error) from error
        except OSError as error:
            raise ConfigurationError(
                "state_not_writable",
                f"the state file {self.path} cannot be used: {error.strerror}",
                fix=UNWRITABLE,
            ) from error
        except ConfigurationError:
            self.close()
            raise
        return made

    def close(self) -> None:
        """Disconnect. May be called twice."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def lost(self) -> bool:
        """Is the connection gone, or another file (or none) at the path by now?

        The write-ahead log counts as well: SQLite removes it by name, so a process that lets go of a removed
        database takes away what belongs to the one in its place.
        """
        if self._db is None:
            return True
        try:
            return self._seen() != self._files
        except OSError:
            return True

    def _seen(self) -> tuple[tuple[int, int], ...]:
        both = (self.path.stat(), self.path.with_name(self.path.name + "-wal").stat())
        return tuple((status.st_dev, status.st_ino) for status in both)

    def append(self, entries: Sequence[NewEntry]) -> int:
        """Commit the entries, all or none, in this order; the position of the last. Raises sqlite3.Error."""
        db = self._connection()
        rows = [(one.key, one.expires, one.reason, one.event_time, one.barrier) for one in entries]
        with _writing(db):
            for row in rows:
                db.execute(
                    "INSERT INTO entries (key, expires, reason, event_time, barrier) VALUES (?, ?, ?, ?, ?)",
                    row,
                )
            return self._last(db)

    def pulse(self) -> int:
        """When it was last written that the file can be written to, milliseconds since the epoch; 0: never."""
        return int(_fact(self._connection(), "pulse") or 0)

    def beat(self) -> None:
        """Write that it can be written to. Raises sqlite3.Error when it cannot."""
        db = self._connection()
        with _writing(db):
            now = str(int(clock.precise() * 1000))
            db.execute("INSERT OR REPLACE INTO facts VALUES ('pulse', ?)", (now,))

    def tail(self, after: int) -> Tail:
        """Everything after a position, as of one moment. Raises sqlite3.Error."""
        db = self._connection()
        with _Transaction(db, "BEGIN"):
            log_id, position, gaps = _log_id(db), self._last(db), _gaps(db)
            forgotten, renewal = _forgotten(db), _renewal(db)
            rows = db.execute(
                "SELECT key, expires, reason, event_time, barrier, position FROM entries"
                " WHERE position > ? ORDER BY position",
                (after,),
            )
            entries = tuple(Entry(*row[:5], position=row[5]) for row in rows)
        return Tail(log_id, position, entries, forgotten, renewal, gaps)

    def pace(self, boot: str) -> tuple[float, float, float]:
        """The offset that processes of this boot go by (`Forgetting.offset`), how late it has been by any
        (`Forgetting.latest`), and by the wall clock alone (`Forgetting.furthest`): infinite and 0 where nobody has
        written that down. Raises sqlite3.Error.
        """
        db = self._connection()
        names = "SELECT name, value FROM facts WHERE name IN ('pace', 'latest', 'furthest')"
        facts = dict(db.execute(names))
        before, _, least = facts.get("pace", "").partition(" ")
        offset = float(least) if boot and before == boot else math.inf
        return offset, float(facts.get("latest", 0)), float(facts.get("furthest", 0))

    def keep_pace(self, boot: str, offset: float, latest: float, furthest: float) -> None:
        """Have them known to whoever comes. Raises sqlite3.Error."""
        db = self._connection()
        with _writing(db):
            rows = [("pace", f"{boot} {offset}"), ("latest", str(latest)), ("furthest", str(furthest))]
            db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)

    def renew(self, position: int, cause: RenewalCause, *, unless: tuple[str, int] | None = None) -> bool:
        """Give the log another id and no position up to this one: acknowledged entries are not in it
        any more. Was that done?

        `unless`: it has another id than this already, or does not lack this position. Raises sqlite3.Error.
        """
        db = self._connection()
        with _writing(db):
            if unless is not None and (
                _log_id(db) != unless[0] or not lacks(unless[1], self._last(db), _gaps(db))
            ):
                return False
            db.execute("UPDATE facts SET value = ? WHERE name = 'log_id'", (new_log_id(),))
            db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'entries'", (position,))
            text = LogRenewal(cause, clock.now()).written()
            db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", [("renewed", text), ("gaps", "")])
        return True

    def go_on(self) -> None:
        """Give no position from here on that can have been given before. Raises sqlite3.Error."""
        db, now = self._connection(), int(clock.precise() * 1000)
        with _writing(db):
            last = self._last(db)
            if now - last < STRETCH:
                return
            gaps = [*_gaps(db), (last, now)][-GAPS:]
            text = " ".join(f"{before}-{behind}" for before, behind in gaps)
            db.execute("INSERT OR REPLACE INTO facts VALUES ('gaps', ?)", (text,))
            db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'entries'", (now,))

    def claim_telling(self, renewal: LogRenewal) -> bool:
        """Is it for this process to tell of it? For one of all. Raises sqlite3.Error."""
        db, text = self._connection(), renewal.written()
        with _writing(db):
            claimed = db.execute(
                "UPDATE facts SET value = value || ' told' WHERE name = 'renewed' AND value = ?", (text,)
            )
        return claimed.rowcount == 1

    def trim(self, now: int, *, limit: int) -> int:
        """Delete entries that had expired at `now`, at most `limit`, and keep in mind that it was done; how many were
        deleted. Raises sqlite3.Error.
        """
        db = self._connection()
        dead = "SELECT position FROM entries WHERE expires <= ? ORDER BY expires LIMIT ?"
        if db.execute(dead, (now, 1)).fetchone() is None:
            return 0
        with _writing(db):
            latest = f"SELECT max(expires) FROM entries WHERE position IN ({dead})"  # noqa: S608
            (expired,) = db.execute(latest, (now, limit)).fetchone()
            forgotten = str(max(_forgotten(db), expired or 0))
            db.execute("INSERT OR REPLACE INTO facts VALUES ('forgotten', ?)", (forgotten,))
            return db.execute(f"DELETE FROM entries WHERE position IN ({dead})", (now, limit)).rowcount  # noqa: S608

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise sqlite3.OperationalError("not connected")
        return self._db

    def _connect(self) -> sqlite3.Connection:
        # mode=rw: a file that vanished meanwhile is trouble to report, not a reason to make an empty log.
        address = f"file:{quote(str(self.path))}?mode=rw"
        return sqlite3.connect(address, uri=True, timeout=OPEN_PATIENCE, isolation_level=None)

    def _prepare(self) -> bool:
        db = self._connection()
        application, version, tables = _identity(db)
        fresh = not application and not tables
        if not fresh and application != APPLICATION:
            raise ConfigurationError(
                "state_foreign",
                f"the state file {self.path} is a database of another program",
                fix="name a file of the gateway's own in `state`",
            )
        if not fresh and version > VERSION:
            raise ConfigurationError(
                "state_too_new",
                f"the state file {self.path} has format {version}; this release knows {VERSION}",
                fix="run the newer release, or move the file away, which signs everybody out",
            )
        (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise ConfigurationError(
                "state_no_wal",
                f"the file system of {self.path} has no shared memory, which a log of many processes needs",
                fix="keep the state file on a local file system",
            )
        db.execute("PRAGMA synchronous = FULL")
        if fresh:
            _create(db)
        else:
            _examine(db)
        db.execute(f"PRAGMA busy_timeout = {int(self._patience * 1000)}")
        return fresh

    @staticmethod
    def _last(db: sqlite3.Connection) -> int:
        (position,) = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entries'").fetchone()
        return int(position)


def _fact(db: sqlite3.Connection, name: str) -> str:
    found = db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return str(found[0]) if found else ""


def _log_id(db: sqlite3.Connection) -> str:
    (log_id,) = db.execute("SELECT value FROM facts WHERE name = 'log_id'").fetchone()
    return str(log_id)


def _forgotten(db: sqlite3.Connection) -> int:
    return int(_fact(db, "forgotten") or 0)


def _gaps(db: sqlite3.Connection) -> tuple[Gap, ...]:
    pairs = (gap.split("-") for gap in _fact(db, "gaps").split())
    return tuple((int(before), int(behind)) for before, behind in pairs)


def _renewal(db: sqlite3.Connection) -> LogRenewal | None:
    return read_renewal(_fact(db, "renewed"))


class _Transaction:
    """A transaction that is over in every case when it is left."""

    def __init__(self, db: sqlite3.Connection, begin: str) -> None:
        self._db = db
        self._begin = begin

    def __enter__(self) -> None:
        self._db.execute(self._begin)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def _writing(db: sqlite3.Connection) -> _Transaction:
    # IMMEDIATE: the wait for another writer is at the start, where nothing has been read that could be stale.
    return _Transaction(db, "BEGIN IMMEDIATE")


def require_directory(path: Path) -> None:
    """Raises ConfigurationError when the log's directory does not exist: a mount may be missing."""
    if not path.parent.is_dir():
        raise ConfigurationError(
            "state_directory_missing",
            f"the directory {path.parent} of the state file does not exist",
            fix=f"create it, writable for the gateway: mkdir -p {path.parent}",
        )


def _provide(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        # Not by opening it: closing any descriptor of the file drops SQLite's locks in this process.
        if path.is_file() and path.stat().st_mode & 0o077:
            with suppress(PermissionError):
                path.chmod(0o600)


def _identity(db: sqlite3.Connection) -> tuple[int, int, int]:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return application, version, tables


def _create(db: sqlite3.Connection) -> None:
    base = int(clock.precise() * 1000)
    with _writing(db):
        for statement in filter(str.strip, _SCHEMA.split(";")):
            db.execute(statement)
        db.execute("INSERT INTO facts VALUES ('log_id', ?)", (new_log_id(),))
        db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('entries', ?)", (base,))
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute(f"PRAGMA user_version = {VERSION}")


def _examine(db: sqlite3.Connection) -> None:
    (answer,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise sqlite3.DatabaseError(f"damaged: {answer}")
    with _writing(db):
        # SQLite opens a write-protected file without a word; the first logout is too late to learn of it.
        pass
