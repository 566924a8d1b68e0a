"""Ends the live connections of sessions that were idle for too long, as far as that can be known.

What goes through a WebSocket or an event stream is no activity (rule R16), and the request that a connection came with
knows nothing of what its browser has done since, perhaps at another replica. The list of sign-ins does: whoever moves a
session's idle deadline notes when that was, and all replicas write their notes there. So once the deadline that a
connection came with has passed, the list is asked, and again when what it says has passed.

The deadline is over when nobody can know better any more: notes are gathered before they are written, and clocks
differ. What the list does not know, or cannot tell, goes on; it ends with the absolute deadline.
"""

from __future__ import annotations

from gateway.core import clock
from gateway.core.session.session import Session
from gateway.proxy.live import LiveConnections
from gateway.state.contract.sign_ins import BETWEEN_SIGHTINGS, SignIns
from gateway.telemetry.log import get_logger, session_mark

LOOK_EVERY = 60.0
"""Seconds between two looks at all sessions with live connections."""
AGAIN = 60
"""Seconds until the list is asked again that could not tell."""
LISTED = 1_000
"""Sign-ins of one subject among which a session is looked for."""
EXPIRED = "idle expired"
_log = get_logger("idle")


class IdleEndings:
    """See the module.

    :param idle: seconds; ``session.idle``.
    """

    def __init__(self, live: LiveConnections, sign_ins: SignIns, *, idle: int) -> None:
        self._live = live
        self._sign_ins = sign_ins
        self._idle = idle
        self._next: dict[str, int] = {}

    async def look(self) -> int:
        """Ask about every session whose time may be over; how many connections were ended."""
        now, sessions = clock.now(), self._live.sessions()
        self._next = {
            session.sid: self._next.get(session.sid, session.idle_until + BETWEEN_SIGHTINGS)
            for session in sessions
        }
        count = 0
        for session in sessions:
            if self._next[session.sid] <= now:
                count += await self._ask(session, now)
        return count

    async def _ask(self, session: Session, now: int) -> int:
        seen_at = await self._seen_at(session)
        over = now + AGAIN if seen_at is None else seen_at + self._idle + BETWEEN_SIGHTINGS
        if over > now:
            self._next[session.sid] = over
            return 0
        _log.info("idle_expired", session=session_mark(session.sid))
        return self._live.end(session.sid, EXPIRED)

    async def _seen_at(self, session: Session) -> int | None:
        """When its idle deadline was moved last; None where that is not known."""
        who = session.principal
        listed = await self._sign_ins.of(who.issuer, who.subject, limit=LISTED)
        return next((one.seen_at for one in listed.sign_ins if one.sid == session.sid), None)
