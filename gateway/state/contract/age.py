"""How far the index of a process can be believed, whatever the log is kept in.

It was read at some time, and the log took something at some time. A log that can be read and takes nothing is no better
than one that cannot be read: what others end meanwhile is not in it, and nobody can tell that there is something. So
its age counts from when it last took something, as that of an index that is not read counts from its last reading.
"""

from __future__ import annotations

import math


class Age:
    """All times are seconds of one clock that never goes back.

    :ivar refusal: why the log takes nothing; empty while it does, or nothing is known of that.
    :ivar doubt: why it is known that something is missing, whatever the age; empty where it is not.
    """

    def __init__(self) -> None:
        self.refusal = ""
        self.doubt = ""
        self._read_at = self._took_at = -math.inf

    def read(self, at: float) -> None:
        """The index has everything that the log had at ``at``."""
        self._read_at = max(self._read_at, at)

    def took(self, at: float) -> None:
        """The log took something at ``at``, or has not refused anything."""
        self._took_at = max(self._took_at, at)
        self.refusal = ""

    def refused(self, why: str, at: float, *, since: float | None) -> None:
        """It took nothing at ``at``, and something at ``since``, as any process has seen; None: who knows."""
        if since is not None:
            self._took_at = max(self._took_at, min(since, at))
        elif self._took_at == -math.inf:
            self._took_at = at
        self.refusal = why

    def of_reading(self, now: float) -> float:
        """Seconds since the index was in step; infinite before it was read."""
        return now - self._read_at

    def of_taking(self, now: float) -> float:
        """Seconds since the log took something, if it refuses to."""
        return now - self._took_at if self.refusal else 0.0

    def at(self, now: float) -> float:
        """Seconds for which the index cannot be believed to know everything that was ended."""
        if self.doubt:
            return math.inf
        unread = now - self._read_at  # asked on every request
        return max(unread, now - self._took_at) if self.refusal else unread
