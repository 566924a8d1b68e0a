"""The files of one log together: the table, the counter, the spool. Synchronous, on the log's own thread."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.core.errors import ConfigurationError
from gateway.core.revocation import UNPLACED, NewEntry
from gateway.state.counter import Counter
from gateway.state.forgetting import boot_id
from gateway.state.spool import Batch, Spool
from gateway.state.table import OPEN_PATIENCE, Table, Tail, mend_for, require_directory

PULSE_EVERY: Final = 5.0
"""Seconds without a write of any process that are long enough to try one."""


@dataclass(frozen=True, slots=True)
class Known:
    """How far the index has read, and of which log."""

    log_id: str
    position: int


@dataclass(frozen=True, slots=True)
class Written:
    """A committed append: the position of its last entry, and what the index has not read."""

    position: int
    tail: Tail


@dataclass(frozen=True, slots=True)
class Looked:
    """An upkeep read: what the index has not read, whether the spool holds anything, why the file cannot be written to,
    and when it last could: milliseconds since the epoch, 0 where nobody knows.
    """

    tail: Tail
    spooled: bool
    refusal: str = ""
    pulse: int = 0


class LogFiles:
    """What one process does to the files. `counter.value` may be asked from any thread, the rest from one."""

    def __init__(self, path: Path, *, patience: float) -> None:
        """`patience`: seconds that a write waits for another process's write."""
        self.table = Table(path, patience=patience)
        self.counter = Counter(path.with_name(path.name + ".seq"))
        self.spool = Spool(path.with_name(path.name + ".spool"))
        self.made = False
        self.renewed = False
        self._pulse, self._pulse_at, self._refusal = -1, 0.0, ""

    def pace(self, offset: float) -> float:
        """The offset to forget by, given this process's own. Raises sqlite3.Error."""
        return self.table.pace(boot_id(), offset)

    def start(self) -> None:
        """Open everything, make what is missing. Raises ConfigurationError."""
        require_directory(self.table.path)
        try:
            self.counter.open()
            with self.counter.locked(patience=2 * OPEN_PATIENCE) as mine:
                if not mine:
                    raise ConfigurationError(
                        "state_locked",
                        f"another process has held {self.counter.path} for too long",
                        mend="end the process that hangs in opening it",
                    )
                self.made = self.table.open()
                self._match_counter()
            self.counter.raise_to(self.table.tail(UNPLACED).position)
            self.spool.prepare()
        except sqlite3.Error as error:
            raise ConfigurationError("state_not_writable", str(error), mend=mend_for(error)) from error
        except OSError as error:
            raise ConfigurationError(
                "state_not_writable",
                f"{error.filename or self.table.path}: {error.strerror or error}",
                mend="make the state file's directory writable for the gateway",
            ) from error

    def close(self) -> None:
        """Let go of everything."""
        self.table.close()
        self.counter.close()

    def load(self) -> Tail:
        """The whole log."""
        return self.table.tail(-1)

    def write(self, entries: Sequence[NewEntry], known: Known) -> Written:
        """Commit entries and tell the other processes. Raises sqlite3.Error, OSError or
        ConfigurationError.
        """
        self._keep_open()
        position = self.table.append(entries)
        self.counter.raise_to(position)
        if self.table.lost():
            # Committed into a file that nobody will ever open again.
            raise FileNotFoundError(2, "the state file was removed", str(self.table.path))
        return Written(position, self.read(known))

    def read(self, known: Known) -> Tail:
        """What follows; the whole log where it is another one than was known."""
        tail = self.table.tail(known.position)
        return tail if tail.log_id == known.log_id else self.load()

    def look(self, known: Known) -> Looked:
        """The upkeep of every beat: notice files that were removed, read the tail, see whether the
        spool waits.
        """
        self._keep_open()
        if self.counter.replaced():
            self.counter.open()
            with self.counter.locked(patience=OPEN_PATIENCE):
                self._match_counter()
        tail = self.read(known)
        self.counter.raise_to(tail.position)
        self._take_pulse()
        return Looked(tail, self.spool.filled(), self._refusal, self._pulse)

    def _take_pulse(self) -> None:
        """Write, if no process of the host has for a while: a full disk is found by writing alone."""
        pulse, now = self.table.pulse(), time.monotonic()
        if pulse != self._pulse:
            self._pulse, self._pulse_at, self._refusal = pulse, now, ""
        elif self._refusal or now - self._pulse_at >= PULSE_EVERY:
            try:
                self.table.beat()
            except sqlite3.Error as error:
                self._refusal = explain(error)
            else:
                self._pulse, self._pulse_at, self._refusal = self.table.pulse(), now, ""

    def send(self, unsent: Sequence[Batch], committed: Collection[str], known: Known) -> Tail:
        """Append what is unsent and what the spool holds, but for batches known to be in the log; clear the
        spool. Returns the tail, in which all of them are. Raises BlockingIOError when another process is
        sending.

        Unsent batches that another process has sent from the spool are appended again: that ends no session
        more.
        """
        with self.spool.sending() as waiting:
            if waiting is None:
                raise BlockingIOError("another process is sending the spool")
            todo = {batch.id: batch for batch in waiting if batch.id not in committed}
            todo |= {batch.id: batch for batch in unsent}
            entries = [entry for batch in todo.values() for entry in batch.entries]
            if entries:
                self.counter.raise_to(self.table.append(entries))
        return self.read(known)

    def _keep_open(self) -> None:
        if self.table.lost():
            self.table.close()
            self.start()

    def _match_counter(self) -> None:
        """Bring counter and table together; the caller holds the counter's lock.

        A counter is raised after a commit that survives power cuts. If it is ahead of its table
        nevertheless, the table is an older copy and has lost entries that were acknowledged: it gets
        another id (rule R4).
        """
        remembered = self.counter.remembered(self.table.tail(UNPLACED).log_id)
        tail = self.table.tail(UNPLACED)
        if remembered is not None and remembered > tail.position:
            self.table.renew(remembered)
            self.renewed = True
            tail = self.table.tail(UNPLACED)
        self.counter.begin(tail.log_id, tail.position)


def explain(error: BaseException) -> str:
    """Trouble with the files in one line for /readyz: what happened, and the mend."""
    if isinstance(error, sqlite3.Error):
        return f"{error}; {mend_for(error)}"
    if isinstance(error, ConfigurationError):
        return f"{error.detail}; {error.mend}"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return type(error).__name__
