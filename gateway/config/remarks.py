"""What the third pass is made of: rules that look at sound keys and remark on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.config.findings import KeyPath, Severity
from gateway.settings.model import Settings


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
    :ivar unwritten: a key; where somebody wrote it the rule has nothing to say either.
    """

    needs: tuple[KeyPath, ...]
    check: Check
    unwritten: KeyPath


def rule(*needs: str, unwritten: str = "") -> Callable[[Check], Rule]:
    """Make a rule of a function that reads the keys ``needs``, for defaults of the key ``unwritten`` only."""
    return lambda check: Rule(tuple(_path(need) for need in needs), check, _path(unwritten))


def error(key: str | KeyPath, what: str, fix: str) -> Remark:
    return Remark(_path(key), what, fix)


def warning(key: str | KeyPath, what: str, fix: str) -> Remark:
    return Remark(_path(key), what, fix, Severity.WARNING)


def note(key: str | KeyPath, what: str, fix: str) -> Remark:
    return Remark(_path(key), what, fix, Severity.NOTE)


def _path(key: str | KeyPath) -> KeyPath:
    return tuple(key.split(".")) if isinstance(key, str) else key
