"""Names say what a thing is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
EMPTY_WORDS = re.compile(r"(^|[_/])(utils?|helpers?|managers?|misc|common|stuff|tools?)([_/.]|$)")
RULE_OR_PAIN = re.compile(r"\b([Rr]ules?|[Pp]ains?) [RP]\d|\(([RP]\d+(, )?)+\)|design section")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")


def sources() -> list[Path]:
    return [
        path
        for top in ("gateway", "tests", "deploy")
        for path in (ROOT / top).rglob("*.py")
        if "node_modules" not in path.parts
    ]


def test_no_path_has_an_empty_word() -> None:
    """A file that could hold anything will."""
    names = [path.relative_to(ROOT).as_posix() for path in sources()]
    assert [name for name in names if EMPTY_WORDS.search(name)] == []


def test_nothing_is_put_off() -> None:
    """No note to a later self, and nothing that is not there yet is called."""
    others = [path for path in sources() if path != Path(__file__)]
    found = [path.name for path in others if UNFINISHED.search(path.read_text(encoding="utf-8"))]
    assert found == []
    unmade = [
        path.name
        for path in (ROOT / "gateway").rglob("*.py")
        if "NotImplementedError" in path.read_text("utf-8")
    ]
    assert unmade == []


def test_every_module_says_what_it_is() -> None:
    """A docstring first; annotations by name."""
    for path in (ROOT / "gateway").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith('"""'), path
        if path.name not in {"__init__.py", "__main__.py"}:
            assert "from __future__ import annotations" in text, path


def spoken(path: Path) -> list[str]:
    """The strings of a module that the program can say: all but its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [
        node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docstrings
    ]
    return [node.value for node in constants if isinstance(node.value, str)]


def test_nothing_said_cites_a_rule() -> None:
    """A message gives the reason itself, so that nobody has to look a rule up."""
    said = [text for path in (ROOT / "gateway").rglob("*.py") for text in spoken(path)]
    assert len(said) > 1000
    assert [text for text in said if RULE_OR_PAIN.search(text)] == []


def test_logs_name_sessions_by_their_mark() -> None:
    """No line has a session's id: a log must not say what a cookie says."""
    naming = re.compile(r"_log\.\w+\([^()]*\bsid=")
    found = [
        path.name
        for path in (ROOT / "gateway").rglob("*.py")
        if naming.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []
