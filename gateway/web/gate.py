"""Stage 3: ask the gate and act on its verdict. Only an Allow reaches an upstream."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from gateway.core import clock
from gateway.core.errors import ProviderError, StateError
from gateway.core.gate import (
    SESSIONS_AWAY,
    Allow,
    Authorizer,
    Challenge,
    Deny,
    GateRules,
    Prove,
    Revocations,
    Verdict,
    decide,
    session_state,
    unseen,
)
from gateway.core.http.crossing import acts_as_sign_out, led_here
from gateway.core.http.facts import RequestFacts
from gateway.core.http.routes import Route
from gateway.core.http.target import way_back
from gateway.core.session.identity_headers import IdentityOptions
from gateway.core.session.lifecycle import is_due
from gateway.core.session.session import Session
from gateway.core.signout.chain import Interrupted
from gateway.state.contract.log import RevocationLog, in_step
from gateway.telemetry.log import get_logger
from gateway.web import preflight
from gateway.web.forward.forwarder import Forwarder
from gateway.web.messages import Answer, Request, Response
from gateway.web.pages import pages
from gateway.web.pages.errors import refuse
from gateway.web.pages.respond import Prepared, redirect, send
from gateway.web.session.refresh import Refresher
from gateway.web.session.session import Carried, Sessions
from gateway.web.signout.farewell import last_worker
from gateway.web.signout.logout import Logout
from gateway.web.signout.trail import Trail

_log = get_logger("gate")


@dataclass(frozen=True, slots=True)
class GateOptions:
    """Addresses of our own endpoints, and who may ask from elsewhere.

    :ivar passive: path prefixes whose requests are no activity (rule R16).
    :ivar unregister_workers: a worker's script is answered with the last one while nobody is signed in (rule R14).
    :ivar by_input: only what a person does is: navigations, unsafe requests, and what the tab script reports.
    """

    public_url: str
    prefix: str
    identity: IdentityOptions
    passive: tuple[str, ...] = ()
    by_input: bool = False
    unregister_workers: bool = False


class Gate:
    """Decides every request that is not for one of our own endpoints."""

    def __init__(
        self,
        options: GateOptions,
        rules: GateRules,
        *,
        sessions: Sessions,
        log: RevocationLog,
        policy: Authorizer,
        forwarder: Forwarder,
        logout: Logout,
        refresher: Refresher,
        trail: Trail,
    ) -> None:
        self.options = options
        self.rules = rules
        self.policy = policy
        self._sessions = sessions
        self._remote = sessions.remote
        self._log = log
        self._forwarder = forwarder
        self._logout = logout
        self._refresher = refresher
        self._trail = trail
        self._worker_seen = False
        self._prepared: dict[str, Prepared] = {}

    def behind(self, facts: RequestFacts) -> bool:
        """Whether :meth:`caught_up` has to be awaited before anything is decided: the log has moved, or the session is
        not at hand.
        """
        return self._log.moved() or (self._remote and self._sessions.waits(facts, clock.now()))

    async def caught_up(self, facts: RequestFacts) -> Revocations:
        """The index in step with the log, and the browser's session at hand."""
        if self._remote:
            await self._sessions.fetch(facts.cookies, clock.now())
        return await self.revocations()

    async def revocations(self) -> Revocations:
        """The index, in step with the log: a moved log is read before anything is decided (rule R4)."""
        await in_step(self._log)
        return self.in_step()

    def in_step(self) -> Revocations:
        """The same, when the log has not moved."""
        return Revocations(self._log.index, self._log.log_id, self._log.age(), self._log.gaps)

    async def proven(self, proof: Prove) -> Revocations:
        """The index, after the log was asked for a position that the index lacks (rule R4)."""
        await self._log.prove(proof.position)
        revocations = self.in_step()
        revocations.asked = True
        return revocations

    async def read(
        self, facts: RequestFacts, now: int, *, anyhow: bool = False
    ) -> tuple[Carried, Session | Challenge, Revocations]:
        """What the browser carries and whether its session lives, for our own endpoints.

        :param anyhow: also where its session cannot be looked up.
        :raises StateError: it cannot.
        """
        revocations = await self.caught_up(facts)
        carried = self._sessions.read(facts, now)
        if (proof := unseen(carried.session, carried.chain, revocations)) is not None:
            revocations = await self.proven(proof)
        state = self._state(carried, revocations, now)
        if not anyhow and isinstance(state, Challenge) and state.reason == SESSIONS_AWAY:
            raise StateError(SESSIONS_AWAY)
        return carried, state, revocations

    def handle(self, request: Request, facts: RequestFacts) -> Answer:
        """The way of a gated request; it waits only where the log has moved, or something else has to be waited for."""
        if facts.preflight:
            return preflight.answer(facts, self.rules.origins)
        if facts.worker_script and not self._worker_seen:
            self._warn_of_worker(facts)
        route = self._forwarder.route_for(facts.path)
        request.route = route.path
        if self._log.moved() or (self._remote and self._sessions.waits(facts, clock.now())):
            return self._after_reading(request, facts, route)
        return self._act(request, facts, route, self.in_step())

    def _warn_of_worker(self, facts: RequestFacts) -> None:
        """A service worker may answer ``GET /logout`` from its cache; the operator should hear of it once (R14)."""
        self._worker_seen = True
        _log.warning(
            "service_worker_seen",
            path=facts.raw_path,
            fix="sign out by a POST form, or keep the worker away from /logout and the gateway's prefix",
        )

    async def _after_reading(self, request: Request, facts: RequestFacts, route: Route) -> Answer:
        return self._act(request, facts, route, await self.caught_up(facts))

    def _act(self, request: Request, facts: RequestFacts, route: Route, revocations: Revocations) -> Answer:
        now = clock.now()
        carried, verdict = self.judge(facts, route, revocations, now)
        if isinstance(verdict, Allow):
            return self._forward(request, facts, carried, route, verdict, now)
        if isinstance(verdict, Challenge):
            return self.challenge(facts, carried, verdict, now)
        if isinstance(verdict, Prove):
            return self._after_proof(request, facts, route, verdict)
        return self.deny(facts, carried, verdict, revocations, now)

    async def _after_proof(self, request: Request, facts: RequestFacts, route: Route, proof: Prove) -> Answer:
        return self._act(request, facts, route, await self.proven(proof))

    def judge(
        self, facts: RequestFacts, route: Route, revocations: Revocations, now: int
    ) -> tuple[Carried, Verdict]:
        """What the browser carries, and the verdict, whether we forward the request or another proxy does."""
        carried = self._current(self._sessions.read(facts, now), now)
        verdict = decide(
            facts, carried.session, route, self.policy, revocations, self.rules, now=now, chain=carried.chain
        )
        self._trail.decided(verdict)
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
        if facts.path in route.sign_out_on and acts_as_sign_out(facts):
            return self._signing_out(request, facts, carried, route, now)
        active = self._is_activity(facts)
        # While the next generation is on its way, this one is not set anew: the two answers could cross.
        cookies = () if renewing else self._renewed(session, carried, now, active=active, client=facts.client)
        return self._forwarder.forward(
            request, facts, session, route, identity=carried.identity, set_cookies=cookies
        )

    async def _signing_out(
        self, request: Request, facts: RequestFacts, carried: Carried, route: Route, now: int
    ) -> Answer:
        """The application's own sign-out: ours has begun when it hears of it; its answer is of no session any more."""
        _, cookies = await self._logout.start(
            carried, how="application", now=now, sent=facts.cookies, leads=False
        )
        return self._forwarder.forward(
            request, facts, None, route, identity=carried.identity, set_cookies=cookies
        )

    def _current(self, carried: Carried, now: int) -> Carried:
        """What the browser carries, with the successor of a session that was refreshed meanwhile."""
        session = carried.session
        if session is None or not is_due(session, now):
            return carried
        current = self._refresher.current(session, now)
        return carried if current is session else self._sessions.replaced(carried, current)

    async def _with_fresh_token(
        self, request: Request, facts: RequestFacts, carried: Carried, route: Route, session: Session
    ) -> Answer:
        """The upstream wants an access token and this one has expired: the one case in which a request waits for it."""
        if session.refresh_token is None:
            return self.challenge(facts, carried, Challenge("access_expired"), clock.now())
        current = await self._refresher.wait(session)
        if current is not None and clock.now() >= current.access_until:
            if self._refresher.stuck(current):
                return self.challenge(facts, carried, Challenge("access_expired"), clock.now())
            raise ProviderError(
                "provider_unreachable", "The access token could not be refreshed.", retryable=True
            )
        return self._act(request, facts, route, await self.caught_up(facts))

    def passed(self, facts: RequestFacts, carried: Carried, session: Session) -> None:
        """A proxy in front forwards the request; what is done beside that must need no cookie, which may not arrive."""
        if self._remote:
            active = self._is_activity(facts)
            self._sessions.renewed(session, carried, clock.now(), active=active, client=facts.client)

    def prolonged(self, carried: Carried, now: int, client: str) -> Sequence[str]:
        """Set-Cookie values for activity that is reported, not forwarded (rule R16); mostly none."""
        carried = self._current(carried, now)
        session = carried.session
        if session is None or (is_due(session, now) and self._refresher.begin(session)):
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
        if facts.passive or facts.websocket or facts.path.startswith(self.options.passive):
            return False
        return not self.options.by_input or facts.navigation or not facts.safe

    def challenge(self, facts: RequestFacts, carried: Carried, verdict: Challenge, now: int) -> Answer:
        """Nobody is signed in: people go to sign in, or finish signing out; programs hear 401 (pain P9)."""
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
                self._trail.denied(facts, carried.session, verdict.reason, verdict.policies)
            return refuse(facts, verdict.reason)
        if facts.navigation:
            return self._to_sign_in(facts, carried, self._state(carried, revocations, now), now)
        return self._signed_out(facts, verdict.reason)

    async def _to_sign_in(
        self,
        facts: RequestFacts,
        carried: Carried,
        state: Session | Challenge,
        now: int,
        stale: Iterable[str] = (),
    ) -> Response:
        went = Interrupted("", self._way_back(facts), led_here(facts))
        first = await self._logout.before_sign_in(carried, state, went, now=now)
        return first if first is not None else redirect(self.start_path(facts), cookies=stale)

    def _state(self, carried: Carried, revocations: Revocations, now: int) -> Session | Challenge:
        return session_state(carried.session, revocations, self.rules, now, carried.chain)

    def _signed_out(self, facts: RequestFacts, reason: str, cookies: Sequence[str] = ()) -> Response:
        """401: the problem for programs, or a page for a form that a person has sent."""
        if facts.worker_script and self.options.unregister_workers:
            return send(last_worker(), cookies)
        if facts.posted:
            return send(self._form_kept_out(reason), cookies)
        prepared = self._prepared.get(reason)
        if prepared is None:
            prepared = self._prepared[reason] = Prepared(self.problem(reason))
        return prepared.response(cookies)

    def _form_kept_out(self, reason: str) -> pages.Page:
        """What a person typed need not be lost (P22)."""
        page = pages.error(
            status=401,
            title="You are not signed in",
            what="What you sent was not handed on to the application, and nothing of it was kept here.",
            fix="Sign in in another tab, then go back with your browser's Back button and send it again.",
            code=reason if reason == "logout_in_progress" else "login_required",
            action=("Sign in", f"{self.options.prefix}/start"),
        )
        fields = self.problem(reason).headers
        return page.with_headers(*(field for field in fields if field[0] == "WWW-Authenticate"))

    def problem(self, reason: str) -> pages.Page:
        """The 401 for programs.

        :param reason: of a challenge, or ``logout_in_progress``.
        """
        return self.signing_out() if reason == "logout_in_progress" else self.login_required(reason)

    def login_required(self, reason: str) -> pages.Page:
        """The 401 for programs; ``login_url`` is absolute."""
        return pages.problem(
            status=401,
            code="login_required",
            title="Sign-in required",
            login_url=f"{self.options.public_url}{self.options.prefix}/start",
            extra={"reason": reason},
        )

    def signing_out(self) -> pages.Page:
        """The 401 for programs while a logout is under way."""
        return pages.problem(
            status=401,
            code="logout_in_progress",
            title="Signing out",
            detail="A sign-out is under way in this browser.",
        )

    def start_path(self, facts: RequestFacts) -> str:
        """Where sign-in begins, with the way back."""
        return f"{self.options.prefix}/start?rd={quote(self._way_back(facts), safe='/')}"

    def _way_back(self, facts: RequestFacts) -> str:
        """What a person wants to see, where a sign-in may lead there; some addresses are too long to come back to."""
        return way_back(facts.raw_target, self.options.prefix) or "/"
