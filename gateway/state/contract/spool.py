"""Entries that the log could not take, kept beside it until it can.

One file for all processes of the host, made with its full size when the log is opened, so that some thousand
entries find room on a disk that has filled up since. Its first page is the board (board.py), by which every process
knows at once that there is something new in it. Behind that a record is one line: its CRC, a batch id, the
entries. The valid records from the start count; the first line that is none ends them, so a record torn by
a crash is dropped (no answer had been given) and the next one is written over it. Records stay as they are until all
of them are cleared, so each process reads each of them once.

Whoever sends appends all records to the log and clears the file after the commit. A crash between the two sends a
batch twice, which ends no session more: spooled entries are dated.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway.core.errors import ConfigurationError
from gateway.core.signout.revocation import NewEntry
from gateway.state.contract import board

FILE: Final = "state.spool"
"""Its name in a directory of its own."""
SIZE: Final = 1024 * 1024
NEARLY: Final = 0.75
"""The part of the room from which it is said that little is left."""
_PIECE: Final = 64 * 1024
_KINDS: Final = (str, int, str, int | None, int | None)


@dataclass(frozen=True, slots=True)
class Batch:
    """What was appended together; the id is unique among all processes."""

    id: str
    entries: tuple[NewEntry, ...]


@dataclass(slots=True)
class _Read:
    """What was read of which file, since which clearing, and where it ends."""

    source: tuple[int, int, int] = (0, 0, 0)
    batches: list[Batch] = field(default_factory=list)
    end: int = board.SIZE


def beside(log: Path) -> Path:
    """The spool of a log that is a file."""
    return log.with_name(log.name + ".spool")


class Spool:
    """The spool file. Every call opens the file anew, so that two threads exclude each other as
    processes do.
    """

    def __init__(self, path: Path, *, size: int = SIZE) -> None:
        """`size`: bytes of records for which room is reserved."""
        self.path = path
        self.size = size
        self.board = board.Board(path)
        self.shortage = ""
        """Why there is no room for as much; empty where there is."""
        self._read = _Read()  # for whoever has the file's lock

    def prepare(self) -> None:
        """Make the file and its room, and open the board. Raises OSError when not even the board has room."""
        with self._opened(os.O_CREAT) as fd, _locked(fd, 2.0) as mine:
            if not mine:
                raise TimeoutError("the spool is locked by another process")
            board.lay(fd)
        self.reserve()
        self.board.open()

    def reserve(self) -> None:
        """Have the room; where there is none now, `shortage` says why."""
        wanted = board.SIZE + self.size
        try:
            with self._opened() as fd:
                os.posix_fallocate(fd, 0, wanted)
        except OSError as error:
            self.shortage = error.strerror or str(error)
        else:
            self.shortage = ""

    def look_after(self) -> bool:
        """Have the file that the other processes have, and its room; was it another one? Raises OSError."""
        if self.board.replaced():
            self.prepare()
            return True
        if self.shortage:
            self.reserve()
        return False

    @property
    def used(self) -> float:
        """The part of the room that is in use, as this process knows; beyond 1 there was more on the disk."""
        return (self._read.end - board.SIZE) / self.size

    def complaint(self) -> str:
        """What to say of the room: there is none, or little of it is left; empty where there is enough."""
        if self.shortage:
            why = f"no room was reserved in {self.path} ({self.shortage})"
        elif self.used >= NEARLY:
            why = f"{self.path} is nearly full ({self.used:.0%} of {self.size // 1024} KiB)"
        else:
            return ""
        return f"{why}: what fits neither there nor in the log lets nobody in at other processes of this host"

    def close(self) -> None:
        """Leave the board."""
        self.board.close()

    def put(self, batch: Batch, *, patience: float = 0.2) -> tuple[int, int]:
        """Write a batch down, durable when this returns; as `Board.tell`. Raises OSError when it cannot be."""
        with self._opened(os.O_CREAT) as fd, _locked(fd, patience) as mine:
            if not mine:
                raise TimeoutError("the spool is locked by another process")
            board.lay(fd)
            # The NUL keeps what an earlier, longer use left behind this record from being read after it.
            _write(fd, _line(batch) + b"\0", self._follow(fd).end)
            self._follow(fd)
            return self.board.tell()

    def filled(self) -> bool:
        """Is anything in it? Cheap."""
        try:
            with self._opened() as fd:
                return os.pread(fd, 1, board.SIZE) not in (b"", b"\0")
        except OSError:
            return False

    def batches(self, *, patience: float = 0.2) -> list[Batch]:
        """All batches in it; none when there is no file. Raises OSError when it cannot be read."""
        try:
            with self._opened() as fd, _locked(fd, patience) as mine:
                if not mine:
                    raise TimeoutError("the spool is locked by another process")
                return list(self._follow(fd).batches)
        except FileNotFoundError:
            return []

    def clear(self, sent: Collection[str], *, patience: float = 0.2) -> bool:
        """Empty it if all its batches are in `sent`; was that so? Raises OSError.

        All or none: a crash in the middle of writing the rest back would lose what was not sent.
        """
        with self._opened() as fd, _locked(fd, patience) as mine:
            if not mine or any(batch.id not in sent for batch in self._follow(fd).batches):
                return False
            board.clear(fd)
            _blank(fd, self._read.end)
            self._follow(fd)
            self.board.tell()
        return True

    def _follow(self, fd: int) -> _Read:
        """What is in the file, of which only what is new is read; the caller holds the file's lock."""
        status = os.fstat(fd)
        source = (status.st_dev, status.st_ino, board.clearing(fd))
        if self._read.source != source:
            self._read = _Read(source)
        for line, batch in _records(_written(fd, self._read.end)):
            self._read.batches.append(batch)
            self._read.end += len(line)
        return self._read

    @contextmanager
    def _opened(self, flags: int = 0) -> Iterator[int]:
        fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
        try:
            yield fd
        finally:
            os.close(fd)


@contextmanager
def _locked(fd: int, patience: float) -> Iterator[bool]:
    """Hold the lock of this descriptor, which its closing frees; False if it was not had in time."""
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                yield False
                return
            time.sleep(0.005)
        else:
            break
    try:
        yield True
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)


def _written(fd: int, at: int) -> bytes:
    """From there to the first NUL, which no record has."""
    found = bytearray()
    while (piece := os.pread(fd, _PIECE, at + len(found))) and b"\0" not in found:
        found += piece
    return bytes(found.partition(b"\0")[0])


def _blank(fd: int, end: int) -> None:
    """Overwrite the records, and what an earlier, longer use has left behind them."""
    at = board.SIZE
    while (piece := os.pread(fd, _PIECE, at)) and (at < end or piece.strip(b"\0")):
        os.pwrite(fd, bytes(len(piece)), at)
        at += len(piece)
    os.fsync(fd)


def _write(fd: int, text: bytes, at: int) -> None:
    written = 0
    while written < len(text):
        written += os.pwrite(fd, text[written:], at + written)
    os.fsync(fd)


def _line(batch: Batch) -> bytes:
    rows = [[one.key, one.expires, one.reason, one.event_time, one.barrier] for one in batch.entries]
    body = json.dumps([batch.id, rows], separators=(",", ":")).encode()
    return b"%08x %b\n" % (zlib.crc32(body), body)


def _records(text: bytes) -> Iterator[tuple[bytes, Batch]]:
    at = 0
    while (end := text.find(b"\n", at)) >= 0:
        line = text[at : end + 1]
        batch = _parse(line)
        if batch is None:
            return
        yield line, batch
        at = end + 1


def _parse(line: bytes) -> Batch | None:
    body = line[9:-1]
    if line[:9] != b"%08x " % zlib.crc32(body):
        return None
    try:
        name, rows = json.loads(body)
        entries = tuple(_entry(row) for row in rows)
    except (ValueError, TypeError, RecursionError):
        return None
    return Batch(name, entries) if isinstance(name, str) else None


def _entry(row: Any) -> NewEntry:
    # A later release may write more.
    fields = row[: len(_KINDS)] if isinstance(row, list) else []
    if len(fields) < len(_KINDS) or not all(map(isinstance, fields, _KINDS)):
        raise ValueError("not an entry")
    return NewEntry(*fields)


def explain(error: BaseException) -> str:
    """Trouble with files in one line for /readyz: what happened, and the fix where there is one."""
    if isinstance(error, ConfigurationError):
        return f"{error.detail}; {error.fix}"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return type(error).__name__
