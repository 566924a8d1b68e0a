"""The table of `make coverage`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.covered import folders, left_out, main, table


def file(
    lines: int, missing: list[int], branches: int = 0, not_gone: list[list[int]] | None = None
) -> dict[str, Any]:
    """One file, as `coverage json` writes it."""
    return {
        "summary": {
            "num_statements": lines, "covered_lines": lines - len(missing),
            "num_branches": branches, "covered_branches": branches - len(not_gone or []),
        },
        "missing_lines": missing, "missing_branches": not_gone or [],
    }  # fmt: skip


def report(**files: dict[str, Any]) -> dict[str, Any]:
    return {"files": {f"gateway/{name.replace('__', '/')}.py": each for name, each in files.items()}}


def test_a_folder_has_its_files_lines_and_branches() -> None:
    """Files of its folders count with it; those beside folders are one of their own."""
    found = folders(
        report(app=file(4, []), web__gate=file(50, [3]), web__endpoints__start=file(44, [], 6, [[7, 9]]))
    )
    assert [(each.name, each.lines_run, each.lines, each.branches_run, each.branches) for each in found] == [
        ("gateway", 4, 4, 0, 0),
        ("gateway/web", 93, 94, 5, 6),
    ]
    assert table(found)[2:] == [
        "| gateway | 4/4 | 0/0 | 100.0 % | 95 % |",
        "| gateway/web | 93/94 | 5/6 | 98.0 % | 95 % |",
    ]


def test_gaps_are_ranges_of_lines_and_ways_that_nobody_went() -> None:
    """A way to or from a line that nothing has run is told with that line alone."""
    (web,) = folders(report(web__gate=file(40, [3, 4, 5, 9], 8, [[2, 3], [5, 9], [20, 22], [30, -28]])))
    assert web.gaps == ["gateway/web/gate.py: 3-5, 9, 20->22, 30->exit"]


@pytest.mark.parametrize(
    ("made", "status"),
    [
        (report(core__gate=file(1000, [])), 0),
        (report(core__gate=file(1000, [7])), 1),
        (report(oidc__jwks=file(1000, [], 2, [[7, 8]])), 1),
        (report(web__gate=file(100, [1, 2, 3, 4, 5])), 0),
        (report(web__gate=file(100, [1, 2, 3, 4, 5], 1, [[7, 8]])), 1),
        (report(web__gate=file(100, []), state__log=file(10, [1])), 1),
    ],
)
def test_too_little_ends_with_status_1(
    made: dict[str, Any], status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of the pure folders; elsewhere a folder may leave a twentieth, and none makes up for another."""
    (tmp_path / "report.json").write_text(json.dumps(made))
    assert main(tmp_path / "report.json") == status
    assert ("which has less than it should" in capsys.readouterr().out) == bool(status)


def test_a_percentage_is_not_rounded_up() -> None:
    """What is shown as enough is enough."""
    (core,) = folders(report(core__gate=file(10_000, [1])))
    assert table([core])[-1].endswith("| 99.9 % | 100 % |")


def test_nothing_is_left_out_without_its_reason() -> None:
    """Beside the line, after `# pragma: no cover - `; coverage itself counts what has none."""
    assert [place for place, why in left_out() if not why] == []
