"""How a later generation of a session is handed from process to process: sealed, so that nobody else can read it."""

from __future__ import annotations

from gateway.core.session import ticket as tickets
from gateway.core.session.sealing import Deployment, KeyRing, associated_data
from gateway.core.session.session import FORMAT, Session, Ticket


class Successors:
    """Seals and opens them as each session's own store does: under the ring, or under what only its ticket has."""

    def __init__(self, ring: KeyRing, deployment: Deployment) -> None:
        self._ring = ring
        self._deployment = deployment

    def sealed(self, later: Session, now: int) -> bytes:
        """What is published of ``later``."""
        if later.ticket is not None:
            return tickets.sealed(later, self._deployment)
        return self._ring.seal(FORMAT.plain(later), self._purpose(later.sid), now=now)

    def opened(self, sid: str, ticket: Ticket | None, sealed: bytes, now: int) -> Session | None:
        """What was published of the session ``sid``, to somebody who has its ticket, where there is one; None where it
        does not open.
        """
        if ticket is not None:
            return tickets.opened(sealed, ticket, self._deployment)
        return FORMAT.read_from(self._ring.open(sealed, self._purpose(sid), now=now))

    def _purpose(self, sid: str) -> bytes:
        return associated_data("successor", sid, self._deployment)
