"""Reads the corpus of requests; ``tests/corpus/http/README.md`` says what its keys mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.conformance.wire import Door

_HERE = Path(__file__).parents[1] / "corpus" / "http"
_REPEATED = re.compile(rb"<(.)\*(\d+)>")
_LINES = re.compile(rb"<X: a\*(\d+)>")


@dataclass(frozen=True)
class Case:
    """One case. ``kind``: the word of ``expect``; ``statuses``: its numbers."""

    file: str
    name: str
    why: str
    origin: str
    send: str
    then: str
    kind: str
    statuses: frozenset[int]
    headers: tuple[str, ...] | None
    body: bytes | None
    target: bytes | None

    @property
    def id(self) -> str:
        return f"{self.file}: {self.name}"

    def bytes(self, door: Door) -> tuple[bytes, bytes]:
        """``send`` and ``then`` as they go on the wire."""
        return _filled(self.send, door), _filled(self.then, door)


def cases(*kinds: str) -> list[Case]:
    """All cases that expect one of ``kinds``, or all."""
    return [each for each in _all() if not kinds or each.kind in kinds]


def expanded(data: bytes) -> bytes:
    """``data`` with what is to be repeated repeated."""
    data = _LINES.sub(lambda found: b"".join(b"X%d: a\r\n" % at for at in range(int(found[1]))), data)
    return _REPEATED.sub(lambda found: found[1] * int(found[2]), data)


@cache
def _all() -> list[Case]:
    return [_case(path.stem, entry) for path in sorted(_HERE.glob("*.yaml")) for entry in _load(path)]


def _load(path: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return entries


def _case(file: str, entry: dict[str, Any]) -> Case:
    kind, _, statuses = entry["expect"].partition("-")
    arrives = entry.get("arrives", {})
    body = arrives.get("body")
    return Case(
        file,
        entry["name"],
        entry["why"],
        entry["origin"],
        entry["send"],
        entry.get("then", ""),
        kind,
        frozenset(map(int, statuses.split("/"))) if statuses else frozenset(),
        tuple(arrives["headers"]) if "headers" in arrives else None,
        None if body is None else body.encode("latin-1"),
        entry["target"].encode("latin-1") if "target" in entry else None,
    )


def _filled(text: str, door: Door) -> bytes:
    data = expanded(text.encode("latin-1"))
    values = {b"<in>": door.signed_in, b"<host>": door.authority, b"<cookie>": door.cookie}
    return re.sub(rb"<(?:in|host|cookie)>", lambda found: values[found[0]].encode("latin-1"), data)
