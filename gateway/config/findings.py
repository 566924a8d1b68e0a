"""Findings: what is wrong with a configuration, where, and how to fix it.

A finding is read aloud by the person who has to fix it, so its text names the cause and the fix in whole
words, and never holds a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

KeyPath = tuple[str | int, ...]
"""The way to a key: ``("upstreams", 1, "url")``."""


class Severity(Enum):
    """Errors keep the gateway from starting; warnings and notes are only said."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value was written: a line and column of a file, or an environment variable."""

    file: str = ""
    line: int = 1
    column: int = 1
    env: str = ""

    def __str__(self) -> str:
        return f"env {self.env}" if self.env else f"{self.file}:{self.line}:{self.column}"

    @property
    def order(self) -> tuple[bool, int, int, str]:
        return (bool(self.env), self.line, self.column, self.env)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``gateway check``."""

    place: Place
    key: str
    what: str
    fix: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        where = str(self.place) if self.place.env or not self.key else f"{self.place} {self.key}"
        kind = "" if self.severity is Severity.ERROR else f"{self.severity.value}: "
        return f"{where}: {kind}{self.what}; {self.fix}"

    @property
    def failing(self) -> bool:
        return self.severity is Severity.ERROR


class ConfigurationErrors(Exception):  # noqa: N818 - a list of errors, named so by its callers
    """The configuration cannot be used.

    :ivar findings: all of them, in the order of their places; warnings and notes included.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = list(findings)


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Each finding once, sorted: the file from top to bottom, then the environment by name."""
    return sorted(set(findings), key=lambda finding: (finding.place.order, finding.key, finding.what))


def dotted(path: KeyPath) -> str:
    """A key as people write it: ``upstreams[1].url``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


class Places:
    """Where each key was written.

    :param file: the configuration file as the operator named it.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._written: dict[KeyPath, Place] = {}

    def in_file(self, path: KeyPath, line: int, column: int) -> None:
        self._written[path] = Place(self._file, line, column)

    def in_environment(self, path: KeyPath, name: str) -> None:
        """``name`` gave the value of ``path``; whatever the file said below it is gone."""
        for known in [known for known in self._written if known[: len(path)] == path]:
            del self._written[known]
        self._written[path] = Place(env=name)

    def of(self, path: KeyPath) -> Place:
        """The place of ``path``, or of the nearest key around it."""
        for length in range(len(path), 0, -1):
            place = self._written.get(path[:length])
            if place is not None:
                return place
        return Place(self._file)

    def written(self, path: KeyPath) -> bool:
        """Whether somebody wrote this key, or an environment variable what it is in."""
        return path in self._written or bool(self.of(path).env)

    def finding(self, path: KeyPath, what: str, fix: str, severity: Severity = Severity.ERROR) -> Finding:
        return Finding(self.of(path), dotted(path), what, fix, severity)
