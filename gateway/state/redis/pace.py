"""How long an answer may take before it is given up: as long as answers do take, with room, within bounds.

A Redis that is far away answers late, and one that is gone does not answer. A fixed time takes one for the other. So
this one follows what is measured, by the estimate that TCP has for the same question (RFC 6298), and doubles with each
answer that does not come. Nobody who has to answer a request waits for that: those have a quarter of a second, unless
this process was held still (`RedisLog.catch_up`).
"""

from __future__ import annotations

from typing import Final

from gateway.core import dice

FIRST_RETRY: Final = 0.05
SLOWEST_RETRY: Final = 1.0


class Pace:
    """Of one connection, and of those in its place.

    :param least: seconds that are waited for in any case. :param most: seconds that are never exceeded.
    :ivar within: seconds to wait for the next answer. :ivar usual: seconds that answers take.
    """

    def __init__(self, least: float, most: float) -> None:
        self.within = least
        self.usual = 0.0
        self._least = least
        self._most = most
        self._spread = -1.0

    def took(self, seconds: float) -> None:
        """An answer came after so long."""
        if self._spread < 0:
            self.usual, self._spread = seconds, seconds / 2
        else:
            self._spread += (abs(seconds - self.usual) - self._spread) / 4
            self.usual += (seconds - self.usual) / 8
        # Half of what it was at the least: an answer that came late at last is followed by others like it.
        self.within = self._bounded(max(self.usual + 4 * self._spread, self.within / 2))

    def presume(self, seconds: float) -> None:
        """Answers will not take longer than so, as far as anybody knows yet."""
        if self._spread < 0:
            self.within = self._bounded(max(self.within, 2 * seconds))

    def gave_up(self) -> None:
        """No answer came."""
        self.within = self._bounded(2 * self.within)

    def _bounded(self, seconds: float) -> float:
        return min(self._most, max(self._least, seconds))


def pause(failures: int) -> float:
    """Seconds until the next try: twice as long each time, and never the same for two instances."""
    return min(SLOWEST_RETRY, FIRST_RETRY * 2.0 ** min(failures, 10)) * (0.5 + 0.5 * dice.fraction())
