"""``/oauth2/landing``: did the cookie come back? Then restore the fragment and go on (pains P13, P22)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core import clock
from gateway.core.facts import RequestFacts
from gateway.core.gate import Challenge
from gateway.web import pages
from gateway.web.gate import Gate
from gateway.web.logout import Logout
from gateway.web.messages import Request, Response
from gateway.web.query import parameter, way_back
from gateway.web.respond import redirect, send


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a login ends."""

    public_url: str
    prefix: str
    gate: Gate
    logout: Logout

    async def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """The application, or the page that says that cookies are blocked."""
        now = clock.now()
        target = way_back(facts, self.public_url)
        carried, state, _ = await self.gate.read(facts, now)
        if isinstance(state, Challenge):
            first = await self.logout.before_sign_in(carried, state, now=now)
            if first is not None:
                return first
            if carried.session is None and carried.chain is None:
                return send(pages.cookies_blocked(sign_in_url=f"{self.prefix}/start"))
            return redirect(target)
        # Here and not in the callback, which cannot see whether another tab has begun a logout meanwhile (rule R2).
        over = self.logout.forget() if carried.chain is not None else []
        attempt = parameter(facts, "attempt") or ""
        if facts.mode is None or not attempt.isalnum():
            return redirect(target, cookies=over)
        return send(pages.landing(target=target, attempt=attempt[:8]), over)
