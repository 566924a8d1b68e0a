"""Tests of a group share a process, and so do those of a file; what takes longest begins first."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import schedule
from tests.schedule import FIRST, unit

ROOT = Path(__file__).parents[1]
SAMPLE = """
import os
import pytest

@pytest.mark.xdist_group("shared")
@pytest.mark.parametrize("who", ["a", "b@c", "d"])
def test_of_a_group(who): print(f"in {{os.environ['PYTEST_XDIST_WORKER']}} shared")

@pytest.mark.parametrize("number", range(4))
def test_of_a_file(number): print(f"in {{os.environ['PYTEST_XDIST_WORKER']}} {name}")
"""


def test_tests_of_a_group_and_of_a_file_run_in_one_process(tmp_path: Path) -> None:
    """With the versions of pytest and xdist that are installed: whether the names fit together is theirs."""
    hooks = "from tests.conftest import pytest_collection_modifyitems, pytest_xdist_make_scheduler\n"
    (tmp_path / "conftest.py").write_text(hooks)
    for name in "xyz":
        (tmp_path / f"test_{name}.py").write_text(SAMPLE.format(name=name))
    said = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-n",
            "2",
            "--dist",
            "loadgroup",
            "-rP",
            "-p",
            "no:cacheprovider",
            ".",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    where: dict[str, set[str]] = {}
    for worker, name in re.findall(r"^in (gw\d) (\w+)$", said, re.MULTILINE):
        where.setdefault(name, set()).add(worker)
    assert {name: len(workers) for name, workers in where.items()} == dict.fromkeys(["shared", *"xyz"], 1)
    assert set.union(*where.values()) == {"gw0", "gw1"}


@pytest.mark.parametrize(
    ("nodeid", "found"),
    [
        ("tests/a/test_b.py::test_c", "tests/a/test_b.py"),
        ("tests/a/test_b.py::TestD::test_c[x@y]", "tests/a/test_b.py"),
        ("tests/a/test_b.py::test_c[x@y]@firefox", "firefox"),
        ("tests/a/test_b.py::test_c@cluster", "cluster"),
    ],
)
def test_a_test_belongs_to_its_group_or_its_file(nodeid: str, found: str) -> None:
    """An ``@`` in a parameter is none of a group."""
    assert unit(nodeid) == found


def test_what_begins_first_is_there() -> None:
    """A group or file that has another name now would begin late."""
    marked = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        if "node_modules" not in path.parts
        for mark in re.findall(r'xdist_group\(f?"([^"]+)"\)', path.read_text("utf-8"))
        for name in (mark.replace("{window.program}", program) for program in ("chromium", "firefox"))
    }
    assert [name for name in FIRST if name not in marked and not (ROOT / name).is_file()] == []
    assert schedule.ordered([]) == []
