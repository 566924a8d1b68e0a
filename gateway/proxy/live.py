"""Everything that lives long, by session: what is here is ended when its session ends (guarantee 2, rule R22).

What nobody is signed in for is here too, under no session, because a gateway that stops must end it as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.core.session.revocation_keys import ends_sessions, sid_of
from gateway.core.session.session import Session
from gateway.core.signout.revocation import NewEntry

End = Callable[[str], None]
Leave = Callable[[], None]

WEBSOCKET, EVENTS, DOWNLOAD, TABS = "websocket", "events", "download", "tabs"
KINDS = (WEBSOCKET, EVENTS, DOWNLOAD, TABS)
"""What passes through, and the streams of our own by which tabs hear of the end."""
NO_SESSION = ""
REVOKED = "revoked"
"""The reason where whoever ended the session gave none to this process."""


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

    def sessions(self) -> list[Session]:
        """Every session with a connection; of its copies the one that is idle last."""
        latest: list[Session] = []
        for tokens in self._by_sid.values():
            copies = [token.session for token in tokens if token.session is not None]
            if copies:
                latest.append(max(copies, key=lambda copy: copy.idle_until))
        return latest

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


class Endings:
    """Ends what new entries of the log have ended. The work for an entry that names one session is one look-up, however
    many connections there are; only an entry that may name several costs a look at every session.

    :param over: why the connections of a session are to be ended, None while it lives.
    """

    def __init__(self, live: LiveConnections, over: Callable[[Session], str | None]) -> None:
        self._live = live
        self._over = over
        self._keys: list[str] = []
        self._pending = asyncio.Event()

    def hear(self, key: str) -> None:
        """An entry with this key denies from now on. Ends nothing yet: whoever made the entry may know a better
        reason, and comes first.
        """
        if ends_sessions(key):
            self._keys.append(key)
            self._pending.set()

    def carry_out(self) -> int:
        """End what was heard of since the last time.

        :returns: how many connections were ended.
        """
        self._pending.clear()
        sids = [sid for key in self._keys if (sid := sid_of(key)) is not None]
        names_one = len(sids) == len(self._keys)
        count = sum(self._live.end(sid, REVOKED) for sid in sids) if names_one else self.sweep()
        self._keys.clear()  # last: what a failure has kept from being ended is tried again
        return count

    def end(self, entries: Sequence[NewEntry]) -> int:
        """End what these entries have ended, for their own reasons where they name one session.

        :returns: how many connections were ended.
        """
        named = [(sid, entry.reason) for entry in entries if (sid := sid_of(entry.key)) is not None]
        return sum(self._live.end(sid, reason) for sid, reason in named) + self.carry_out()

    def sweep(self) -> int:
        """Look at every session; how many connections were ended."""
        return self._live.sweep(self._over)

    async def wait(self, seconds: float) -> None:
        """Until there is something to carry out, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._pending.wait()
        except TimeoutError:
            pass
