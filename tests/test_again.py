"""``make test-again`` stops at the first failure, is bounded, and leaves nothing running."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import again


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite that writes down each of its runs, how many burn beside it, and fails where it is told to."""
    runs = tmp_path / "runs"
    code = (
        "import os, pathlib, sys\n"
        f"runs = pathlib.Path({str(runs)!r})\n"
        "beside = len(pathlib.Path(f'/proc/{os.getppid()}/task/{os.getppid()}/children').read_text().split()) - 1\n"
        "runs.write_text(runs.read_text() + f'{beside} ' if runs.exists() else f'{beside} ')\n"
        f"sys.exit(3 if len(runs.read_text().split()) == int(pathlib.Path({str(tmp_path / 'fails')!r}).read_text()) else 0)\n"
    )
    (tmp_path / "fails").write_text("0")
    monkeypatch.setattr(again, "SUITE", ("-c", code))
    monkeypatch.setattr(again, "PLACE", tmp_path / "place")
    monkeypatch.setattr(again, "clean", lambda: None)
    monkeypatch.setattr("tests.again.os.cpu_count", lambda: 2)
    return runs


def test_the_first_run_is_alone_and_the_others_are_not(
    suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As many burn as there are processors, and none afterwards."""
    assert again.main(3, []) == 0
    alone, *beside = suite.read_text().split()
    assert [int(number) - int(alone) for number in beside] == [2, 2]
    assert "run 3 of 3, beside 2 busy processes: passed" in capsys.readouterr().out


def test_the_first_failure_ends_it(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its status."""
    (suite.parent / "fails").write_text("2")
    assert again.main(3, []) == 3
    assert len(suite.read_text().split()) == 2
    assert "run 2 of 3, beside 2 busy processes: failed with status 3" in capsys.readouterr().out


@pytest.mark.parametrize("times", [0, 21])
def test_it_is_bounded(times: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither nothing nor for ever."""
    assert again.main(times, []) == 2
    assert "from 1 to 20" in capsys.readouterr().err


def test_a_run_that_hangs_is_ended(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With everything that burns beside it."""
    monkeypatch.setattr(again, "SUITE", ("-c", "import time; time.sleep(600)"))
    monkeypatch.setattr(again, "BOUND", 0.1)
    assert again.once([], 2) == 124


def test_a_burner_ends_with_whoever_started_it() -> None:
    """However that ends: the parent is killed, and the burner sees it."""
    code = (
        "import os, subprocess, sys\n"
        f"burner = subprocess.Popen([sys.executable, '-c', {again.BURN!r}, str(os.getpid())])\n"
        "print(burner.pid, flush=True)\n"
        "input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        burner = Path(f"/proc/{int(parent.stdout.readline())}")
        parent.kill()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it is gone before or while it is read
        while "\nState:\tZ" not in (burner / "status").read_text():
            time.sleep(0.02)
