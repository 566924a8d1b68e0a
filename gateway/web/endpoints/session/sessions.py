"""``/oauth2/sessions``: where this user is signed in, and how to end it there (design section 7).

The list is what was recorded at sign-in by every process that shares the revocation log. It is for showing; what ends
a session is an entry in that log, here as everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core import clock
from gateway.core.errors import DownstreamError
from gateway.core.http.crossing import crosses_origin
from gateway.core.http.facts import RequestFacts
from gateway.core.session.device import device_of
from gateway.core.session.revocation_keys import sid_key, subject_key
from gateway.core.session.session import Session
from gateway.core.session.sign_in import SignIn
from gateway.core.signout.revocation import ENTRY_MARGIN, NewEntry
from gateway.state.contract.log import RevocationLog
from gateway.state.contract.sign_ins import Listed, SignIns, living
from gateway.web.endpoints.session.session import LiveSession
from gateway.web.messages import Request, Response
from gateway.web.pages import pages
from gateway.web.pages.errors import refuse
from gateway.web.pages.pages import SessionLine
from gateway.web.pages.respond import redirect, send
from gateway.web.query import parameter
from gateway.web.reasons import ENDED_EVERYWHERE, ENDED_THERE
from gateway.web.session.session import Carried
from gateway.web.signout.logout import Logout
from gateway.web.signout.revoker import Revoker
from gateway.web.signout.session_events import SessionEvents
from gateway.web.statuses import status_of

MAX_LISTED = 100
"""Sessions in one answer."""
OTHERS = "others"
EVERYWHERE = "all"


@dataclass(frozen=True, slots=True)
class SessionsEndpoint:
    """The user's own sessions."""

    path: str
    live: LiveSession
    logout: Logout
    log: RevocationLog
    revoker: Revoker
    sign_ins: SignIns
    events: SessionEvents

    async def show(self, request: Request, facts: RequestFacts) -> Response:
        """The list, as a page or as JSON; asking for it is no activity."""
        found = await self.live(facts, clock.now())
        if isinstance(found, Response):
            return self._to_sign_in(facts, found)
        _, session = found
        listed = await self._listed(session)
        if not facts.wants_page:
            return send(pages.document(_as_data(listed, session)))
        lines = [_line(each, current=each.sid == session.sid) for each in listed.sign_ins]
        page = pages.sessions(
            lines=lines,
            complete=listed.complete,
            more=max(0, listed.total - len(lines)),
            action=self.path,
        )
        return send(page)

    async def end(self, request: Request, facts: RequestFacts) -> Response:
        """``?end=`` names one session of the user's, ``others`` or ``all``; ``all`` signs out here as well."""
        if crosses_origin(facts, self.live.standing.rules.origins):
            return refuse(facts, "cross_origin")
        now = clock.now()
        found = await self.live(facts, now)
        if isinstance(found, Response):
            return self._to_sign_in(facts, found)
        carried, session = found
        wanted = parameter(facts, "end") or ""
        if wanted == EVERYWHERE:
            return await self._everywhere(facts, carried, session, now)
        others = [each for each in (await self._listed(session)).sign_ins if each.sid != session.sid]
        chosen = [each for each in others if wanted in {OTHERS, each.sid}]
        if not chosen and wanted != OTHERS:
            raise DownstreamError("bad_parameter", "not_yours")
        durable = await self._end(chosen, session, facts.client)
        if facts.wants_page:
            return redirect(self.path, status=303)
        return send(pages.document({"ended": len(chosen), "durable": durable}))

    async def _listed(self, session: Session) -> Listed:
        """Those that live."""
        who = session.principal
        listed = await self.sign_ins.of(who.issuer, who.subject, limit=MAX_LISTED)
        return await living(listed, self.log, self.sign_ins, idle=self.live.standing.rules.session.idle)

    async def _end(self, chosen: Sequence[SignIn], session: Session, client: str) -> bool:
        entries = [NewEntry(sid_key(each.sid), each.until + ENTRY_MARGIN, ENDED_THERE) for each in chosen]
        return not entries or await self._revoke(entries, client)

    async def _revoke(self, entries: Sequence[NewEntry], client: str) -> bool:
        def tell(entry: NewEntry, durable: bool) -> None:
            self.events.revoked(entry.key, entry.reason, durable=durable, client=client)

        return (await self.revoker.end(entries, tell)).durable

    async def _everywhere(
        self, facts: RequestFacts, carried: Carried, session: Session, now: int
    ) -> Response:
        """By the subject's name, so that sessions are ended too that no list knows of; then the chain."""
        subject = subject_key(session.principal.issuer, session.principal.subject)
        entry = NewEntry(
            subject, now + self.live.standing.rules.session.absolute + ENTRY_MARGIN, ENDED_EVERYWHERE
        )
        durable = await self._revoke([entry], facts.client)
        if facts.wants_page:
            return await self.logout.leave(carried, how="everywhere", now=now, sent=facts.cookies)
        step, cookies = await self.logout.start(carried, how="everywhere", now=now, sent=facts.cookies)
        return send(pages.document({"location": self.logout.location(step), "durable": durable}), cookies)

    def _to_sign_in(self, facts: RequestFacts, refused: Response) -> Response:
        if not facts.navigation or refused.status != status_of("login_required"):
            return refused
        return redirect(self.live.unauthorized.sign_in(facts))


def _line(one: SignIn, *, current: bool) -> SessionLine:
    return SessionLine(one.sid, device_of(one.agent), one.client, one.login_at, one.seen_at, current)


def _as_data(listed: Listed, session: Session) -> dict[str, object]:
    return {
        "sessions": [
            {
                "id": each.sid,
                "current": each.sid == session.sid,
                "device": device_of(each.agent),
                "client": each.client,
                "login_at": each.login_at,
                "seen_at": each.seen_at,
            }
            for each in listed.sign_ins
        ],
        "total": listed.total,
        "complete": listed.complete,
    }
