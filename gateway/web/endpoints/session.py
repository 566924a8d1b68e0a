"""``/oauth2/session``: what the SPA may know of its session; asking never prolongs it (pain P24)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from gateway.core import clock
from gateway.core.facts import RequestFacts
from gateway.core.gate import Challenge, GateRules, barrier_stands
from gateway.core.session import absolute_deadline
from gateway.web import pages
from gateway.web.errors import refuse
from gateway.web.gate import Gate
from gateway.web.messages import Request, Response
from gateway.web.pages import Page
from gateway.web.respond import send


@dataclass(frozen=True, slots=True)
class SessionEndpoint:
    """Who is signed in, and for how long."""

    gate: Gate
    rules: GateRules

    async def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """200 with the principal, 401 otherwise."""
        now = clock.now()
        carried, state, revocations = await self.gate.read(facts, now)
        if revocations.age > self.rules.max_staleness:
            return refuse(facts, "state_stale")
        if isinstance(state, Challenge):
            if barrier_stands(state, carried.chain, self.rules, now):
                return send(self.gate.signing_out())
            return send(self.gate.login_required(state.reason))
        who = state.principal
        data = {
            "user": who.user,
            "email": who.email,
            "groups": list(who.groups),
            "claims": dict(who.claims),
            "expires_in": absolute_deadline(state, self.rules.session) - now,
            "idle_in": state.idle_until - now,
        }
        headers = pages.own_headers("application/json", "default-src 'none'")
        return send(Page(200, json.dumps(data).encode(), headers))
