"""The places of the children: who is there, what they said of themselves, and when they are replaced."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.workers.line import Wire


@dataclass(slots=True)
class Deaths:
    """When a child that has died is replaced, and when that is given up.

    :ivar count: deaths in a row that came soon after the start.
    """

    SOON = 10.0
    """Seconds. Who lived longer did not die of its start."""
    MOST = 5

    count: int = 0

    def pause(self, lived: float) -> float | None:
        """Seconds to wait before the replacement; None when there shall be none.

        :param lived: seconds from its start to its death.
        """
        if lived >= self.SOON:
            self.count = 0
            return 0.0
        self.count += 1
        return None if self.count >= self.MOST else 0.25 * 2 ** (self.count - 1)


@dataclass(slots=True)
class Slot:
    """A place for one child at a time.

    :ivar body: what the child runs, given its line; its exit status.
    :ivar pid: 0 while there is none. :ivar due: time of the next start, when there is none.
    :ivar report: what the child said of itself last.
    """

    name: str
    body: Callable[[socket.socket], int]
    deaths: Deaths = field(default_factory=Deaths)
    pid: int = 0
    line: Wire | None = None
    born: float = 0.0
    due: float | None = 0.0
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        return bool(self.report.get("ready"))


def summary(details: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What the workers say of what they depend on, in one line each: the first complaint where there is one."""
    lines: dict[str, str] = {}
    for each in details:
        for name, text in each.items():
            if name not in lines or (_good(lines[name]) and not _good(text)):
                lines[name] = text
    return lines


def _good(text: str) -> bool:
    return text.startswith(("ok", "up"))
