"""Where the time of a run goes: ``TIMINGS=<directory> python -m pytest -p tests.timings …`` tells at its end.

For each test, from its set-up to its tear-down: how long it took, and how much of that a processor worked for it, in
its own process and in whatever that has started (browsers, servers). The rest it waited, and another test could have
run. With several workers: how long each had nothing to do while the last one finished.
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

SHOWN = 40
_TICKS = os.sysconf("SC_CLK_TCK")


def _worked() -> float:
    """Seconds of a processor that this process and all below it, ended ones too, have used."""
    used = sum(
        each.ru_utime + each.ru_stime
        for each in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
    return used + sum(map(_used, _below(os.getpid())))


def _below(pid: int) -> list[int]:
    found, parents = [], [pid]
    while parents:
        parent = parents.pop()
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                below = [int(child) for child in children.read_text().split()]
            except OSError:
                continue  # it has just ended
            found += below
            parents += below
    return found


def _used(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS


class _Notes:
    """Of one process that runs tests."""

    def __init__(self, directory: Path, worker: str) -> None:
        self._file = (directory / f"{worker}.jsonl").open("w", buffering=1)
        self._worker = worker

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        began, worked = time.monotonic(), _worked()
        try:
            return (yield)
        finally:
            ended = time.monotonic()
            note = {"worker": self._worker, "test": item.nodeid, "began": began, "ended": ended}
            self._file.write(json.dumps({**note, "worked": _worked() - worked}) + "\n")

    def pytest_unconfigure(self) -> None:
        self._file.close()


class _Summary:
    """Of the process that hears of all."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        notes = [
            json.loads(line)
            for path in self._directory.glob("*.jsonl")
            for line in path.read_text().splitlines()
        ]
        if notes:
            terminalreporter.section("where the time went")
            for line in told(notes):
                terminalreporter.line(line)


def told(notes: list[dict[str, Any]]) -> list[str]:
    """The summary, for people."""
    for note in notes:
        note["took"] = note["ended"] - note["began"]
    first, last = min(note["began"] for note in notes), max(note["ended"] for note in notes)
    found = [f"{last - first:7.0f} s in all, {sum(note['worked'] for note in notes):.0f} s of a processor"]
    for worker, own in sorted(_grouped(notes, lambda note: note["worker"]).items()):
        idle = last - max(note["ended"] for note in own)
        found.append(
            f"{worker:>7}: {sum(note['took'] for note in own):.0f} s of tests, idle {idle:.0f} s at the end"
        )
    for what, key, most in (
        ("directory", lambda note: note["test"].partition("::")[0].rpartition("/")[0], None),
        ("file", lambda note: note["test"].partition("::")[0], SHOWN),
        ("test", lambda note: note["test"], SHOWN),
    ):
        found.append(f"   took  worked  tests  {what}")
        groups = sorted(_grouped(notes, key).items(), key=lambda one: -sum(note["took"] for note in one[1]))
        found += [
            f"{sum(note['took'] for note in own):7.1f} {sum(note['worked'] for note in own):7.1f} {len(own):6}  {name}"
            for name, own in groups[:most]
        ]
    return found


def _grouped(notes: list[dict[str, Any]], key: Any) -> dict[str, list[dict[str, Any]]]:
    found = defaultdict(list)
    for note in notes:
        found[key(note)].append(note)
    return found


def pytest_configure(config: pytest.Config) -> None:
    """Note here, and sum up where all are heard of."""
    directory = Path(os.environ["TIMINGS"])
    directory.mkdir(parents=True, exist_ok=True)
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        for old in directory.glob("*.jsonl"):
            old.unlink()
        config.pluginmanager.register(_Summary(directory))
    if worker is not None or not config.getoption("numprocesses", None):
        config.pluginmanager.register(_Notes(directory, worker or "alone"))
