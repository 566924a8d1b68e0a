"""Entries that the log could not take, kept beside it until it can.

One file for all processes of the host, made with its full size when the log is opened, so that some thousand
entries find room on a disk that has filled up since. Its first page is the board (board.py), by which every process
knows at once that there is something new in it. Behind that a record is one line: its CRC, a batch id, the
entries. The valid records from the start count; the first line that is none ends them, so a record torn by
a crash is dropped (no answer had been given) and the next one is written over it.

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.core.revocation import NewEntry
from gateway.state import board

SIZE: Final = 1024 * 1024
_KINDS: Final = (str, int, str, int | None, int | None)


@dataclass(frozen=True, slots=True)
class Batch:
    """What was appended together; the id is unique among all processes."""

    id: str
    entries: tuple[NewEntry, ...]


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

    def close(self) -> None:
        """Leave the board."""
        self.board.close()

    def put(self, batch: Batch, *, patience: float = 0.2) -> tuple[int, int]:
        """Write a batch down, durable when this returns; as `Board.tell`. Raises OSError when it cannot be."""
        with self._opened(os.O_CREAT) as fd, _locked(fd, patience) as mine:
            if not mine:
                raise TimeoutError("the spool is locked by another process")
            board.lay(fd)
            end = board.SIZE + sum(len(line) for line, _ in _records(_read(fd)))
            # The NUL keeps what an earlier, longer use left behind this record from being read after it.
            _write(fd, _line(batch) + b"\0", end)
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
                return [batch for _, batch in _records(_read(fd))]
        except FileNotFoundError:
            return []

    def clear(self, sent: Collection[str], *, patience: float = 0.2) -> bool:
        """Empty it if all its batches are in `sent`; was that so? Raises OSError.

        All or none: a crash in the middle of writing the rest back would lose what was not sent.
        """
        with self._opened() as fd, _locked(fd, patience) as mine:
            text = _read(fd) if mine else b""
            if not mine or any(batch.id not in sent for _, batch in _records(text)):
                return False
            if used := len(text.rstrip(b"\0")):
                _write(fd, bytes(used), board.SIZE)
        self.board.tell()
        return True

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


def _read(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    return os.pread(fd, max(0, size - board.SIZE), board.SIZE)


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


def _entry(row: list[Any]) -> NewEntry:
    # A later release may write more.
    fields = row[: len(_KINDS)]
    if len(fields) < len(_KINDS) or not all(map(isinstance, fields, _KINDS)):
        raise ValueError("not an entry")
    return NewEntry(*fields)
