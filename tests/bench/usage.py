"""What processes and cores have used, as Linux counts it (proc(5))."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes of some processes.

    :ivar largest: of the largest process, all that it maps.
    :ivar total: the same, and what each of the others has for itself: what they share counts once.
    """

    largest: int
    total: int


def tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time used so far (stat, fields 14 and 15)."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def memory(pids: Iterable[int]) -> Memory:
    """Resident memory now (smaps_rollup)."""
    sizes = sorted(map(_sizes, pids))
    largest = sizes[-1][0]
    return Memory(largest, largest + sum(private for _, private in sizes[:-1]))


def _sizes(pid: int) -> tuple[int, int]:
    """All resident bytes of a process, and those that it shares with nobody."""
    found: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        found[name] = int(rest.split()[0]) * 1024
    return found["Rss"], found["Private_Clean"] + found["Private_Dirty"]


def core_seconds(cores: Iterable[int]) -> float:
    """What cores have worked since the machine started, and what the hypervisor took from them (stat)."""
    lines = {line.split()[0]: line.split()[1:] for line in Path("/proc/stat").read_text().splitlines()}
    total = 0
    for core in cores:
        user, nice, system, _idle, _wait, _irq, _softirq, steal, *_ = map(int, lines[f"cpu{core}"])
        total += user + nice + system + steal
    return total / TICK
