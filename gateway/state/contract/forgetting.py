"""What time it is for whoever wants to forget something.

An entry may go when every session that it ends is over. A wall clock that jumps ahead would have entries forgotten
that are still needed, and when it is right again the sessions that they ended would live. So forgetting goes by the
slower of the wall clock and the time that has really gone by (`clock.elapsed`, which no one sets), beginning with what
the wall clock said at the start, or with what an earlier process of this boot went by.

It follows the wall clock down at once. Up it follows by a hundredth of the time that goes by, as any clock is put
right; at once when the wall clock is back where it was believed before, or has stayed where it is for an hour: then it
is the one that is right.

The other way round, a wall clock that is behind makes entries that are over too early: what is made here expires later
by as much as the clock has fallen back, behind what it said to this process or to one before. And entries that reach
the log late are compared with sign-ins by time: they are dated no earlier than any sign-in can have been, also one by a
clock that was ahead for a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.core import clock
from gateway.core.signout.revocation import ENTRY_MARGIN
from gateway.state.contract.trouble import Trouble

SETTLED: Final = 3_600.0
"""Seconds after which a clock that was set is believed."""
CREEP: Final = 0.01
"""Seconds gained on the wall clock in each second."""
APART: Final = 60
"""Seconds between the two that people should hear of; entries outlive their sessions by as much."""


class Forgetting:
    """Looked at once a beat.

    :param wall: seconds since the epoch. :param elapsed: seconds that never go back and are never set.
    :ivar disagreement: of the clock, as people have been told.
    """

    def __init__(
        self, wall: Callable[[], float] = clock.precise, elapsed: Callable[[], float] = clock.elapsed
    ) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._looked_at = elapsed()
        self._offset = self._latest = self._seen = wall() - self._looked_at
        self._furthest = self._latest
        self._moved_at = self._looked_at
        self.disagreement = Trouble("clock_disagrees", "clock_agrees")

    @property
    def offset(self) -> float:
        """What is added to `clock.elapsed`: the same for every process of one boot."""
        return self._offset

    @property
    def latest(self) -> float:
        """Seconds since the epoch: what the wall clock would say if it had not fallen back."""
        return self._elapsed() + self._latest

    @property
    def furthest(self) -> float:
        """Seconds since the epoch: what the wall clock would say if it had stayed where it was furthest ahead, as far
        as anybody signs in by such a clock.
        """
        return self._elapsed() + min(max(self._latest, self._furthest), self._latest + ENTRY_MARGIN)

    def date(self) -> int:
        """Seconds since the epoch: no sign-in of before was later."""
        return int(max(self._wall(), self.furthest))

    def learn(self, offset: float, latest: float, furthest: float) -> None:
        """An earlier process of this boot went by this offset, and one of this boot or another has believed that it was
        as late as `latest`, and seen it say `furthest`.
        """
        if (
            offset < self._offset
        ):  # this process began while the clock was ahead, and has believed nothing yet
            self._offset = self._latest = offset
        self._latest = max(self._latest, latest - self._elapsed())
        self._furthest = max(self._furthest, furthest - self._elapsed())

    def look(self) -> None:
        """See what the wall clock says now."""
        elapsed = self._elapsed()
        offset = self._wall() - elapsed
        if abs(offset - self._seen) > 1 + CREEP * (elapsed - self._looked_at):
            self._moved_at = elapsed
        self._seen = offset
        gained = max(self._offset + CREEP * (elapsed - self._looked_at), min(offset, self._latest))
        self._looked_at = elapsed
        if elapsed - self._moved_at >= SETTLED:
            self._offset = self._latest = self._furthest = offset
        self._furthest = max(self._furthest, offset)
        self._offset = min(offset, max(self._offset, gained))
        self._latest = max(self._latest, self._offset)

    def now(self) -> int:
        """Seconds since the epoch: what expired before may be forgotten."""
        return int(min(self._wall(), self._elapsed() + self._offset))

    def behind(self) -> int:
        """Seconds that the wall clock has fallen back behind what it said before; 0 where it has not."""
        return max(0, round(self._elapsed() + self._latest - self._wall()))

    def complaint(self) -> str:
        """What to say of a clock that disagrees, one line; empty where none does."""
        ahead = self._wall() - self._elapsed() - self._offset
        if ahead > APART:
            return f"this machine's clock is {ahead:.0f} s ahead of the time that has gone by; set it right"
        if (behind := self.behind()) > APART:
            return f"this machine's clock has fallen back by {behind} s; set it right"
        return ""


def tell_of_clock(forgetting: Forgetting) -> None:
    """Look at the clock, and say so when it begins or ceases to disagree."""
    forgetting.look()
    forgetting.disagreement.tell(forgetting.complaint())


def boot_id() -> str:
    """Another one after each start of the machine; empty where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
