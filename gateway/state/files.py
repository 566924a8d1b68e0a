"""The files of one log together: the table, the counter, the spool. Synchronous, on the log's own thread."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.core.errors import ConfigurationError
from gateway.core.revocation import UNPLACED, NewEntry
from gateway.state.board import Marks
from gateway.state.counter import Counter
from gateway.state.forgetting import Forgetting, boot_id
from gateway.state.spool import SIZE, Batch, Spool
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
class Seen:
    """What the files of the log have: the tail, and what waits in the spool as of a moment before.

    `stamp`: of the spool when it was looked at. `marks`: of processes that have more than the files have.
    """

    tail: Tail
    spooled: tuple[Batch, ...]
    stamp: int
    marks: Marks


@dataclass(frozen=True, slots=True)
class Looked:
    """An upkeep read: what the files have, why the file cannot be written to, and when it last could: milliseconds
    since the epoch, 0 where nobody knows.
    """

    seen: Seen
    refusal: str = ""
    pulse: int = 0


class LogFiles:
    """What one process does to the files. `counter.value` may be asked from any thread, the rest from one."""

    def __init__(self, path: Path, *, patience: float, room: int = SIZE) -> None:
        """`patience`: seconds that a write waits for another process's write. `room`: bytes of the spool."""
        self.table = Table(path, patience=patience)
        self.counter = Counter(path.with_name(path.name + ".seq"))
        self.spool = Spool(path.with_name(path.name + ".spool"), size=room)
        self.made = self.renewed = self.buried = False
        self._pulse, self._pulse_at, self._refusal = -1, 0.0, ""
        self._sent: set[str] = set()

    def learn_pace(self, forgetting: Forgetting) -> None:
        """Go by what processes before have seen of the clock: this one may begin while it is wrong. Raises
        sqlite3.Error.
        """
        least, latest = self.table.pace(boot_id())
        forgetting.known(least)
        forgetting.was(latest)

    def keep_pace(self, forgetting: Forgetting) -> None:
        """All processes of a boot forget by the slowest, until it is known better. Raises sqlite3.Error."""
        offset, latest, settled = forgetting.offset, forgetting.latest, forgetting.settled
        forgetting.known(self.table.keep_pace(boot_id(), offset, latest, settled=settled))

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
            self._bury()
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
        self.spool.close()

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

    def see(self, known: Known) -> Seen:
        """All that the files have. Raises sqlite3.Error and OSError."""
        # In this order: what leaves the spool after it was looked at, or whose owner unmarks, is in the log by then.
        stamp = self.spool.board.stamp()
        marks = self.spool.board.marks()
        spooled = tuple(self.spool.batches())
        return Seen(self.read(known), spooled, stamp, marks)

    def look(self, known: Known) -> Looked:
        """The upkeep of every beat: notice files that were removed, read the tail, see whether the
        spool waits.
        """
        self._keep_open()
        if self.counter.replaced():
            self.counter.open()
            with self.counter.locked(patience=OPEN_PATIENCE):
                self._match_counter()
        if self.spool.board.replaced():
            self.spool.prepare()
        elif self.spool.shortage:
            self.spool.reserve()
        self._bury()
        seen = self.see(known)
        self.counter.raise_to(seen.tail.position)
        self._take_pulse()
        return Looked(seen, self._refusal, self._pulse)

    def _bury(self) -> None:
        """What processes had that are dead, and no file has, is lost: the log gets another id (rule R4).

        On a full disk it cannot have it yet; the marks stay, and nobody is let in.
        """
        if not self.spool.board.marks().dead:
            return
        with self.counter.locked(patience=OPEN_PATIENCE), suppress(sqlite3.Error):
            dead = self.spool.board.marks().dead
            if dead:
                self._renew(max(self.counter.value(), self.table.tail(UNPLACED).position))
                self.spool.board.forget(dead)
                self.spool.board.keep()
                self.buried = True

    def _renew(self, position: int) -> None:
        """Another id, and a later position, so that every process looks; the caller holds the counter's lock."""
        self.table.renew(position + 1)
        tail = self.table.tail(UNPLACED)
        self.counter.begin(tail.log_id, tail.position)

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
        spool. Returns the tail, in which all of them are. Raises BlockingIOError when another process is sending.

        Batches that another process sends from the spool as well are appended twice: that ends no session more.
        """
        with self.spool.board.sending():
            self._send(unsent, committed)
        return self.read(known)

    def _send(self, unsent: Sequence[Batch], committed: Collection[str]) -> None:
        waiting = self.spool.batches()
        todo = {batch.id: batch for batch in waiting if batch.id not in {*committed, *self._sent}}
        todo |= {batch.id: batch for batch in unsent}
        entries = [entry for batch in todo.values() for entry in batch.entries]
        if entries:
            self.counter.raise_to(self.table.append(entries))
        # Not under the spool's lock: whoever has to write something down there waits for no other file.
        self._sent = {batch.id for batch in waiting} | {batch.id for batch in unsent} | set(committed)
        if waiting and self.spool.clear(self._sent):
            self._sent = set()

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
            self._renew(remembered)
            self.renewed = True
        else:
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
