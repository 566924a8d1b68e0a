"""How a command ends before it is done."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from gateway.cli.ending import FINDINGS, USAGE, loaded, stop


def test_every_finding_is_told_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its place, and the status of findings."""
    config = tmp_path / "gateway.yaml"
    config.write_text("listen: nowhere\nsurely_unknown: 1\n")
    with pytest.raises(typer.Exit) as ended:
        loaded(config)
    told = capsys.readouterr()
    assert (ended.value.exit_code, told.out) == (FINDINGS, "")
    assert all(f"{config}:{line}:" in told.err for line in (1, 2))


def test_an_end_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, with its status."""
    for status in (FINDINGS, USAGE):
        with pytest.raises(typer.Exit) as ended:
            stop("it is so", status)
        assert (ended.value.exit_code, capsys.readouterr().err) == (status, "it is so\n")
