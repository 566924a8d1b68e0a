"""A file system that is full, for real: a small one, mounted for one test. Needs the right to mount."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_MNT_DETACH = 2


class Disk:
    """Where it is mounted, and the file that fills it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._filler = directory / "filler"

    def fill(self, *, but: int = 0) -> None:
        """Until nothing more can be written, or ``but`` so many bytes."""
        with self._filler.open("wb", buffering=0) as file:
            with pytest.raises(OSError, match="No space"):
                while True:
                    file.write(bytes(4096))
            if but:
                file.truncate(file.seek(0, os.SEEK_END) - but)

    def free(self) -> None:
        """There is room again."""
        self._filler.unlink()


@contextmanager
def mounted(directory: Path, *, mebibytes: int = 2) -> Iterator[Disk]:
    """A disk of this size in a directory, which is made."""
    directory.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.mount(b"tmpfs", bytes(directory), b"tmpfs", 0, f"size={mebibytes}m".encode())
    assert not failed, os.strerror(ctypes.get_errno())
    try:
        yield Disk(directory)
    finally:
        libc.umount2(bytes(directory), _MNT_DETACH)
