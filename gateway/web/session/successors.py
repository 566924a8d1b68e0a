"""How a later generation of a session is handed from process to process: sealed, so that nobody else can read it."""

from __future__ import annotations

from gateway.core.session import ticket as tickets
from gateway.core.session.sealing import Deployment, KeyRing, Opened, associated_data
from gateway.core.session.session import Session, from_plain, to_kept


class Successors:
    """Seals and opens them as each session's own store does: under the ring, or under what only its ticket has."""

    def __init__(self, ring: KeyRing, deployment: Deployment) -> None:
        self._ring = ring
        self._deployment = deployment

    def sealed(self, later: Session, now: int) -> bytes:
        """What is published of ``later``."""
        if later.secret is not None:
            return tickets.sealed(later, self._deployment)
        return self._ring.seal(to_kept(later), self._purpose(later.sid), now=now)

    def opened(self, session: Session, sealed: bytes, now: int) -> Session | None:
        """What was published, to somebody who has an earlier generation; None where it does not open."""
        if session.secret is not None:
            return tickets.opened(sealed, session.sid, session.secret, self._deployment)
        opened = self._ring.open(sealed, self._purpose(session.sid), now=now)
        if not isinstance(opened, Opened):
            return None
        try:
            return from_plain(opened.plain)
        except ValueError:
            return None

    def _purpose(self, sid: str) -> bytes:
        return associated_data("successor", sid, self._deployment)
