"""What the third pass is made of: rules that look at sound keys and remark on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from gateway.config.fields import Reading
from gateway.config.findings import Finding, KeyPath, Severity
from gateway.config.model import Settings


@dataclass(frozen=True, slots=True)
class Remark:
    """What is wrong with the value of a key, before its place is known."""

    path: KeyPath
    what: str
    fix: str
    severity: Severity = Severity.ERROR


Check = Callable[[Settings], Iterator[Remark]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    :ivar needs: the keys it reads; where one of them has no usable value the rule has nothing to say.
    """

    needs: tuple[KeyPath, ...]
    check: Check


def rule(*needs: str) -> Callable[[Check], Rule]:
    """Make a rule of a function that reads the keys ``needs``."""
    return lambda check: Rule(tuple(tuple(need.split(".")) for need in needs), check)


def error(key: str | KeyPath, what: str, fix: str) -> Remark:
    return Remark(_path(key), what, fix)


def warning(key: str | KeyPath, what: str, fix: str) -> Remark:
    return Remark(_path(key), what, fix, Severity.WARNING)


def note(key: str | KeyPath, what: str, fix: str) -> Remark:
    return Remark(_path(key), what, fix, Severity.NOTE)


def _path(key: str | KeyPath) -> KeyPath:
    return tuple(key.split(".")) if isinstance(key, str) else key


def apply(rules: Iterable[Rule], settings: Settings, reading: Reading) -> Iterator[Finding]:
    """The findings of every rule whose keys are usable."""
    for each in rules:
        if all(reading.usable(need) for need in each.needs):
            for remark in each.check(settings):
                yield reading.places.finding(remark.path, remark.what, remark.fix, remark.severity)
