"""Reads the corpora: one string a line, ``#`` begins a comment, Python escapes for what cannot stand in a line."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def lines(name: str) -> list[str]:
    """The strings of the corpus file ``name``."""
    text = (_HERE / name).read_text(encoding="utf-8")
    return [_unescaped(line) for line in text.split("\n") if line and not line.startswith("#")]


def _unescaped(line: str) -> str:
    return line.encode("latin-1", "backslashreplace").decode("unicode_escape")
