"""An examination as people read it, and as programs do."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from gateway.doctor.examination import Examination
from gateway.doctor.verdict import Observation, Verdict
from gateway.oidc.providers.descriptor import Registration

WIDTH = 110
_MARK = {Verdict.OK: "ok", Verdict.WARNING: "WARNING", Verdict.FAILED: "FAILED", Verdict.UNKNOWN: "?"}
_COUNTED = {
    Verdict.FAILED: "failed",
    Verdict.WARNING: "to look at",
    Verdict.UNKNOWN: "that cannot be known from here",
    Verdict.OK: "good",
}


def lines(examination: Examination) -> Iterator[str]:
    """The whole report, check by check, and the sum at the end."""
    for name, rows in groupby(examination.seen, key=lambda row: row[0]):
        yield name
        for _, observation in rows:
            yield from _observation_lines(observation)
    if examination.register:
        yield ""
        yield "What to register, to be pasted as it is"
        yield from register_lines(examination.register)
    yield ""
    yield f"{examination.config}: {summary(examination)}"


def register_lines(register: Iterable[Registration]) -> Iterator[str]:
    """Console by console: the field, the value on a line of its own, the screen where the field is, and why."""
    for console, entries in groupby(register, key=lambda each: each.console):
        yield ""
        yield console
        for each in entries:
            yield f"  {each.field}"
            yield f"      {each.value}"
            yield from _wrapped(f"at {each.screen}", "    ")
            yield from _wrapped(each.why, "    ")


def summary(examination: Examination) -> str:
    """How many of each, the worst first."""
    count = Counter(observation.verdict for _, observation in examination.seen)
    asked = "" if examination.live else " (the providers were not asked; --live asks them)"
    return ", ".join(f"{count[kind]} {word}" for kind, word in _COUNTED.items() if count[kind]) + asked


def as_data(examination: Examination) -> dict[str, Any]:
    """For ``--json``."""
    return {
        "config": examination.config,
        "live": examination.live,
        "sound": examination.sound,
        "checks": [
            {
                "check": name,
                "looked_at": observation.looked_at,
                "verdict": observation.verdict.value,
                "what": observation.what,
                "fix": observation.fix,
            }
            for name, observation in examination.seen
        ],
        "register": register_data(examination.register),
    }


def register_data(register: Iterable[Registration]) -> list[dict[str, str]]:
    """For ``--register --json``."""
    return [
        {
            "console": each.console,
            "screen": each.screen,
            "field": each.field,
            "value": each.value,
            "why": each.why,
        }
        for each in register
    ]


def _observation_lines(observation: Observation) -> Iterator[str]:
    yield f"  {_MARK[observation.verdict]:<8}{observation.looked_at}"
    yield from _wrapped(observation.what, " " * 10)
    if observation.fix:
        yield from _wrapped(f"fix: {observation.fix}", " " * 10)


def _wrapped(text: str, indent: str) -> list[str]:
    """Long lines broken between words; an address stays whole."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
