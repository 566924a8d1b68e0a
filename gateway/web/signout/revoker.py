"""The one way in which sessions end: every way out and every way in goes through here.

The order is the promise. First the index holds the entries, so that they deny in this process from that moment on.
Next, live connections end, for they need not wait for a disk. The log then says whether the entries are durable, and
only after that is anybody told of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.core.session.revocation_keys import ends_sessions
from gateway.core.signout.revocation import NewEntry
from gateway.state.contract.log import RevocationLog

EndLive = Callable[[Sequence[NewEntry]], int]
"""Ends the live connections of what entries have ended, and says how many there were."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """What became of it.

    :ivar durable: the log has the entries: no crash loses them and every process sees them.
    :ivar position: the last one known to be in the log. :ivar closed: live connections of this process that were ended.
    """

    durable: bool
    position: int
    closed: int


class Revoker:
    """Ends what entries name.

    :param end_live: of this process; a process without connections of users has none to end.
    """

    def __init__(self, log: RevocationLog, end_live: EndLive = lambda _: 0) -> None:
        self._log = log
        self._end_live = end_live

    async def end(self, entries: Sequence[NewEntry], tell: Callable[[NewEntry, bool], None]) -> Revoked:
        """Append them, with what may have to be remembered beside them.

        :param tell: the session events' part: called with each entry that ends sessions, and whether it is durable.
        """
        appending = self._log.append(entries)
        closed = self._end_live(entries)
        appended = await appending
        for entry in entries:
            if ends_sessions(entry.key):
                tell(entry, appended.durable)
        return Revoked(appended.durable, appended.position, closed)
