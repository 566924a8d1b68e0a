"""``/oauth2/activity``: the tab script reports that somebody is there (rule R16, ``session.activity: input``)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core import clock
from gateway.core.http.crossing import crosses_origin
from gateway.core.http.facts import RequestFacts
from gateway.web.endpoints.session.session import LiveSession
from gateway.web.gate import Gate
from gateway.web.messages import Request, Response
from gateway.web.pages.errors import refuse
from gateway.web.pages.pages import Page
from gateway.web.pages.respond import send

_SEEN = Page(204, b"", (("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer")))


@dataclass(frozen=True, slots=True)
class Activity:
    """Moves the idle deadline."""

    live: LiveSession
    gate: Gate

    async def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """204, with a new cookie where the last one is old enough; 401 without a session, 403 from another origin."""
        if crosses_origin(facts, self.live.standing.rules.origins):
            return refuse(facts, "cross_origin")
        now = clock.now()
        found = await self.live(facts, now)
        if isinstance(found, Response):
            return found
        carried, session = found
        request.sid = session.sid
        return send(_SEEN, self.gate.prolonged(carried, now, facts.client))
