"""Stage 3: ask the gate and act on its verdict. Only an Allow reaches an upstream."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass

from gateway.core import clock
from gateway.core.errors import ProviderError
from gateway.core.gate import (
    Allow,
    Authorizer,
    Challenge,
    Deny,
    Prove,
    Revocations,
    Verdict,
    decide,
)
from gateway.core.http.crossing import acts_as_sign_out, led_here
from gateway.core.http.facts import RequestFacts
from gateway.core.http.link_previews import looks_ahead
from gateway.core.http.routes import Route
from gateway.core.session.identity_headers import HeaderPairs
from gateway.core.session.lifecycle import is_due
from gateway.core.session.session import Session
from gateway.core.signout.chain import Interrupted
from gateway.telemetry.log import get_logger
from gateway.web import preflight
from gateway.web.forward.assertions import Assertions
from gateway.web.forward.forwarder import Forwarder
from gateway.web.messages import Answer, Request, Response
from gateway.web.pages import pages
from gateway.web.pages.errors import refuse, refuse_account
from gateway.web.pages.respond import redirect, send
from gateway.web.session.refresh import Refresher
from gateway.web.session.session import Carried, Sessions
from gateway.web.signout.farewell import last_worker
from gateway.web.signout.logout import Logout
from gateway.web.signout.session_events import SessionEvents
from gateway.web.standing import Standing
from gateway.web.unauthorized import Unauthorized

_log = get_logger("gate")


@dataclass(frozen=True, slots=True)
class GateOptions:
    """What the operator decided beside the `GateRules`.

    :ivar passive: path prefixes whose requests are no activity (rule R16).
    :ivar unregister_workers: a worker's script is answered with the last one while nobody is signed in (rule R14).
    :ivar by_input: only what a person does is: navigations, unsafe requests, and what the tab script reports.
    """

    passive: tuple[str, ...] = ()
    by_input: bool = False
    unregister_workers: bool = False


class Gate:
    """Decides every request that is not for one of our own endpoints."""

    def __init__(
        self,
        options: GateOptions,
        standing: Standing,
        unauthorized: Unauthorized,
        *,
        sessions: Sessions,
        policy: Authorizer,
        forwarder: Forwarder,
        logout: Logout,
        refresher: Refresher,
        events: SessionEvents,
        assertions: Assertions | None = None,
    ) -> None:
        self._options = options
        self.policy = policy
        self._standing = standing
        self._unauthorized = unauthorized
        self._sessions = sessions
        self._forwarder = forwarder
        self._logout = logout
        self._refresher = refresher
        self._events = events
        self._assertions = assertions
        self._worker_seen = False

    @property
    def origins(self) -> frozenset[str]:
        """Whose scripts may ask: ``public_url`` and ``allowed_origins``."""
        return self._standing.rules.origins

    def handle(self, request: Request, facts: RequestFacts) -> Answer:
        """The way of a gated request; it waits only where the log has moved, or something else has to be waited for."""
        if facts.preflight:
            asked = request.header(b"access-control-request-headers")
            return preflight.answer(facts, self.origins, asked)
        if facts.worker_script and not self._worker_seen:
            self._warn_of_worker(facts)
        route = self._forwarder.route_for(facts.path)
        request.route = route.path
        if self._standing.waits(facts):
            return self._after(request, facts, route, self._standing.caught_up(facts))
        return self._act(request, facts, route, self._standing.revocations())

    def _warn_of_worker(self, facts: RequestFacts) -> None:
        """A service worker may answer ``GET /logout`` from its cache; the operator should hear of it once (R14)."""
        self._worker_seen = True
        _log.warning(
            "service_worker_seen",
            path=facts.raw_path,
            fix="sign out by a POST form, or keep the worker away from /logout and the gateway's prefix",
        )

    async def _after(
        self, request: Request, facts: RequestFacts, route: Route, reading: Awaitable[Revocations]
    ) -> Answer:
        return self._act(request, facts, route, await reading)

    def _act(self, request: Request, facts: RequestFacts, route: Route, revocations: Revocations) -> Answer:
        now = clock.now()
        carried, verdict = self.judge(facts, route, revocations, now)
        if isinstance(verdict, Allow):
            return self._forward(request, facts, carried, route, verdict, now)
        if isinstance(verdict, Challenge):
            return self.challenge(request, facts, carried, verdict, now)
        if isinstance(verdict, Prove):
            return self._after(request, facts, route, self._standing.proven(verdict))
        return self.deny(facts, carried, verdict, revocations, now)

    def judge(
        self, facts: RequestFacts, route: Route, revocations: Revocations, now: int, *, counted: bool = False
    ) -> tuple[Carried, Verdict]:
        """What the browser carries, and the verdict, whether we forward the request or another proxy does.

        :param counted: it was asked for before.
        """
        carried = self._current(self._sessions.carried(facts.cookies, now), now)
        rules, session, chain = self._standing.rules, carried.session, carried.chain
        verdict = decide(facts, session, route, self.policy, revocations, rules, now=now, chain=chain)
        if not counted:
            self._events.decided(verdict)
        return carried, verdict

    def _forward(
        self,
        request: Request,
        facts: RequestFacts,
        carried: Carried,
        route: Route,
        verdict: Allow,
        now: int,
    ) -> Answer:
        session = verdict.session
        if session is None:  # a route open to Anonymous
            return self._forwarder.forward(request, facts, None, route, identity=())
        request.sid = session.sid
        renewing = is_due(session, now) and self._refresher.begin(session)
        if session.access_token is not None and now >= session.access_until:
            return self._with_fresh_token(request, facts, carried, route, session)
        if route.sign_out_on and route.signs_out(facts.path) and acts_as_sign_out(facts):
            return self._signing_out(request, facts, carried, route, now)
        active = self._is_activity(facts)
        # While the next generation is on its way, this one is not set anew: the two answers could cross.
        cookies = () if renewing else self._renewed(session, carried, now, active=active, client=facts.client)
        return self._forwarder.forward(
            request, facts, session, route, identity=self._identity(carried, route, now), set_cookies=cookies
        )

    def _identity(self, carried: Carried, route: Route, now: int) -> HeaderPairs:
        """What the upstream hears of who it is."""
        if self._assertions is None or not isinstance(carried.session, Session):
            return carried.identity
        principal, identity = carried.session.principal, carried.identity
        return (*identity, self._assertions.header(identity, principal, route.path, now))

    async def _signing_out(
        self, request: Request, facts: RequestFacts, carried: Carried, route: Route, now: int
    ) -> Answer:
        """The application's own sign-out: ours has begun when it hears of it; its answer is of no session any more."""
        _, cookies = await self._logout.start(
            carried, how="application", now=now, sent=facts.cookies, leads=False
        )
        return self._forwarder.forward(
            request, facts, None, route, identity=self._identity(carried, route, now), set_cookies=cookies
        )

    def _current(self, carried: Carried, now: int) -> Carried:
        """What the browser carries, with the successor of a session that was refreshed meanwhile."""
        session = carried.session
        if not isinstance(session, Session) or not is_due(session, now):
            return carried
        current = self._refresher.current(session, now)
        return carried if current is session else self._sessions.replaced(carried, current)

    async def _with_fresh_token(
        self, request: Request, facts: RequestFacts, carried: Carried, route: Route, session: Session
    ) -> Answer:
        """The upstream wants an access token and this one has expired: the one case in which a request waits for it."""
        if session.refresh_token is None:
            return self.challenge(request, facts, carried, Challenge("access_expired"), clock.now())
        current = await self._refresher.wait(session)
        if current is not None and clock.now() >= current.access_until:
            if self._refresher.stuck(current):
                return self.challenge(request, facts, carried, Challenge("access_expired"), clock.now())
            raise ProviderError(
                "provider_unreachable", "The access token could not be refreshed.", retryable=True
            )
        return self._act(request, facts, route, await self._standing.caught_up(facts))

    def passed(
        self, facts: RequestFacts, carried: Carried, session: Session, *, carries: bool = False
    ) -> Sequence[str]:
        """A proxy in front forwards the request. What is done beside that must need no cookie, which may not arrive.

        :param carries: that proxy hands cookies on to the browser. :returns: Set-Cookie values; mostly none.
        """
        now, active = clock.now(), self._is_activity(facts)
        if carries:
            return self._renewed(session, carried, now, active=active, client=facts.client)
        if self._sessions.remote:
            self._sessions.renewed(session, carried, now, active=active, client=facts.client)
        return ()

    def prolonged(self, carried: Carried, now: int, client: str) -> Sequence[str]:
        """Set-Cookie values for activity that is reported, not forwarded (rule R16); mostly none."""
        carried = self._current(carried, now)
        session = carried.session
        if not isinstance(session, Session) or (is_due(session, now) and self._refresher.begin(session)):
            return ()
        return self._renewed(session, carried, now, active=True, client=client)

    def _renewed(
        self, session: Session, carried: Carried, now: int, *, active: bool, client: str
    ) -> list[str]:
        """Set-Cookie values for the session, and for what names a later generation of it to its provider."""
        lines = self._sessions.renewed(session, carried, now, active=active, client=client)
        if lines and session.hint is not None:
            lines += self._logout.hint_of(session, lines, carried, now)
        return lines

    def _is_activity(self, facts: RequestFacts) -> bool:
        """Whether a request keeps its session alive (rule R16)."""
        if facts.passive or facts.websocket or facts.path.startswith(self._options.passive):
            return False
        return not self._options.by_input or facts.navigation or not facts.safe

    def challenge(
        self, request: Request, facts: RequestFacts, carried: Carried, verdict: Challenge, now: int
    ) -> Answer:
        """Nobody is signed in: people go to sign in, or finish signing out; programs hear 401 (pain P9)."""
        if looks_ahead(request.header(b"user-agent")):
            return send(pages.looked_at(url=facts.raw_target))
        stale = self._sessions.clear_conflicting(carried.cookies)
        if facts.navigation:
            return self._to_sign_in(facts, carried, verdict, now, stale)
        return self._signed_out(facts, verdict.reason, stale)

    def deny(
        self, facts: RequestFacts, carried: Carried, verdict: Deny, revocations: Revocations, now: int
    ) -> Answer:
        """Signing in would not help."""
        if verdict.reason != "logout_in_progress":
            if verdict.reason in {"denied", "cross_origin"}:
                self._events.denied(facts, carried.session, verdict.reason, verdict.policies)
            if verdict.reason == "denied" and carried.session is not None:
                way_back = self._unauthorized.way_back(facts)
                return refuse_account(facts, carried.session.who[2], way_back=way_back)
            return refuse(facts, verdict.reason)
        if facts.navigation:
            return self._to_sign_in(facts, carried, self._standing.state(carried, revocations, now), now)
        return self._signed_out(facts, verdict.reason)

    async def _to_sign_in(
        self,
        facts: RequestFacts,
        carried: Carried,
        state: Session | Challenge,
        now: int,
        stale: Iterable[str] = (),
    ) -> Response:
        if facts.method == "HEAD":  # it begins nothing, and ends nothing
            return redirect(self._unauthorized.sign_in(facts))
        went = Interrupted("", self._unauthorized.way_back(facts), led_here(facts))
        first = await self._logout.before_sign_in(carried, state, went, now=now)
        return first if first is not None else redirect(self._unauthorized.sign_in(facts), cookies=stale)

    def _signed_out(self, facts: RequestFacts, reason: str, cookies: Sequence[str] = ()) -> Response:
        """401: the problem for programs, or a page for a form that a person has sent."""
        if facts.worker_script and self._options.unregister_workers:
            return send(last_worker(), cookies)
        if facts.posted:
            return self._unauthorized.form(reason, cookies)
        return self._unauthorized.program(reason, cookies)
