"""How far a log was, written down outside of its directory (rule R4).

A directory that is restored from a snapshot brings everything back that would know better, the counter included. So
the processes of a host write down in a place of the running system how far they have seen the log: a small file in
memory, which no backup has. After a restart of the machine it is gone, and so is what it knew.

It has a line for each of the last log ids: the id and the furthest position. An id that the log has no more is retired:
it stands there with a position that no log reaches, for a copy that still has it is an older one.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.core.signout.revocation import UNPLACED
from gateway.state.contract.counter import flocked

LINES: Final = 8
_LINE: Final = re.compile(rb"([0-9a-f]{32}) (\d{19})\n")
_LONGEST: Final = 4096
_MEMORY: Final = "/dev/shm"  # noqa: S108 - what is in it is checked


class Witness:
    """The witness of one state file. It opens its own file anew each time, for that may be removed at any time.

    :ivar trouble: why there is none; empty where there is.
    """

    def __init__(self, state: Path, environment: Mapping[str, str] = os.environ) -> None:
        """:param state: the state file; where it is, nothing is written down. :param environment: names the places."""
        self.trouble = ""
        self._name = f"gateway-{hashlib.sha256(str(state.absolute()).encode()).hexdigest()[:24]}.witness"
        self._beside = state.parent
        self._environment = environment

    def remembered(self, log_id: str) -> int:
        """The furthest position of this log that was seen; 0 where nobody knows."""
        try:
            with self._opened(0) as fd:
                return _lines(fd).get(log_id, 0)
        except OSError:
            return 0

    def note(self, log_id: str, position: int) -> None:
        """This log was committed up to here. Never raises: ``trouble`` says what is wrong."""
        try:
            with self._opened(os.O_CREAT) as fd, flocked(fd, 0.05):
                lines = _lines(fd)
                furthest = max(position, lines.pop(log_id, 0))
                _write(fd, {**lines, log_id: furthest})
        except OSError as error:
            self.trouble = error.strerror or str(error)
        else:
            self.trouble = ""

    def retire(self, log_id: str) -> None:
        """The log has another id than this one from now on."""
        self.note(log_id, UNPLACED)

    @contextmanager
    def _opened(self, flags: int) -> Iterator[int]:
        fd = os.open(self._path(), os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | flags, 0o600)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or not _is_private(found):
                raise PermissionError(1, "the file with the witness's name is somebody else's")
            yield fd
        finally:
            os.close(fd)

    def _path(self) -> Path:
        named = (
            f"{self._environment.get('RUNTIME_DIRECTORY', '')}:{self._environment.get('XDG_RUNTIME_DIR', '')}"
        )
        for directory in map(Path, [*filter(None, named.split(":")), _MEMORY]):
            if directory.is_absolute() and _is_safe(directory) and not _is_in(self._beside, directory):
                return directory / self._name
        raise FileNotFoundError(
            2, "no directory of the running system can be used ($RUNTIME_DIRECTORY, /dev/shm)"
        )


def _is_private(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _is_safe(directory: Path) -> bool:
    """Whether nobody else can put another file in the place of ours: only its owner may rename in it, or all may, and
    each only what is their own.
    """
    try:
        found = directory.stat()
    except OSError:
        return False
    mine = found.st_uid in {0, os.geteuid()} and (
        not found.st_mode & 0o022 or bool(found.st_mode & stat.S_ISVTX)
    )
    return stat.S_ISDIR(found.st_mode) and mine and os.access(directory, os.W_OK | os.X_OK)


def _is_in(directory: Path, other: Path) -> bool:
    """Whether what restores ``directory`` may restore ``other``."""
    return other.resolve().is_relative_to(directory.resolve())


def _lines(fd: int) -> dict[str, int]:
    return {found[1].decode(): int(found[2]) for found in _LINE.finditer(os.pread(fd, _LONGEST, 0))}


def _write(fd: int, lines: Mapping[str, int]) -> None:
    latest = list(lines.items())[-LINES:]
    text = b"".join(b"%b %019d\n" % (log_id.encode(), position) for log_id, position in latest)
    os.pwrite(fd, text, 0)
    os.ftruncate(fd, len(text))
