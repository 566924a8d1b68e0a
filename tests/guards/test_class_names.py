"""One name, one concept: a class name that stands twice makes the reader ask each time which one is meant."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

GATEWAY = Path(__file__).parents[2] / "gateway"

ONE_CONCEPT: dict[str, str] = {}
"""Names of classes that are the same concept on two floors, and why they are two classes."""


def places() -> dict[str, list[str]]:
    """Where each class name is defined; the demo is a leaf that imports nothing of the gateway, and has its own."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(GATEWAY.rglob("*.py")):
        name = path.relative_to(GATEWAY)
        if name.parts[0] != "demo":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    found[node.name].append(name.as_posix())
    return found


def test_no_class_name_stands_for_two_concepts() -> None:
    """A second class of a name gets another one, in the words of its subject, or is listed with its reason."""
    twice = {name: where for name, where in places().items() if len(where) > 1}
    assert {name: where for name, where in twice.items() if name not in ONE_CONCEPT} == {}
    assert {name for name in ONE_CONCEPT if name not in twice} == set()
