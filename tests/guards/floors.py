"""The picture of the house in docs/architecture.md, made from the import contracts in pyproject.toml.

``python -m tests.guards.floors`` writes it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.marked import with_part

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"


def picture() -> str:
    """Each floor on a line, the highest first; behind it its rooms, in the same order."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    layers = {
        contract["containers"][0]: contract["layers"]
        for contract in tool["contracts"]
        if contract["type"] == "layers"
    }
    lines = []
    for floor in layers["gateway"]:
        lines.append(floor.replace("|", "·"))
        for room in floor.split(" | "):
            rooms = layers.get(f"gateway.{room}", [])
            if rooms:
                lines.append(f"    {room}: " + "  >  ".join(each.replace(" | ", " · ") for each in rooms))
    return "```\n" + "\n".join(lines) + "\n```"


if __name__ == "__main__":
    PAGE.write_text(with_part(PAGE.read_text("utf-8"), "floors", picture()), "utf-8")
