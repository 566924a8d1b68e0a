"""Entries that the log could not take, kept beside it until it can.

One file for all processes of the host, made with its full size when the log is opened, so that a few hundred
entries find room on a disk that has filled up since. A record is one line: its CRC, a batch id, the
entries. The valid records from the start count; the first line that is none ends them, so a record torn by
a crash is dropped (it was never called durable) and the next one is written over it.

Sending is taking: whoever holds the file's lock appends all records to the log and clears the file after the
commit. A crash between the two sends a batch twice, which ends no session more: spooled entries are dated.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.core.revocation import NewEntry

SIZE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """What was appended together; the id is unique among all processes."""

    id: str
    entries: tuple[NewEntry, ...]


class Spool:
    """The spool file. Every call opens the file anew, so that two threads exclude each other as
    processes do.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> None:
        """Make the file and its room. Raises OSError."""
        with self._opened(os.O_CREAT) as fd:
            if os.fstat(fd).st_size < SIZE:
                with suppress(OSError):  # no room now: then what fits will be spooled
                    os.posix_fallocate(fd, 0, SIZE)

    def put(self, batch: Batch, *, patience: float = 0.2) -> None:
        """Write a batch down, durable when this returns. Raises OSError when it cannot be."""
        with self._opened(os.O_CREAT) as fd, _locked(fd, patience) as mine:
            if not mine:
                raise TimeoutError("the spool is locked by another process")
            text = _read(fd)
            end = sum(len(line) for line, _ in _records(text))
            # The NUL keeps what an earlier, longer use left behind this record from being read after it.
            _write(fd, _line(batch) + b"\0", end)

    def filled(self) -> bool:
        """Is anything in it? Cheap."""
        try:
            with self._opened() as fd:
                return os.pread(fd, 1, 0) not in (b"", b"\0")
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
            _write(fd, bytes(len(text.rstrip(b"\0"))), 0)
            return True

    @contextmanager
    def sending(self) -> Iterator[list[Batch] | None]:
        """All batches, to be sent within the block; cleared when it ends without an error.

        None when another process is sending. A file that cannot be read holds nothing.
        """
        try:
            opened = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            yield []
            return
        try:
            with _locked(opened, 0) as mine:
                text = _read(opened) if mine else b""
                batches = [batch for _, batch in _records(text)]
                yield batches if mine else None
                if batches:
                    _write(opened, bytes(len(text.rstrip(b"\0"))), 0)
        finally:
            os.close(opened)

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
    return os.pread(fd, size, 0)


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
    for line in text.splitlines(keepends=True):
        batch = _parse(line)
        if batch is None:
            return
        yield line, batch


def _parse(line: bytes) -> Batch | None:
    body = line[9:-1]
    if not line.endswith(b"\n") or line[:9] != b"%08x " % zlib.crc32(body):
        return None
    name, rows = json.loads(body)
    return Batch(name, tuple(NewEntry(*row) for row in rows))
