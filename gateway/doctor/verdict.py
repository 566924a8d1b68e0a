"""What a check says: one observation for each thing it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

LIVE_FIX = "run `gateway doctor --live`, which asks"


class Verdict(Enum):
    """Only ``FAILED`` makes the examination fail; ``UNKNOWN`` is what nobody can see from here."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "cannot know"


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing looked at.

    :ivar looked_at: a URL, a file, a key of the configuration. :ivar what: what was seen, in one sentence.
    :ivar fix: what to do about it; empty where nothing is to be done.
    """

    looked_at: str
    verdict: Verdict
    what: str
    fix: str = ""


def ok(looked_at: str, what: str) -> Observation:
    """As it should be."""
    return Observation(looked_at, Verdict.OK, what)


def warning(looked_at: str, what: str, fix: str) -> Observation:
    """It works, and somebody will be surprised."""
    return Observation(looked_at, Verdict.WARNING, what, fix)


def failed(looked_at: str, what: str, fix: str) -> Observation:
    """A sign-in or a sign-out does not work like this, or does not keep its promise."""
    return Observation(looked_at, Verdict.FAILED, what, fix)


def unknown(looked_at: str, what: str, fix: str = "") -> Observation:
    """It cannot be seen from here, or not without what was not allowed."""
    return Observation(looked_at, Verdict.UNKNOWN, what, fix)
