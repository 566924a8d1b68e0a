"""A check: a name, what it is about, and a function that looks at a patient."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from gateway.doctor.patient import Patient
from gateway.doctor.verdict import Observation

Look = Callable[[Patient], AsyncIterator[Observation]]


@dataclass(frozen=True, slots=True)
class Check:
    """One check. It says nothing about what is not configured.

    :ivar name: stable; ``docs/traps.md`` and the report have it. :ivar about: what it asks, in a few words.
    """

    name: str
    about: str
    look: Look


def check(name: str, about: str) -> Callable[[Look], Check]:
    """Make a check of an asynchronous generator of observations."""
    return lambda look: Check(name, about, look)
