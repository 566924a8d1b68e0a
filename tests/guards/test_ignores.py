"""Nothing is kept from the type checker without a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_IGNORED = re.compile(r"# type: ignore(?:\[[a-z, -]+\])?(?P<why>  # \S.*| - \S.*)?")


@pytest.mark.parametrize("folder", ["gateway", "tests", "deploy"])
def test_what_mypy_is_told_to_ignore_has_its_kind_and_its_reason(folder: str) -> None:
    """On the same line, behind the kind of error."""
    bare = []
    for file in sorted((ROOT / folder).rglob("*.py")):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            found = _IGNORED.search(line)
            if found and file != Path(__file__) and ("[" not in found[0] or not found["why"]):
                bare.append(f"{file.relative_to(ROOT)}:{number}")
    assert bare == []
