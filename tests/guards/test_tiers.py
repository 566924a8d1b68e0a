"""What everybody runs stays small, what is large is bounded, and continuous integration runs both."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.fakes.patience import PATIENCE

ROOT = Path(__file__).parents[2]
MORE = ROOT / "tests" / "more.sh"
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
RULES = re.findall(r"^([a-z0-9-]+):.*", MAKEFILE, re.MULTILINE)


def large() -> dict[str, int]:
    """The targets of `make test-more`, and the minutes that each may take."""
    (entries,) = re.findall(r"^MORE :=((?:.*\\\n)*.*)", MAKEFILE, re.MULTILINE)
    return {name: int(minutes) for name, minutes in re.findall(r"([a-z0-9-]+):(\d+)", entries)}


@pytest.fixture
def more(tmp_path: Path) -> list[str | Path]:
    """`tests/more.sh` with a `make` that says what it was asked for and does what the target is called."""
    make = tmp_path / "make"
    make.write_text(
        '#!/bin/sh\necho "made $2"\ncase $2 in good*) ;; slow) exec sleep 600 ;; *) exit 1 ;; esac\n'
    )
    make.chmod(0o755)
    return ["env", f"MAKE={make}", "bash", MORE]


def run(command: list[str | Path], *entries: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command, *entries], capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_what_is_large_fits_in_half_an_hour() -> None:
    """Each is a target that says what it is; together they take no more than 30 minutes."""
    assert sum(large().values()) <= 30
    for name in large():
        assert re.search(rf"^{name}:.*## ", MAKEFILE, re.MULTILINE), name


def test_continuous_integration_runs_both_tiers() -> None:
    """Nothing else, in this order."""
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("make")] == ["make test", "make test-more"]


def test_every_target_is_in_the_list_of_help() -> None:
    """`make` alone prints it; nothing is left out."""
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"^make (\S+) +\S", said, re.MULTILINE)
    assert sorted(listed) == sorted(set(RULES))


def test_all_are_run_and_the_bad_ones_named(more: list[str | Path]) -> None:
    """One that fails or takes too long stops none that comes after."""
    ran = run(["env", "MINUTE=1", *more], "bad:0", "slow:1", "good:0")  # 0 is no limit, as `timeout` has it
    assert ran.returncode == 1
    lines = ran.stdout.splitlines()
    made = [line for line in lines[:-3] if line != "made slow"]  # it may be stopped before it says so
    assert made == ["made bad", "made good"]
    assert [" ".join(line.split()[:3]).rstrip(",") for line in lines[-3:]] == [
        "test-more: failed bad", "test-more: too long", "test-more: passed good",
    ]  # fmt: skip


def test_it_passes_when_all_do(more: list[str | Path]) -> None:
    """And with nothing to run."""
    assert run(more, "good:10", "good-too:20").returncode == 0
    assert run(more).returncode == 0


def test_more_than_half_an_hour_is_refused(more: list[str | Path]) -> None:
    """Before anything is run."""
    ran = run(more, "good:30", "good-too:1")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "31 minutes, more than 30" in ran.stderr


def test_what_make_test_leaves_out_is_run_by_a_target_of_make_test_more() -> None:
    """Tests that are marked as large stand in a place that such a target runs."""
    files = [
        path for path in (ROOT / "tests").rglob("test_*.py") if "pytest.mark.large" in path.read_text("utf-8")
    ]
    places = {
        place
        for name, recipe in re.findall(r"^([a-z0-9-]+):.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
        if name in large()
        for place in re.findall(r"-m large (\S+)", recipe)
    }
    named = {path for path in files if path != Path(__file__)}
    assert named
    assert {path for path in named if not any(path.is_relative_to(ROOT / place) for place in places)} == set()
