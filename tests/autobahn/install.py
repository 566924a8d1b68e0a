"""The suite's own environment under ``build/autobahn``: it needs Python 2.7, and nothing else in this project does.

Everything comes from PyPI by version and hash. What is there already is left alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INTO = ROOT / "build" / "autobahn"
REQUIREMENTS = Path(__file__).with_name("requirements")
NO_PYTHON = """\
autobahn: no Python 2.7 that runs was found, and the Autobahn test suite needs one.
Install it (`pyenv install 2.7.18`; older Debians: `apt install python2.7`), or name one: make autobahn PYTHON27=/path/to/python2.7
"""
_PATIENCE = 300
"""Seconds for one step: one package is compiled where no wheel fits."""
_IS_2_7 = "import sys, zlib; sys.exit(sys.version_info[:2] != (2, 7))"


def suite() -> Path:
    """The interpreter of an environment that has the suite; exits where it cannot be made."""
    environment, stamp = INTO / "env", INTO / "installed"
    locks = [REQUIREMENTS / "virtualenv.txt", REQUIREMENTS / "suite.txt"]
    wanted = "".join(lock.read_text() for lock in locks)
    python = environment / "bin" / "python"
    if stamp.is_file() and stamp.read_text() == wanted and python.exists():
        return python
    old = python27()
    shutil.rmtree(INTO, ignore_errors=True)
    INTO.mkdir(parents=True)
    # virtualenv brings a pip for Python 2.7 along, so the interpreter needs none of its own.
    maker = INTO / "virtualenv"
    _run([sys.executable, "-m", "pip", *_QUIET, "--no-deps", "--target", maker, "-r", locks[0]])
    _run([old, maker / "virtualenv.py", "--quiet", "--no-download", environment])
    _run([python, "-W", "ignore", "-m", "pip", *_QUIET, "--no-deps", "-r", locks[1]])
    stamp.write_text(wanted)
    return python


_QUIET = ("--disable-pip-version-check", "install", "--quiet", "--require-hashes")


def python27() -> str:
    """A Python 2.7 that runs; exits with what to do when there is none."""
    for candidate in _candidates():
        found = shutil.which(candidate)
        if found and subprocess.run([found, "-c", _IS_2_7], capture_output=True, check=False).returncode == 0:
            return found
    sys.exit(NO_PYTHON)


def _candidates() -> Iterator[str]:
    """``PYTHON27`` alone when it is set; else the usual names, then pyenv's, whose own shims fail until one is chosen."""
    if named := os.environ.get("PYTHON27"):
        yield named
        return
    yield from ("python2.7", "python2")
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from (str(path) for path in sorted(root.glob("versions/2.7*/bin/python2.7")))


def _run(command: list[str | Path]) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        subprocess.run(command, check=True, timeout=_PATIENCE, env=environ)
    except subprocess.CalledProcessError as fault:
        sys.exit(f"autobahn: {command[0]} ended with status {fault.returncode}; its output is above")
