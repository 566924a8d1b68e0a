"""What is wrong with text that is no YAML, in words of somebody who has only indented something wrongly."""

from __future__ import annotations

import re

import yaml

_SAME = "begin all keys of one section in the same column, with spaces"
_AT_PROBLEM = {
    "'\\t' that cannot start": ("has a tab, and YAML is indented with spaces only", "replace it by spaces"),
    "cannot start any token": ("begins with a character that means something in YAML", "quote the value"),
    "expected <block end>": ("begins in a column in which nothing above it does", _SAME),
    "sequence entries are not allowed": (
        "has a list behind its colon",
        "write [a, b], or begin it on a line of its own",
    ),
    "expected '<document start>'": ("begins further left than the first key", _SAME),
    "another document": ("begins a second document (`---`)", "keep one"),
    "undefined alias": ("is an alias (`*name`)", "quote it, or write the value out"),
    "unknown escape character": ("has a backslash in double quotes", "write it in single quotes"),
}
_AT_BEGINNING = {
    "unexpected end of stream": ("has a quote that is never closed", "close it"),
    "expected ',' or": (
        "has a bracket that is not closed, or lacks a comma",
        "close it, or put a comma between",
    ),
    "expected the node content": ("has a bracket that is not closed, or one too many", "close or remove it"),
    "could not find expected ':'": ("is not `key: value`", "put a space behind the colon"),
}
_TWO_COLONS = ("has a second `: ` in its value", "quote the value")
_DEEPER = ("begins further right than the key above it, which has a value already", _SAME)


def in_words(error: yaml.MarkedYAMLError, text: str) -> tuple[yaml.Mark | None, str, str]:
    """Where it is, what is wrong, and the fix.

    :param text: of the whole file.
    """
    problem, at, begun = error.problem or "", error.problem_mark, error.context_mark
    lines = text.splitlines()
    if "mapping values are not allowed" in problem and at is not None:
        return at, *_misplaced(lines, at.line, at.column)
    for known, mark in ((_AT_PROBLEM, at), (_AT_BEGINNING, begun or at)):
        for words, (what, fix) in known.items():
            if words in problem and mark is not None:
                return mark, f"{_named(lines, mark.line)} {what}", fix
    what = f"is not YAML: {problem or error.context or 'cannot be understood'}"
    return at or begun, what, "fix the line, or quote the value"


def _misplaced(lines: list[str], number: int, column: int) -> tuple[str, str]:
    """A colon where a value goes on: on its own line, or on the one above."""
    above = next((each for each in range(number - 1, -1, -1) if _content(lines[each])), number)
    what, fix = _DEEPER
    if re.search(r":\s", lines[number][:column]):
        what, fix = _TWO_COLONS
    elif re.match(r"-[^\s-]", _content(lines[above])) or not re.search(r":(\s|$)", lines[above]):
        number, what, fix = above, "is not `key: value`", "put a space behind its dash or colon"
    return f"{_named(lines, number)} {what}", fix


def _content(line: str) -> str:
    return line.partition(" #")[0].strip() if not line.lstrip().startswith("#") else ""


def _named(lines: list[str], number: int) -> str:
    """The line, by the key that it begins with."""
    key = re.match(r"\s*(?:- *)?([A-Za-z_][\w-]{0,39})\s*:", lines[number]) if number < len(lines) else None
    return f"`{key[1]}`" if key else "the line"
