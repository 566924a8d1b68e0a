"""Sessions kept in Redis, their browsers having tickets (``session.store: ticket``; ``core/session/ticket.py``).

What Redis has of a session is remembered here for some seconds, and asked for once however many requests wait for it. A
remembered session is as good as the one in Redis where it matters: whether it was revoked is asked of the revocation
index at every request, as ever. It may only be behind in what moves. Behind in its idle deadline it would end too
early, so Redis is asked before it does; behind in its generation it is due for a refresh, and the refresher asks the
others (``core/session/lifecycle.py``). So while Redis does not answer, what is remembered is used until it could be
idle, and what is not is answered 503: nobody is let in, nobody is sent to sign in, and no cookie is expired.

Activity and the successors of a refresh are written beside the requests that show them. Every write names the revision
that it was made from, and one that comes too late is dropped together with what is remembered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from gateway.core import clock
from gateway.core.errors import StateError
from gateway.core.gate import SESSIONS_AWAY
from gateway.core.http.facts import RequestFacts
from gateway.core.http.own_cookies import OwnCookies
from gateway.core.memo import Kept, weight
from gateway.core.session import cookies
from gateway.core.session import ticket as tickets
from gateway.core.session.cookies import CookieTooLargeError
from gateway.core.session.identity_headers import HeaderPairs, IdentityOptions
from gateway.core.session.sealing import Deployment, KeyRing, Opened
from gateway.core.session.session import (
    Session,
    SessionLimits,
    SessionOrHusk,
    Ticket,
    absolute_deadline,
    touched,
)
from gateway.core.signout.chain import Chain
from gateway.state.contract.tickets import Absent, Overtaken, StoredSession, Tickets
from gateway.telemetry.log import get_logger, session_mark
from gateway.web.session.session import Carried, Sessions
from gateway.web.session.sightings import Sightings

FRESH = 5
"""Seconds for which Redis is not asked again."""
AGAIN = 1
"""Seconds until it is, where it did not answer."""
MOST = 4_096
"""Sessions remembered."""
MOST_BYTES = 32 * 1024 * 1024
"""Bytes that they take here, together."""
HELD = 256
"""Bytes of them for each that are neither of the session itself nor of the dict."""
MOST_IDENTITY_BYTES = 16 * 1024
"""Bytes of identity headers, which no cookie's budget bounds here: most servers refuse more (Node's default)."""
MARGIN = 60
"""Seconds for which Redis keeps a session beyond its absolute deadline, for clocks that differ."""
TRIES = 3
"""How often a page's write is tried that another write has overtaken."""
_log = get_logger("tickets")


@dataclass(slots=True)
class _Held:
    """What is remembered.

    :ivar revision: of what Redis had; 0 where it has nothing. :ivar known_at: when Redis said so, seconds.
    :ivar until: when it is to be asked again.
    """

    session: SessionOrHusk
    identity: HeaderPairs
    revision: int
    known_at: int
    until: int

    def may_be_idle(self, now: int) -> bool:
        """Whether its idle deadline has passed and Redis was not asked since: others may have seen activity."""
        return self.known_at < self.session.idle_until <= now


class TicketSessions(Sessions):
    """Reads and writes sessions in Redis, and their tickets.

    :param store: of all processes. The others are those of :class:`gateway.web.session.session.Sessions`.
    """

    remote = True

    def __init__(
        self,
        ring: KeyRing,
        deployment: Deployment,
        limits: SessionLimits,
        store: Tickets,
        *,
        identity: IdentityOptions | None = None,
        sightings: Sightings | None = None,
        on_sealed: Callable[[int], None] | None = None,
        suffix: str = "",
    ) -> None:
        super().__init__(
            ring, deployment, limits,
            identity=identity, sightings=sightings, on_sealed=on_sealed, suffix=suffix,
        )  # fmt: skip
        self._session = cookies.ticket_cookie(limits.absolute, suffix=suffix)
        self._store = store
        self._held: Kept[Ticket, _Held] = Kept(entries=MOST, size=MOST_BYTES, weigh=_size)
        self._asking: dict[Ticket, asyncio.Task[None]] = {}
        self._writing: dict[Ticket, asyncio.Task[None]] = {}

    # At a request

    def carried(self, headers: tuple[bytes, ...], now: int) -> Carried:
        """With the session that is remembered for the ticket; :meth:`fetch` comes first."""
        carried = super().carried(headers, now)
        ticket = carried.ticket
        if ticket is None:
            return carried
        held = self._held[ticket]
        if held is None:
            return replace(carried, session=tickets.husk(ticket, away=True))
        return Carried(carried.cookies, held.session, carried.chain, carried.outdated, held.identity, ticket)

    def waits(self, facts: RequestFacts, now: int) -> bool:
        """Never for whoever has no ticket of ours."""
        ticket = super().carried(facts.cookies, now).ticket
        return ticket is not None and not _is_fresh(self._held[ticket], now)

    async def fetch(self, headers: tuple[bytes, ...], now: int) -> None:
        """One question for all who want the same session."""
        ticket = super().carried(headers, now).ticket
        if ticket is None or _is_fresh(self._held[ticket], now):
            return
        asking = self._asking.get(ticket)
        if asking is None:
            asking = self._asking[ticket] = asyncio.create_task(self._ask(ticket), name="read-session")
            asking.add_done_callback(lambda _: self._asking.pop(ticket, None))
        await asyncio.shield(asking)

    def replaced(self, carried: Carried, session: Session | None) -> Carried:
        """The ticket stays the same, whatever becomes of its session."""
        return replace(super().replaced(carried, session), outdated=carried.outdated)

    def renewed(
        self, session: Session, carried: Carried, now: int, *, active: bool, client: str
    ) -> list[str]:
        """Has activity and a later generation written beside the request; a cookie only where its key was replaced."""
        ticket = carried.ticket
        held = self._held[ticket] if ticket is not None and ticket not in self._writing else None
        if ticket is not None and held is not None and isinstance(held.session, Session):
            moved = touched(session, self.limits, now) if active else None
            if moved is not None:
                self._note(moved, client, now)
            if moved is not None or session.generation > held.session.generation:
                writing = asyncio.create_task(
                    self._write(ticket, held, moved or session), name="keep-session"
                )
                self._writing[ticket] = writing
                writing.add_done_callback(lambda _: self._writing.pop(ticket, None))
        return self.seal(session, carried.cookies, now) if carried.outdated else []

    # Beginning, changing, ending

    async def begin(self, session: Session, carried: OwnCookies, now: int) -> list[str]:
        """In Redis before the browser hears of it."""
        session = tickets.issued(session)
        size = sum(len(name) + len(value) for name, value in self._identity_headers(session))
        if size > MOST_IDENTITY_BYTES:
            raise CookieTooLargeError(size, MOST_IDENTITY_BYTES)
        ticket = tickets.ticket_of(session)
        sealed = tickets.sealed(session, self.deployment)
        keep = absolute_deadline(session, self.limits) - now + MARGIN
        if not await self._store.create(session.sid, sealed, keep=keep):
            raise StateError(SESSIONS_AWAY, "the new session could not be kept")
        self._hold(ticket, session, now, revision=1)
        return self.seal(session, carried, now)

    async def keep(self, session: Session, carried: Carried, now: int) -> list[str]:
        """Onto whatever Redis has by then, for activity is written as well."""
        ticket = tickets.ticket_of(session)
        for _ in range(TRIES):
            if self._held[ticket] is None:
                await self._ask(ticket)
            held = self._held[ticket]
            if held is None or not isinstance(held.session, Session):
                break
            if await self._written(ticket, held, replace(held.session, page=session.page)):
                return self.seal(session, carried.cookies, now) if carried.outdated else []
        raise StateError(SESSIONS_AWAY, "what a page wrote could not be kept")

    async def remove(self, session: SessionOrHusk) -> None:
        """The revocation log is what ends it; what cannot be removed goes with its time."""
        if session.ticket is not None:
            await self._store.remove(session.sid)

    async def close(self) -> None:
        """Each takes a quarter of a second at most."""
        if self._writing:
            await asyncio.wait(self._writing.values())

    # Beside it

    def _content(self, session: Session) -> dict[str, Any]:
        return tickets.FORMAT.plain(tickets.ticket_of(session))

    def _from_cookie(self, own: OwnCookies, opened: Opened | None, chain: Chain | None) -> Carried:
        if opened is None:
            return Carried(own, chain=chain)
        ticket = tickets.FORMAT.read(opened.plain)
        if ticket is None:
            narrowed = tickets.FORMAT.read_narrowed(opened.plain)
            return Carried(own, tickets.husk(narrowed, away=False) if narrowed else None, chain)
        return Carried(own, chain=chain, outdated=opened.outdated, ticket=ticket)

    async def _ask(self, ticket: Ticket) -> None:
        found = await self._store.read(ticket.sid)
        now, held = clock.now(), self._held[ticket]
        if isinstance(found, StoredSession):
            self._take(ticket, found, now)
        elif isinstance(found, Absent):
            self._hold(ticket, tickets.husk(ticket, away=False), now)
        elif held is not None and held.may_be_idle(now):
            self._held.drop(ticket)
        elif held is not None:
            held.until = now + AGAIN

    def _take(self, ticket: Ticket, found: StoredSession, now: int) -> None:
        session: SessionOrHusk | None = tickets.opened(found.sealed, ticket, self.deployment)
        if session is None:
            _log.warning(
                "session_unreadable",
                session=session_mark(ticket.sid),
                fix="a later release has narrowed it, or somebody else writes to the keys in Redis",
            )
            session = tickets.husk(ticket, away=False)
        self._hold(ticket, session, now, revision=found.revision)

    async def _write(self, ticket: Ticket, held: _Held, later: Session) -> None:
        """What is remembered moves at once, so that the next request finds nothing left to write."""
        moved = replace(held, session=later, identity=self._identity_headers(later))
        if self._held[ticket] is held:
            self._held.keep(ticket, moved)
        try:
            await self._written(ticket, moved, later)
        except CookieTooLargeError as error:
            _log.warning(
                "session_too_large", session=session_mark(ticket.sid), bytes=error.needed, most=error.budget
            )

    async def _written(self, ticket: Ticket, held: _Held, later: Session) -> bool:
        """Whether it is in Redis now."""
        sealed = tickets.sealed(later, self.deployment)
        answer = await self._store.replace(ticket.sid, held.revision, sealed)
        now = clock.now()
        if isinstance(answer, StoredSession):
            self._hold(ticket, later, now, revision=answer.revision)
        elif isinstance(answer, Overtaken):
            self._held.drop(ticket)
        elif isinstance(answer, Absent):
            self._hold(ticket, tickets.husk(ticket, away=False), now)
        return isinstance(answer, StoredSession)

    def _hold(self, ticket: Ticket, session: SessionOrHusk, now: int, *, revision: int = 0) -> None:
        identity = self._identity_headers(session) if isinstance(session, Session) else ()
        self._held.keep(ticket, _Held(session, identity, revision, now, now + FRESH))


def _size(ticket: Ticket, held: _Held | None) -> int:
    return HELD + weight((ticket, held.session, held.identity)) if held else 0


def _is_fresh(held: _Held | None, now: int) -> bool:
    """Whether Redis need not be asked."""
    return held is not None and now < held.until <= now + FRESH and not held.may_be_idle(now)
