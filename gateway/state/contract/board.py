"""What the processes of a host must know of each other at once: the first page of the spool, mapped by all of them.

A *stamp* that is another one after every change, so that a look at memory tells whether the spool has to be read again,
and a second one that says whether that has to be done from the start. And a *mark* of each process that has entries
which are in no file, neither in the log nor in the spool. The mark is one byte, and its owner holds a lock on that byte
for as long as it lives (an OFD lock: it ends with the process). A mark that nobody holds is of a process that has died,
and taken along what others had to know.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAGIC: Final = b"gwspool\x02"
SIZE: Final = 4096
_RECORDS: Final = 1
"""The words of the page, written under the file's lock: the stamp of the records, and the clearing."""
_CLEARING: Final = 2
_SENDER: Final = 32
"""The byte that the process locks which sends the spool, or answers for the dead."""
_FIRST: Final = 64
"""The byte of the page where the marks begin."""
_LAST: Final = _FIRST + 512
_LOCK: Final = "hhqqi4x"
"""`struct flock` where offsets have 64 bits."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Of other processes. `alive`: how many of them live; `dead`: the places of those that do not."""

    alive: int = 0
    dead: tuple[int, ...] = ()


class Board:
    """The board of one spool. `open` before use; everything may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._guard = threading.Lock()
        self._fd = -1
        self._map: mmap.mmap | None = None
        self._words = memoryview(bytearray(SIZE)).cast("Q")
        self._marks = memoryview(bytes(_LAST - _FIRST))
        self._file = (0, 0)
        self._mine = -1

    def open(self) -> None:
        """Map the page of a file that has one (`lay`). Raises OSError."""
        fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            status = os.fstat(fd)
            page = mmap.mmap(fd, SIZE)
        except BaseException:
            os.close(fd)
            raise
        with self._guard:
            marked = self._mine >= 0
            self._let_go()
            self._fd, self._map, self._file = fd, page, (status.st_dev, status.st_ino)
            self._words = memoryview(page).cast("Q")
            self._marks = memoryview(page)[_FIRST:_LAST]
            if marked:
                self._mine = self._take()

    def close(self) -> None:
        """Unmap. A mark that stands is from now on one of the dead. The last stamp stays readable."""
        with self._guard:
            self._let_go()

    def _let_go(self) -> None:
        self._words = memoryview(bytearray(self._words.tobytes())).cast("Q")
        self._marks = memoryview(self._marks.tobytes())
        self._map, self._mine = None, -1
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def stamp(self) -> tuple[int, bytes]:
        """Of the records, and the marks of other processes."""
        marks, mine = self._marks.tobytes(), self._mine - _FIRST
        return self._words[_RECORDS], marks if mine < 0 else marks[:mine] + b"\0" + marks[mine + 1 :]

    def tell(self) -> tuple[int, int]:
        """There is a new record; the first of the stamps before and after, for whoever knew all before knows its own
        change too. The caller holds the file's lock.
        """
        before = self._words[_RECORDS]
        self._words[_RECORDS] = after = _another()
        return before, after

    @property
    def marked(self) -> bool:
        """Does this process's mark stand?"""
        return self._mine >= 0

    def mark(self) -> None:
        """This process has something that is in no file. Needs no room on the disk. Raises OSError."""
        with self._guard:
            if self._mine < 0:
                self._mine = self._take()

    def unmark(self) -> None:
        """Everything is in some file now."""
        with self._guard:
            if self._mine >= 0 and self._map is not None:
                self._map[self._mine] = 0
                self._lock(self._mine, fcntl.F_UNLCK)
                self._mine = -1

    def keep(self) -> None:
        """Have the page on the disk. Raises OSError."""
        page = self._map
        if page is not None:
            page.flush()

    def marks(self) -> Marks:
        """Of other processes."""
        with self._guard:
            if self._map is None:
                return Marks()
            places = [_FIRST + at for at, mark in enumerate(self._map[_FIRST:_LAST]) if mark]
            others = [place for place in places if place != self._mine]
            held = [place for place in others if self._held(place)]
        return Marks(len(held), tuple(place for place in others if place not in held))

    def forget(self, dead: Iterable[int]) -> None:
        """What these processes had is known to be lost, and has been answered for."""
        with self._guard:
            for place in dead:
                if self._map is not None and not self._held(place):
                    self._map[place] = 0

    @contextmanager
    def sending(self) -> Iterator[None]:
        """One process of the host at a time: sends, or answers for the dead. Raises BlockingIOError when another one
        does it, and OSError.
        """
        if not self._lock(_SENDER, fcntl.F_WRLCK):
            raise BlockingIOError(errno.EAGAIN, "another process is sending the spool")
        try:
            yield
        finally:
            self._lock(_SENDER, fcntl.F_UNLCK)

    def replaced(self) -> bool:
        """Is another file, or none, at the path by now?"""
        try:
            status = self.path.stat()
        except OSError:
            return True
        return (status.st_dev, status.st_ino) != self._file

    def _take(self) -> int:
        if self._map is None:
            raise OSError(errno.EBADF, "the spool is not open")
        for place in range(_FIRST, _LAST):
            if not self._map[place] and self._lock(place, fcntl.F_WRLCK):
                if not self._map[place]:
                    self._map[place] = 1
                    return place
                self._lock(place, fcntl.F_UNLCK)
        raise OSError(errno.ENOLCK, "no mark is free")

    def _lock(self, place: int, kind: int) -> bool:
        try:
            fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, struct.pack(_LOCK, kind, os.SEEK_SET, place, 1, 0))
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _held(self, place: int) -> bool:
        asked = struct.pack(_LOCK, fcntl.F_WRLCK, os.SEEK_SET, place, 1, 0)
        answer = fcntl.fcntl(self._fd, fcntl.F_OFD_GETLK, asked)
        return bool(struct.unpack(_LOCK, answer)[0] != fcntl.F_UNLCK)


def clearing(fd: int) -> int:
    """Another one after every `clear` of this file; the caller holds the file's lock."""
    return int.from_bytes(os.pread(fd, 8, 8 * _CLEARING), "little")


def clear(fd: int) -> None:
    """The records behind the page are about to be others; the caller holds the file's lock. Raises OSError."""
    os.pwrite(fd, _another().to_bytes(8, "little"), 8 * _CLEARING)


def _another() -> int:
    return (time.monotonic_ns() << 22 | os.getpid() & 0x3FFFFF) & 0xFFFFFFFFFFFFFFFF


def lay(fd: int) -> None:
    """Give a file its page where it has none; the caller holds the file's lock. Raises OSError.

    A page that is somebody else's may have had marks on it: it gets one, of a dead process.
    """
    page = os.pread(fd, SIZE, 0)
    if len(page) == SIZE and page.startswith(MAGIC):
        return
    blank = bytearray(SIZE)
    blank[: len(MAGIC)] = MAGIC
    blank[8 * _CLEARING : 8 * _CLEARING + 8] = _another().to_bytes(8, "little")
    blank[_FIRST] = bool(page.strip(b"\0"))
    # Written, not truncated: a hole in a mapped file is a SIGBUS when the disk is full.
    os.pwrite(fd, blank, 0)
    os.fsync(fd)
