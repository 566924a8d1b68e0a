"""The files of one log together: the table, the counter, the spool, the witness. Synchronous, on the log's own thread.

Whoever has seen a position of the log knows that it was committed: counter and witness are raised after a commit that
survives power cuts, an index has read it, and a session was sealed by who had read it. A table that is not as far,
under the same id, is an older copy, and has lost entries that were acknowledged. It gets another id (rule R4). The
comparison is the table's own, in the transaction that gives it the id, so nobody who is merely behind can bring it
about, and of all that find out at the same time one does it. Where the id cannot be written, nobody is let in.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.core.errors import ConfigurationError
from gateway.core.signout.log_extent import lacks
from gateway.core.signout.revocation import UNPLACED, NewEntry
from gateway.state.contract.board import Marks
from gateway.state.contract.counter import Counter
from gateway.state.contract.forgetting import Forgetting, boot_id
from gateway.state.contract.renewal import LogRenewal, RenewalCause
from gateway.state.contract.spool import SIZE, Batch, Spool, beside
from gateway.state.sqlite.faults import explain, fix_for
from gateway.state.sqlite.table import OPEN_PATIENCE, Table, Tail, require_directory
from gateway.state.sqlite.witness import Witness

PULSE_EVERY: Final = 5.0
"""Seconds without a write of any process that are long enough to try one."""


@dataclass(frozen=True, slots=True)
class IndexPosition:
    """How far the index has read, and of which log."""

    log_id: str
    position: int


NOTHING: Final = IndexPosition("", 0)


@dataclass(frozen=True, slots=True)
class Written:
    """A committed append: the position of its last entry, and what the index has not read."""

    position: int
    tail: Tail


@dataclass(frozen=True, slots=True)
class LogSnapshot:
    """What the files of the log have: the tail, and what waits in the spool as of a moment before.

    `stamp`: of the spool when it was looked at. `marks`: of processes that have more than the files have.
    `older`: who has seen more than the table has, while it has no other id yet.
    """

    tail: Tail
    spooled: tuple[Batch, ...]
    stamp: tuple[int, bytes]
    marks: Marks
    older: RenewalCause | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """An upkeep read: what the files have, why the file cannot be written to, and when it last could: milliseconds
    since the epoch, 0 where nobody knows. `renewal`: what this process has to tell of.
    """

    seen: LogSnapshot
    refusal: str = ""
    pulse: int = 0
    renewal: LogRenewal | None = None


class LogFiles:
    """What one process does to the files. `counter.value` may be asked from any thread, the rest from one."""

    def __init__(self, path: Path, *, patience: float, room: int = SIZE) -> None:
        """`patience`: seconds that a write waits for another process's write. `room`: bytes of the spool."""
        self.table = Table(path, patience=patience)
        self.counter = Counter(path.with_name(path.name + ".seq"))
        self.spool = Spool(beside(path), size=room)
        self.witness = Witness(path)
        self.made = False
        self._proof = NOTHING
        self._older: RenewalCause | None = None
        self._noted = ""
        self._pulse, self._pulse_at, self._refusal = -1, 0.0, ""
        self._sent: set[str] = set()

    def learn_pace(self, forgetting: Forgetting) -> None:
        """Go by what processes before have seen of the clock: this one may begin while it is wrong. Raises
        sqlite3.Error.
        """
        forgetting.learn(*self.table.pace(boot_id()))

    def keep_pace(self, forgetting: Forgetting) -> None:
        """Have whoever comes learn it. Raises sqlite3.Error."""
        self.table.keep_pace(boot_id(), forgetting.offset, forgetting.latest, forgetting.furthest)

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
                        fix="end the process that hangs in opening it",
                    )
                self.made = self.table.open()
                self._begin_counter(NOTHING, goes_on=not self.made)
            self._note()
            self.spool.prepare()
            self._bury()
        except sqlite3.Error as error:
            raise ConfigurationError("state_not_writable", str(error), fix=fix_for(error)) from error
        except OSError as error:
            raise ConfigurationError(
                "state_not_writable",
                f"{error.filename or self.table.path}: {error.strerror or error}",
                fix="make the state file's directory writable for the gateway",
            ) from error

    def close(self) -> None:
        """Let go of everything."""
        self.table.close()
        self.counter.close()
        self.spool.close()

    def load(self) -> Tail:
        """The whole log."""
        return self.table.tail(-1)

    def write(self, entries: Sequence[NewEntry], known: IndexPosition) -> Written:
        """Commit entries and tell the other processes. Raises sqlite3.Error, OSError or
        ConfigurationError.
        """
        self._keep_open()
        position = self.table.append(entries)
        self.counter.raise_to(position)
        if self.table.lost():
            # Committed into a file that nobody will ever open again.
            raise FileNotFoundError(2, "the state file was removed", str(self.table.path))
        tail = self.read(known)
        self.witness.note(tail.log_id, tail.position)
        return Written(position, tail)

    def read(self, known: IndexPosition) -> Tail:
        """What follows; the whole log where it is another one than was known."""
        tail = self.table.tail(known.position)
        return tail if tail.log_id == known.log_id else self.load()

    def see(self, known: IndexPosition) -> LogSnapshot:
        """All that the files have. Raises sqlite3.Error and OSError."""
        # In this order: what leaves the spool after it was looked at, or whose owner unmarks, is in the log by then.
        stamp = self.spool.board.stamp()
        marks = self.spool.board.marks()
        spooled = tuple(self.spool.batches())
        return LogSnapshot(self.read(known), spooled, stamp, marks, self._older)

    def look(self, known: IndexPosition) -> Looked:
        """The upkeep of every beat: notice files that were removed, read the tail, see whether the
        spool waits.
        """
        self._keep_open()
        if self.counter.replaced():
            self.counter.open()
            with self.counter.locked(patience=OPEN_PATIENCE):
                self._begin_counter(known)
        self._compare(known)
        self.spool.look_after()
        self._bury()
        self._note()
        seen = self.see(known)
        self._take_pulse()
        return Looked(seen, self._refusal, self._pulse, self.to_tell(seen.tail.renewal))

    def to_tell(self, renewal: LogRenewal | None) -> LogRenewal | None:
        """The log's last renewal, if it is for this process to tell of it: of all of them one does."""
        with suppress(sqlite3.Error):
            if renewal is not None and not renewal.reported and self.table.claim_telling(renewal):
                return renewal
        return None

    def prove(self, proof: IndexPosition, known: IndexPosition) -> LogSnapshot:
        """A session was sealed by somebody who had seen this position of this log; all that the files have. Raises
        sqlite3.Error, OSError or ConfigurationError.
        """
        self._keep_open()
        self._proof = proof
        self._compare(known)
        return self.see(known)

    def renew(self, cause: RenewalCause) -> None:
        """Give the log another id. Raises sqlite3.Error."""
        with self.counter.locked(patience=OPEN_PATIENCE):
            self._renew(self.table.tail(UNPLACED).position, cause)
        self._note()

    def _bury(self) -> None:
        """What processes had that are dead, and no file has, is lost: the log gets another id (rule R4).

        On a full disk it cannot have it yet; the marks stay, and nobody is let in.
        """
        if not self.spool.board.marks().dead:
            return
        with self.counter.locked(patience=OPEN_PATIENCE), suppress(sqlite3.Error):
            dead = self.spool.board.marks().dead
            if dead:
                self._renew(
                    max(self.counter.value(), self.table.tail(UNPLACED).position), RenewalCause.UNWRITTEN
                )
                self.spool.board.forget(dead)
                self.spool.board.keep()

    def _renew(self, position: int, cause: RenewalCause, *, unless: tuple[str, int] | None = None) -> None:
        """Another id, and a later position, so that every process looks; the caller holds the counter's lock."""
        self.table.renew(position + 1, cause, unless=unless)
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

    def send(self, unsent: Sequence[Batch], committed: Collection[str], known: IndexPosition) -> Tail:
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

    def _begin_counter(self, known: IndexPosition, *, goes_on: bool = False) -> None:
        """Write the counter anew, unless it is needed as a proof; the caller holds its lock."""
        self._settle(known)
        if goes_on:
            with suppress(sqlite3.Error):  # on a full disk it goes on where it was
                self.table.go_on()
        if self._older is None:
            tail = self.table.tail(UNPLACED)
            self.counter.begin(tail.log_id, tail.position)

    def _compare(self, known: IndexPosition) -> None:
        """See whether the table is an older copy, and have it answered for."""
        self._older = self._proven(known)[0]
        if self._older is not None:
            with self.counter.locked(patience=OPEN_PATIENCE):
                self._settle(known)

    def _settle(self, known: IndexPosition) -> None:
        """The same; the caller holds the counter's lock."""
        self._older, log_id, position = self._proven(known)
        if self._older is None:
            return
        beyond = max(self.table.tail(UNPLACED).position, position if position < UNPLACED else 0)  # retired
        with suppress(sqlite3.Error):  # nobody is let in until it can be written
            self._renew(beyond, self._older, unless=(log_id, position))
            self._older = None

    def _proven(self, known: IndexPosition) -> tuple[RenewalCause | None, str, int]:
        """Who has seen more of the table's log than it has, of which log, and how far; None where nobody has."""
        log_id = self.table.tail(UNPLACED).log_id
        # Before the table's position: what they say now was committed before.
        positions = {
            RenewalCause.COUNTER: self.counter.remembered(log_id) or 0,
            RenewalCause.WITNESS: self.witness.remembered(log_id),
            RenewalCause.INDEX: known.position if known.log_id == log_id else 0,
            RenewalCause.SESSION: self._proof.position if self._proof.log_id == log_id else 0,
        }
        tail = self.table.tail(UNPLACED)
        lost = [(seen, cause) for cause, seen in positions.items() if lacks(seen, tail.position, tail.gaps)]
        position, cause = max(lost, key=lambda one: one[0], default=(0, None))
        return (cause if tail.log_id == log_id else None), log_id, position

    def _note(self) -> None:
        """Have counter and witness know how far the table is. A log in the place of another one retires it."""
        if self._older is not None:
            return
        tail = self.table.tail(UNPLACED)
        self.counter.raise_to(tail.position)
        if self._noted and self._noted != tail.log_id:
            self.witness.retire(self._noted)
        self.witness.note(tail.log_id, tail.position)
        self._noted = tail.log_id
