"""``/oauth2/session``: what the SPA may know of its session; asking never prolongs it (pain P24)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from gateway.core import clock
from gateway.core.gate import barrier_stands
from gateway.core.http.facts import RequestFacts
from gateway.core.session.session import Session, absolute_deadline
from gateway.web.gate import Gate
from gateway.web.messages import Request, Response
from gateway.web.pages import pages
from gateway.web.pages.errors import refuse
from gateway.web.pages.pages import Page
from gateway.web.pages.respond import send
from gateway.web.session.session import Carried


async def live_session(gate: Gate, facts: RequestFacts, now: int) -> tuple[Carried, Session] | Response:
    """What the browser carries and its session; or the refusal: 401, and 503 while nothing is known."""
    carried, state, revocations = await gate.read(facts, now)
    if revocations.age > gate.rules.max_staleness:
        return refuse(facts, "state_stale")
    if isinstance(state, Session):
        return carried, state
    if barrier_stands(state, carried.chain, gate.rules, now):
        return send(gate.signing_out())
    return send(gate.login_required(state.reason))


@dataclass(frozen=True, slots=True)
class SessionEndpoint:
    """Who is signed in, and for how long."""

    gate: Gate

    async def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """200 with the principal, 401 otherwise."""
        now = clock.now()
        found = await live_session(self.gate, facts, now)
        if isinstance(found, Response):
            return found
        _, session = found
        who = session.principal
        data = {
            "user": who.user,
            "email": who.email,
            "groups": list(who.groups),
            "claims": dict(who.claims),
            "expires_in": absolute_deadline(session, self.gate.rules.session) - now,
            "idle_in": session.idle_until - now,
        }
        headers = pages.own_headers("application/json", "default-src 'none'")
        return send(Page(200, json.dumps(data).encode(), headers))
