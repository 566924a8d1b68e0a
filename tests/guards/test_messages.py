"""What people read stands in one file, `gateway/web/pages/messages.toml`, and all of it is used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

from jinja2 import Environment, nodes

from gateway.web.pages.catalogue import MESSAGES
from gateway.web.statuses import STATUSES

GATEWAY = Path(__file__).parents[2] / "gateway"
PAGES = GATEWAY / "web" / "pages"
TEMPLATES = sorted((PAGES / "templates").glob("*.html"))
WORDS = re.compile(r"[A-Za-z]{2,} [A-Za-z]{2,}")
NO_SENTENCE = re.compile(r"[a-z]+-src |'none'|%[A-Z]|^Session realm=|sandbox")
"""A policy of a page, a format of a time, a challenge."""
IN_SHORT = {"malformed": "malformed_request", "_bad": "bad_callback", "_ambiguous": "ambiguous_target"}
"""Functions that make a `DownstreamError` of this code."""
SPEAK = re.compile(r"refuse|pages\.\w+|DownstreamError|RefusedError")
"""What makes an answer of its arguments."""


def placeholders(name: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(MESSAGES[name]) if field}


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(GATEWAY.rglob("*.py")):
        if "demo" not in path.relative_to(GATEWAY).parts:
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def called(node: ast.Call) -> str:
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def family(*pieces: ast.expr) -> list[str]:
    """The ids that arguments can be, joined by dots: what is not written in the source may be anything."""
    pattern = r"\.".join(
        "".join(
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z0-9_]+"
            for part in (piece.values if isinstance(piece, ast.JoinedStr) else [piece])
        )
        for piece in pieces
    )
    found = [name for name in MESSAGES if re.fullmatch(pattern, name)]
    return found or [pattern]


def named(node: ast.Call) -> list[str]:
    """The messages that a call uses."""
    match called(node), node.args:
        case "message", [name]:
            return family(name)
        case "message_for", [ast.Constant() as kind, code, *_]:
            return family(kind, code)
        case "RefusedError", [ast.Constant() as code, *why]:
            names = ["title", *map(ast.literal_eval, why)] if why else ["title", "what"]
            return [f"admin.{ast.literal_eval(code)}.{name}" for name in names]
        case "DownstreamError" | "malformed" | "_bad" | "_ambiguous", [*code, ast.Constant() as detail] if (
            reason := IN_SHORT.get(called(node)) or "".join(str(ast.literal_eval(part)) for part in code)
        ) in STATUSES:
            about = f"reason.{reason}.{ast.literal_eval(detail)}"
            return [name for name in (about, f"{about}_fix") if name in MESSAGES] or [about]
    return []


def uses() -> Iterator[tuple[str, str, set[str]]]:
    """Where, the id, and the placeholders that are given; not where they are handed on (`**values`)."""
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and all(keyword.arg for keyword in node.keywords):
                given = {str(keyword.arg) for keyword in node.keywords} - {"headers"}
                yield from ((f"{path}:{node.lineno}", name, given) for name in named(node))
    for path in TEMPLATES:
        for call in Environment().parse(path.read_text(encoding="utf-8")).find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "message":
                yield path.name, call.args[0].as_const(), {keyword.key for keyword in call.kwargs}


def test_each_message_is_used_and_each_use_has_its_message() -> None:
    """An id that is wrong, or forgotten, is found before a person does."""
    used = {name for _, name, _ in uses()}
    assert used - MESSAGES.keys() == set()
    assert MESSAGES.keys() - used == set()


def test_each_placeholder_is_given() -> None:
    """By its name; several messages that are used in one place may each have some of what is given there."""
    assert [use for use in uses() if placeholders(use[1]) - use[2]] == []
    given: dict[str, set[str]] = {}
    wanted: dict[str, set[str]] = {}
    for where, name, values in uses():
        given[where] = values
        wanted.setdefault(where, set()).update(placeholders(name))
    assert [where for where in given if wanted[where] < given[where] and where.endswith(".py")] == []


def test_no_two_lines_of_a_receipt_read_alike() -> None:
    """What was seen of a hop, and what is said above, each has words of its own: nobody has to guess which it is."""
    said = [text for name, text in MESSAGES.items() if name.startswith(("line.", "headline."))]
    assert len(said) > 30
    assert sorted(set(said)) == sorted(said)


def spoken(tree: ast.AST) -> Iterator[str]:
    """The strings of a module that are no docstring, no name of a message, and no line of a log."""
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("_log."):
            silent |= {id(part) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.value


def test_no_sentence_stands_in_a_page_s_module() -> None:
    """A page's text is changed in the catalogue and nowhere else."""
    for path, tree in trees():
        if path.is_relative_to(PAGES):
            found = [text for text in spoken(tree) if WORDS.search(text) and not NO_SENTENCE.search(text)]
            assert found == [], path


def test_no_sentence_is_given_to_what_speaks() -> None:
    """Nor in a call of what makes a page, a problem document or an error of the client's."""
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and SPEAK.fullmatch(ast.unparse(node.func)):
                assert [text for text in spoken(node) if WORDS.search(text)] == [], f"{path}:{node.lineno}"


def test_no_sentence_stands_in_a_template() -> None:
    """Between tags, or in an attribute that is read aloud, there are only messages."""
    for path in TEMPLATES:
        bare = re.sub(
            r"{% block kind %}.*?{% endblock %}|{{.*?}}|{%.*?%}|<!doctype html>",
            "",
            path.read_text(encoding="utf-8"),
            flags=re.DOTALL,
        )
        outside = re.sub(r"<[^<>]*>", "", bare)
        assert re.findall(r"[A-Za-z]{2,}", outside) == [], path.name
        assert re.findall(r'(?:aria-label|title|alt|placeholder)="[^"]*[A-Za-z]', bare) == [], path.name
