"""``/oauth2/session``: what the SPA may know of its session; asking never prolongs it (pain P24)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core import clock
from gateway.core.gate import barrier_stands
from gateway.core.http.facts import RequestFacts
from gateway.core.session.session import Session, absolute_deadline
from gateway.web.messages import Request, Response
from gateway.web.pages import pages
from gateway.web.pages.errors import refuse
from gateway.web.pages.respond import send
from gateway.web.session.session import Carried
from gateway.web.standing import Standing
from gateway.web.unauthorized import SIGNING_OUT, Unauthorized


@dataclass(frozen=True, slots=True)
class LiveSession:
    """For endpoints that are about the session of whoever asks."""

    standing: Standing
    unauthorized: Unauthorized

    async def __call__(self, facts: RequestFacts, now: int) -> tuple[Carried, Session] | Response:
        """What the browser carries and its session; or the refusal: 401, and 503 while nothing is known."""
        rules = self.standing.rules
        carried, state, revocations = await self.standing.read(facts, now)
        if revocations.age > rules.max_staleness:
            return refuse(facts, "state_stale")
        if isinstance(state, Session):
            return carried, state
        signing_out = barrier_stands(state, carried.chain, rules, now)
        return self.unauthorized.program(SIGNING_OUT if signing_out else state.reason)


@dataclass(frozen=True, slots=True)
class SessionEndpoint:
    """Who is signed in, and for how long."""

    live: LiveSession

    async def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """200 with the principal, 401 otherwise."""
        now = clock.now()
        found = await self.live(facts, now)
        if isinstance(found, Response):
            return found
        _, session = found
        who = session.principal
        data = {
            "user": who.user,
            "email": who.email,
            "groups": list(who.groups),
            "claims": dict(who.claims),
            "expires_in": absolute_deadline(session, self.live.standing.rules.session) - now,
            "idle_in": session.idle_until - now,
        }
        return send(pages.document(data))
