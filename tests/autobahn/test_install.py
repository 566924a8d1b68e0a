"""Which Python 2.7 the suite gets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.autobahn.install import python27


def program(path: Path, status: int) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nexit {status}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory where programs are found; pyenv's is empty."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.delenv("PYTHON27", raising=False)
    return directory


def test_one_that_does_not_run_is_passed_over(path: Path, tmp_path: Path) -> None:
    """pyenv's shim stands in the path and fails; its versions are looked at."""
    program(path / "python2.7", 127)
    real = program(tmp_path / "pyenv" / "versions" / "2.7.18" / "bin" / "python2.7", 0)
    assert python27() == real
    program(path / "python2.7", 0)
    assert python27() == str(path / "python2.7")


@pytest.mark.parametrize("named", [sys.executable, "/nowhere/python2.7", ""])
def test_without_one_it_says_what_to_install(path: Path, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the one that was named is another version."""
    monkeypatch.setenv("PYTHON27", named)
    with pytest.raises(SystemExit, match=r"no Python 2\.7 that runs") as ended:
        python27()
    assert "pyenv install 2.7" in str(ended.value)
