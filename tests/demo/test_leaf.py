"""The emulators share no code with what they test."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "gateway" / "demo"


def imported(path: Path) -> set[str]:
    """Return the modules *path* imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_r29_demo_imports_nothing_of_the_gateway() -> None:
    """Every import of the gateway's is one of gateway.demo; an emulator that shared code would share mistakes."""
    files = sorted(PACKAGE.rglob("*.py"))
    foreign = {
        (path.name, name)
        for path in files
        for name in imported(path)
        if name.partition(".")[0] == "gateway" and not f"{name}.".startswith("gateway.demo.")
    }

    assert len(files) > 40
    assert foreign == set()
