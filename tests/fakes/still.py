"""Processes that are held still: wherever they are, but not before they really stand, nor with a lock that others need."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection
from pathlib import Path

from tests.fakes.patience import PATIENCE


def stop(pid: int) -> None:
    """SIGSTOP; returns when none of its threads goes on."""
    os.kill(pid, signal.SIGSTOP)
    until = time.monotonic() + PATIENCE
    while not _stands(pid):
        assert time.monotonic() < until, f"{pid} does not stand still"
        time.sleep(0.001)


def stop_between(pids: Collection[int]) -> None:
    """The same of several that share files, at a moment in which none of them keeps the others from those."""
    until = time.monotonic() + PATIENCE
    while True:
        for pid in pids:
            stop(pid)
        if not _writing(pids):
            return
        assert time.monotonic() < until, "they are never without a lock"
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        time.sleep(0.005)


def _stands(pid: int) -> bool:
    for task in Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            state = task.read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue  # the thread has ended
        if state not in "TtZX":
            return False
    return True


def _writing(pids: Collection[int]) -> bool:
    """Has one of them a lock that excludes others? Those that stand for as long as a file is open exclude nobody."""
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return any(
        words[1] in {"FLOCK", "POSIX"} and words[3] == "WRITE" and int(words[4]) in pids
        for words in locks
        if words[1] != "->"  # it waits for one
    )
