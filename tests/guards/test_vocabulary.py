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
    """A docstring first; annotations by name. What is generated says so."""
    for path in (path for path in (ROOT / "gateway").rglob("*.py") if not path.name.endswith("_pb2.py")):
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


RETIRED = {
    "accounts": "access_log",
    "passage": "forwarding",
    "outside": "inbound",
    "trail": "session_events",
    "event_stream": "sse, ssf_stream or poll",
    "mend": "fix",
    "told": "what it is",
    "said": "what it is",
    "shown": "what it is",
    "heard": "received",
    "side": "companion, or whose fault it is",
    "whole": "complete",
}
"""Words of ours that gave way to the field's. As names they are gone; `AuditTrail` is the field's, and in a sentence
"outside" and "event stream" are plain English."""
NAME_PART = re.compile(r"[A-Z]?[a-z0-9]+")
TICKETS = re.compile(r"\btickets?\b")


def identifiers(tree: ast.AST) -> set[str]:
    """Names of what is defined, given or stored in a module."""
    found: set[str] = set()
    for node in ast.walk(tree):
        for field in ("name", "arg", "attr", "id", "module"):
            value = getattr(node, field, None)
            found |= {value} if isinstance(value, str) else set()
    return found


def test_no_retired_word_names_anything() -> None:
    """Neither a module nor what is in it; the demo speaks for Cognito and Okta, and has its own."""
    found = []
    for path in (ROOT / "gateway").rglob("*.py"):
        if "demo" not in path.relative_to(ROOT).parts:
            names = identifiers(ast.parse(path.read_text(encoding="utf-8"))) | {path.stem}
            words = {name: f"_{'_'.join(NAME_PART.findall(name)).lower()}_" for name in names}
            found += [
                (path.name, name, RETIRED[word])
                for name, word in ((name, word) for name in names for word in RETIRED)
                if re.search(rf"(?<!_audit)_{word}s?_", words[name])
            ]
    assert found == []


def test_nothing_is_mended_and_nothing_has_a_passage() -> None:
    """In sentences neither: what is wrong is fixed, and what goes to the application is forwarded."""
    texts = [*sources(), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    found = [
        path.name
        for path in texts
        if path.relative_to(ROOT).parts[0] == "gateway" or path.suffix == ".md"
        if re.search(r"\b(mend(s|ed|ing)?|[Pp]assages?)\b", path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_a_ticket_is_the_browser_s_half_of_a_stored_session() -> None:
    """And nothing else: what the return from a hop carries is a return nonce."""
    signouts = [*(ROOT / "gateway/oidc").rglob("*.py"), ROOT / "gateway/core/signout/chain.py"]
    signouts += [ROOT / "gateway/web" / name for name in ("signout/hops.py", "endpoints/signout/logout.py")]
    assert [path.name for path in signouts if TICKETS.search(path.read_text(encoding="utf-8"))] == []
