"""The summary of where the time went says what the notes say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.timings import told

ROOT = Path(__file__).parents[1]


def note(worker: str, test: str, began: float, ended: float, worked: float) -> dict[str, object]:
    return {"worker": worker, "test": test, "began": began, "ended": ended, "worked": worked}


def test_it_tells_who_was_idle_and_what_took_long() -> None:
    """For each process, directory, file and test, the longest first."""
    lines = told(
        [
            note("gw0", "tests/a/test_x.py::test_one", 100, 104, 1),
            note("gw0", "tests/a/test_y.py::test_two", 104, 105, 1),
            note("gw1", "tests/b/test_z.py::test_three[a/b]", 101, 110, 2.5),
        ]
    )
    assert lines[0].split() == ["10", "s", "in", "all,", "4", "s", "of", "a", "processor"]
    assert lines[1].strip() == "gw0: 5 s of tests, idle 5 s at the end"
    assert lines[2].strip() == "gw1: 9 s of tests, idle 0 s at the end"
    assert [line.split() for line in lines[3:6]] == [
        ["took", "worked", "tests", "directory"],
        ["9.0", "2.5", "1", "tests/b"],
        ["5.0", "2.0", "2", "tests/a"],
    ]
    assert lines[-3].split() == ["9.0", "2.5", "1", "tests/b/test_z.py::test_three[a/b]"]


def test_it_counts_what_a_test_has_started(tmp_path: Path) -> None:
    """A process that works and has ended is part of the test's work."""
    (tmp_path / "test_work.py").write_text(
        "import subprocess, sys\n"
        "def test_work(): subprocess.run([sys.executable, '-c', 'sum(range(20_000_000))'], check=True)\n"
        "def test_rest(): pass\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "0",
        "-p",
        "tests.timings",
        "-p",
        "no:cacheprovider",
        ".",
    ]
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environ = {**ours, "PYTHONPATH": str(ROOT), "TIMINGS": str(tmp_path / "notes")}
    run = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    rows = [line.split() for line in run.stdout.splitlines() if "::test_" in line]
    assert [row[-1] for row in rows] == ["test_work.py::test_work", "test_work.py::test_rest"]
    assert float(rows[0][1]) > float(rows[1][1])
