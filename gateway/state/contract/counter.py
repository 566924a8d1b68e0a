"""The last position of the log in memory that all processes of a host share (rule R4).

A file of 64 bytes beside the log, mapped by every process: eight bytes of magic, the log id, the position. A
process that has committed raises the position; every other process compares it with its index on every
decision and sees the change without a system call. The position is one aligned machine word, so it is never
read half written; raising it is done under a lock on the file, so it never goes back.

The file is only a hint that is rebuilt from the log. What it must not do is stay behind, and a process that
dies between commit and raise leaves it behind until the next process opens the log or commits; the others
read the tail once a second whatever the counter says.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MAGIC: Final = b"gwseq\x00\x00\x01"
SIZE: Final = 64
_ID: Final = slice(8, 24)
_WORD: Final = 3


class Counter:
    """The counter of one log. `open` before use; reading is safe from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1
        self._map: mmap.mmap | None = None
        self._words = memoryview(bytearray(SIZE)).cast("Q")
        self._file = (0, 0)

    def open(self) -> None:
        """Map the file, made or lengthened where needed. Raises OSError."""
        self.close()
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        status = os.fstat(self._fd)
        if status.st_size < SIZE:
            # Written, not truncated: a hole in a mapped file is a SIGBUS when the disk is full.
            os.pwrite(self._fd, bytes(SIZE - status.st_size), status.st_size)
        self._file = (status.st_dev, status.st_ino)
        self._map = mmap.mmap(self._fd, SIZE)
        self._words = memoryview(self._map).cast("Q")

    def close(self) -> None:
        """Unmap. The last value stays readable, because another thread may be asking."""
        self._words = memoryview(bytearray(self._words.tobytes())).cast("Q")
        self._map = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def value(self) -> int:
        """The last position that some process has committed."""
        return self._words[_WORD]

    def remembered(self, log_id: str) -> int | None:
        """The position in the file if it was written for this log, else None."""
        if self._map is None or self._map[:8] != MAGIC or self._map[_ID] != bytes.fromhex(log_id):
            return None
        return self.value()

    def begin(self, log_id: str, position: int) -> None:
        """Write the whole file anew. The caller holds `locked`."""
        if self._map is None:
            return
        self._words[_WORD] = position
        self._map[_ID] = bytes.fromhex(log_id)
        self._map[:8] = MAGIC

    def raise_to(self, position: int, *, patience: float = 0.05) -> None:
        """Tell every process that this position is committed; a later one stays.

        When the lock is not had within `patience` seconds the position is written all the same: a process
        that was stopped while it held the lock must not silence the others.
        """
        with self.locked(patience=patience):
            if self.value() < position:
                self._words[_WORD] = position

    @contextmanager
    def locked(self, *, patience: float) -> Iterator[bool]:
        """Keep other processes from writing the file; yields whether that was achieved in `patience`
        seconds.
        """
        with flocked(self._fd, patience) as mine:
            yield mine

    def replaced(self) -> bool:
        """Is another file, or none, at the path by now?"""
        try:
            status = self.path.stat()
        except OSError:
            return True
        return (status.st_dev, status.st_ino) != self._file or status.st_size < SIZE


@contextmanager
def flocked(fd: int, patience: float) -> Iterator[bool]:
    """Hold the lock of an open file; yields whether it was had in ``patience`` seconds."""
    mine = _lock(fd, patience)
    try:
        yield mine
    finally:
        if mine:
            fcntl.flock(fd, fcntl.LOCK_UN)


def _lock(fd: int, patience: float) -> bool:
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.002)
