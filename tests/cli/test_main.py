"""``gateway`` itself."""

from __future__ import annotations

import platform
import tomllib
from pathlib import Path

from typer.testing import CliRunner

from gateway.cli.main import app


def test_it_says_its_version() -> None:
    """That of the project, and of the Python that it runs in; nothing else is done."""
    version = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["version"]
    for words in (["--version"], ["--version", "serve", "-c", "nowhere.yaml"]):
        ran = CliRunner().invoke(app, words)
        assert (ran.exit_code, ran.output) == (0, f"gateway {version} (Python {platform.python_version()})\n")


def test_without_a_command_it_says_what_there_is() -> None:
    """The purpose, the commands, and how to ask for the version."""
    ran = CliRunner().invoke(app, [])
    assert ran.exit_code == 2
    for word in ("Logging out really logs out", "serve", "doctor", "--version"):
        assert word in " ".join(ran.output.split())
