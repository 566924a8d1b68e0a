"""``docs/guarantees.md`` names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\|(.+)\|$", re.MULTILINE)


def sections() -> dict[str, list[list[str]]]:
    """Rows of the page's tables, by the heading above them, without the first two lines of each."""
    found = {}
    for section in (ROOT / "docs/guarantees.md").read_text("utf-8").split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        found[heading] = [[cell.strip() for cell in row.split("|")] for row in ROW.findall(text)][2:]
    return found


def existing(names: set[str]) -> set[str]:
    """Those of them that are functions; a text that has none of them in it is not parsed."""
    texts = (
        path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py") if "node_modules" not in path.parts
    )
    return names & {
        node.name
        for text in texts
        if any(name in text for name in names)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_each_fault_is_played_by_a_test() -> None:
    """Each row, in its last column."""
    rows = sections()["Fault by fault"] + sections()["Without a fault"]
    assert len(rows) > 20
    assert [row[0] for row in rows if "`test_" not in row[-1]] == []


def test_the_tests_exist() -> None:
    """A name that is none would be a guarantee by nobody."""
    text = (ROOT / "docs/guarantees.md").read_text("utf-8")
    names = set(re.findall(r"`(test_\w+)`", text))
    assert names - existing(names) == set()


def test_each_fault_is_said_of_everybody() -> None:
    """Rows have all of their columns, and only a fault that ends nothing may leave some out."""
    assert {len(row) for row in sections()["Fault by fault"]} == {6}
