"""Everything that lives long, by session: what is here is ended when its session ends (guarantee 2, rule R22).

What nobody is signed in for is here too, under no session, because a gateway that stops must end it as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.core.session import Session

End = Callable[[str], None]
Leave = Callable[[], None]

WEBSOCKET, EVENTS, DOWNLOAD = "websocket", "events", "download"
KINDS = (WEBSOCKET, EVENTS, DOWNLOAD)
NO_SESSION = ""


@dataclass(eq=False, slots=True)
class LiveToken:
    """One registered connection; hand it back with :meth:`LiveConnections.discard`."""

    sid: str
    end: End
    session: Session | None = None
    kind: str = DOWNLOAD
    leave: Leave | None = None


class LiveConnections:
    """WebSockets, event streams and unfinished downloads, by session id."""

    def __init__(self) -> None:
        self._by_sid: dict[str, set[LiveToken]] = {}
        self._count = 0
        self.counts = dict.fromkeys(KINDS, 0)

    def __len__(self) -> int:
        return self._count

    def add(
        self,
        sid: str,
        end: End,
        *,
        session: Session | None = None,
        kind: str = DOWNLOAD,
        leave: Leave | None = None,
    ) -> LiveToken:
        """Register a connection.

        :param sid: ``NO_SESSION`` when nobody is signed in.
        :param end: called once with a reason, synchronously; it must close the connection and not raise.
        :param session: lets :meth:`sweep` ask about it by its aliases.
        :param kind: one of ``KINDS``, for the gauge.
        :param leave: ends what would never end by itself, when the gateway stops; None lets it finish.
        """
        token = LiveToken(sid, end, session, kind, leave)
        self._by_sid.setdefault(sid, set()).add(token)
        self._count += 1
        self.counts[kind] += 1
        return token

    def discard(self, token: LiveToken) -> None:
        """The connection is gone; doing this twice is no error."""
        tokens = self._by_sid.get(token.sid)
        if tokens is None or token not in tokens:
            return
        tokens.discard(token)
        self._count -= 1
        self.counts[token.kind] -= 1
        if not tokens:
            del self._by_sid[token.sid]

    def end(self, sid: str, reason: str) -> int:
        """End every connection of a session.

        :returns: how many there were.
        """
        tokens = tuple(self._by_sid.get(sid, ()))
        for token in tokens:
            self.discard(token)
            token.end(reason)
        return len(tokens)

    def sweep(self, ended: Callable[[Session], str | None]) -> int:
        """End every connection whose session ``ended`` names a reason for; for entries that name a subject, not a sid.

        :returns: how many were ended.
        """
        count = 0
        for tokens in tuple(self._by_sid.values()):
            session = next(iter(tokens)).session
            reason = ended(session) if session is not None else None
            if reason is not None and session is not None:
                count += self.end(session.sid, reason)
        return count

    def leave(self) -> int:
        """The gateway stops: end what would never end by itself, and let downloads finish.

        :returns: how many were ended.
        """
        tokens = [token for each in self._by_sid.values() for token in each if token.leave is not None]
        for token in tokens:
            self.discard(token)
            if token.leave is not None:
                token.leave()
        return len(tokens)
