"""``/oauth2/landing``: did the cookie come back? Then restore the fragment and go on (pains P13, P22).

The landing's script is what leads on, and to a browser it is a page of this origin that does: no request after it says
any more that another site has begun all this. So it leads only to where an attempt of this very browser that has just
been finished was to lead, once, and where another site began that attempt it goes by way of `Onward`.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from gateway.core import clock
from gateway.core.gate import Challenge
from gateway.core.http.facts import RequestFacts
from gateway.core.http.own_cookies import OwnCookies
from gateway.core.session.attempt import ATTEMPT_ID, Attempt, lands
from gateway.web.messages import Request, Response
from gateway.web.pages import pages
from gateway.web.pages.errors import refuse
from gateway.web.pages.respond import redirect, send
from gateway.web.query import parameter, way_back
from gateway.web.session.attempts import Attempts
from gateway.web.signout.logout import Logout
from gateway.web.signout.session_events import SessionEvents
from gateway.web.standing import Standing


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a login ends."""

    prefix: str
    standing: Standing
    logout: Logout
    attempts: Attempts
    events: SessionEvents

    async def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """The application, or the page that says that cookies are blocked."""
        if facts.in_no_tab:
            return refuse(facts, "iframe_or_prefetch")
        now = clock.now()
        carried, state, _ = await self.standing.read(facts, now)
        attempt = self._landing(facts, carried.cookies, now)
        target = attempt.rd if attempt and attempt.rd else "/"
        if isinstance(state, Challenge):
            first = await self.logout.before_sign_in(carried, state, now=now)
            if first is not None:
                return first
            if carried.session is None and carried.chain is None:
                self.events.login_failed("cookies_blocked", "", facts.client)
                return send(pages.cookies_blocked(sign_in_url=f"{self.prefix}/start"))
            return redirect(target)
        # Here and not in the callback, which cannot see whether another tab has begun a logout meanwhile (rule R2).
        over = self.logout.forget() if carried.chain is not None else []
        if attempt is None:
            return redirect(target, cookies=over)
        spent = self.attempts.land(attempt, carried.cookies, now)
        if facts.mode is None:
            return redirect(target, cookies=[*over, *spent])
        if attempt.led:
            target = onward(self.prefix, target)
        return send(pages.landing(target=target, attempt=attempt.attempt_id), [*over, *spent])

    def _landing(self, facts: RequestFacts, own: OwnCookies, now: int) -> Attempt | None:
        """The attempt that lands, None where none may."""
        named = parameter(facts, "attempt") or ""
        attempt = self.attempts.find(own, named, now) if ATTEMPT_ID.fullmatch(named) else None
        return attempt if attempt is not None and lands(attempt, now) else None


def onward(prefix: str, target: str) -> str:
    """Where `Onward` leads on to ``target``."""
    return f"{prefix}/onward?rd={quote(target, safe='/')}"


@dataclass(frozen=True, slots=True)
class Onward:
    """``/oauth2/onward?rd=/path``: goes there from no origin at all, as another site would.

    A page without an origin (CSP `sandbox`) can keep no fragment in the tab, and one with an origin cannot be told from
    the person's own click; so the landing restores the fragment, and this one leads on.
    """

    public_url: str
    prefix: str

    def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """The page; whoever leads here leads on as the other site that it is."""
        if facts.in_no_tab:
            return refuse(facts, "iframe_or_prefetch")
        return send(pages.onward(target=way_back(facts, self.public_url, self.prefix)))
