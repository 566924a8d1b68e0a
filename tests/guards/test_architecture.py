"""What the newcomer reads is so."""

from __future__ import annotations

import re
import tomllib

from tests.guards.floors import PAGE, ROOT, picture
from tests.marked import part

_PATH = re.compile(r"`((?:gateway|tests|docs|deploy)/[\w./-]+)`")
_LINK = re.compile(r"\]\(([\w./-]+)\)")
DOCS = ROOT / "docs"


def test_the_picture_is_that_of_the_contracts() -> None:
    """Else `python -m tests.guards.floors` writes it anew."""
    assert part(PAGE.read_text("utf-8"), "floors") == picture()


def test_every_path_is_there() -> None:
    """A way that ends nowhere is worse than none."""
    named = _PATH.findall(PAGE.read_text("utf-8"))
    assert len(named) > 40
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_page_is_in_its_index() -> None:
    """And every link of an index leads somewhere."""
    for folder in (DOCS, DOCS / "decisions"):
        links = _LINK.findall((folder / "README.md").read_text("utf-8"))
        assert [link for link in links if not (folder / link).exists()] == []
        pages = {path.name for path in folder.glob("*.md")} - {"README.md"}
        assert pages - set(links) == set()


def test_each_module_has_one_floor() -> None:
    """Contracts of layers name every child of their containers, so nothing stands beside the house."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    layered = [contract for contract in tool["contracts"] if contract["type"] == "layers"]
    assert layered
    assert all(contract.get("exhaustive") for contract in layered)
