"""The suite's two reports, case by case: behind the gateway none may have ended worse than without it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

CASES = 517
"""All there are in the pinned version of the suite."""
_FROM_BEST = (
    "OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED BY CLIENT", "WRONG CODE", "UNCLEAN", "FAILED",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one case ended.

    :ivar behavior: how the server answered. :ivar close: how the connection ended.
    :ivar code: of the server's Close; None when there was none.
    :ivar seconds: how long it took.
    """

    behavior: str
    close: str
    code: int | None
    seconds: float

    def worse_than(self, other: Outcome) -> bool:
        """Whether anything is; also a word that is not known, and another code where the connection ended alike."""
        pairs = ((self.behavior, other.behavior), (self.close, other.close))
        if any(mine != theirs and _rank(mine) >= _rank(theirs) for mine, theirs in pairs):
            return True
        return self.close == other.close and self.code != other.code

    def __str__(self) -> str:
        return f"{self.behavior}, close {self.close} with {self.code}"


Report = dict[str, Outcome]
"""Outcomes by case, such as ``7.1.1``."""


def parse(text: str) -> dict[str, Report]:
    """The suite's ``index.json``: a report for each server."""
    return {
        server: {
            case: Outcome(
                found["behavior"], found["behaviorClose"], found["remoteCloseCode"], found["duration"] / 1000
            )
            for case, found in cases.items()
        }
        for server, cases in json.loads(text).items()
    }


def findings(direct: Report, gateway: Report, *, expected: int | None = CASES) -> list[str]:
    """What is wrong, one line each; empty when all is well.

    :param expected: how many cases each report must have; None when only some were asked for.
    """
    found = []
    for name, report in (("direct", direct), ("gateway", gateway)):
        if not report:
            found.append(f"{name}: no case was run")
        elif expected is not None and len(report) != expected:
            found.append(f"{name}: {len(report)} cases instead of {expected}")
    for case in sorted(direct.keys() | gateway.keys(), key=_numbers):
        without, behind = direct.get(case), gateway.get(case)
        if without is None or behind is None:
            found.append(f"{case}: not run {'directly' if without is None else 'through the gateway'}")
        elif behind.worse_than(without):
            found.append(f"{case}: {behind}; without the gateway {without}")
    return found


def summary(reports: Mapping[str, Report]) -> str:
    """A line for each server: how many cases ended how, and in what time."""
    return "\n".join(f"{name:<8} {_counts(report)}" for name, report in reports.items())


def _counts(report: Report) -> str:
    ends = Counter((each.behavior, each.close) for each in report.values())
    words = ", ".join(f"{number} {behavior}/{close}" for (behavior, close), number in ends.most_common())
    return f"{len(report)} cases in {sum(each.seconds for each in report.values()):.0f} s: {words}"


def _rank(word: str) -> int:
    return _FROM_BEST.index(word) if word in _FROM_BEST else len(_FROM_BEST)


def _numbers(case: str) -> tuple[int, ...]:
    return tuple(int(part) for part in case.split("."))
