"""A gate with everything around it in the test's hand: real cookies and verdicts, fakes for what it acts on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from gateway.core.gate import Challenge, GateRules
from gateway.core.http.facts import RequestFacts
from gateway.core.http.own_cookies import NO_COOKIES
from gateway.core.http.routes import Route, match_route
from gateway.core.policy.policy_set import PolicyVerdict
from gateway.core.session.revocation_keys import sid_key
from gateway.core.session.session import Principal, Session, SessionOrHusk
from gateway.core.session.ticket import husk, issued, ticket_of
from gateway.core.signout.chain import ChainLimits
from gateway.core.signout.revocation import NewEntry
from gateway.web.gate import Gate, GateOptions
from gateway.web.messages import Answer, Response
from gateway.web.session.session import Carried, Sessions
from gateway.web.standing import Standing
from gateway.web.unauthorized import Unauthorized
from tests.fakes.deciding import HERE, LIMITS, NOW, Log, header, request, session, sessions

ROUTES = (
    Route("/api/", "http://127.0.0.1:2", sign_out_on=frozenset({"/api/sign-out"})),
    Route("/", "http://127.0.0.1:1"),
)


@dataclass
class Sent:
    """What the upstream got."""

    session: Session | None
    route: Route
    identity: Sequence[tuple[bytes, bytes]]
    set_cookies: Sequence[str]


class Upstream:
    """Answers everything, and keeps what came."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []

    def route_for(self, path: str) -> Route:
        return match_route(ROUTES, path)

    def forward(
        self, _: object, __: object, session: Session | None, route: Route,
        *, identity: Sequence[tuple[bytes, bytes]], set_cookies: Sequence[str] = (),
    ) -> Response:  # fmt: skip
        self.sent.append(Sent(session, route, identity, set_cookies))
        return Response(body=b"application")


@dataclass
class Leaving:
    """The logout. ``first``: what comes before a sign-in; ``hints``: whose was asked for."""

    first: Response | None = None
    hints: list[Session] = field(default_factory=list)
    asked: list[Session | Challenge] = field(default_factory=list)
    started: list[tuple[SessionOrHusk | None, str]] = field(default_factory=list)

    async def start(self, carried: Carried, *, how: str, **_: object) -> tuple[None, list[str]]:
        self.started.append((carried.session, how))
        return None, ["__Host-logout=begun; Path=/"]

    async def before_sign_in(
        self, _: Carried, state: Session | Challenge, *where: object, now: int
    ) -> Response | None:
        self.asked.append(state)
        return self.first

    def hint_of(self, session: Session, _: Sequence[str], __: Carried, ___: int) -> list[str]:
        self.hints.append(session)
        return ["__Secure-session-hint=later; Path=/logout"]


@dataclass
class Refreshing:
    """The refresher.

    :ivar later: the newest copy that it knows of a session. :ivar busy: a refresh is under way.
    :ivar alone: nobody can refresh it any more.
    """

    later: Session | None = None
    busy: bool = True
    alone: bool = False
    begun: list[Session] = field(default_factory=list)
    waits: Callable[[], None] = lambda: None

    def current(self, session: Session, now: int) -> Session | None:
        return self.later or session

    def begin(self, session: Session) -> bool:
        self.begun.append(session)
        return self.busy

    def stuck(self, session: Session) -> bool:
        return self.alone

    async def wait(self, session: Session) -> Session | None:
        self.waits()
        return self.later


@dataclass
class Told:
    """The session events."""

    verdicts: list[object] = field(default_factory=list)
    denials: list[tuple[str, str | None]] = field(default_factory=list)

    def decided(self, verdict: object) -> None:
        self.verdicts.append(verdict)

    def denied(self, _: RequestFacts, who: Session | None, reason: str, policies: object) -> None:
        self.denials.append((reason, who.sid if who else None))


class Users:
    """A policy: users everything but /admin, Anonymous /public."""

    def decide(self, *, principal: Principal | None, path: str, **_: Any) -> PolicyVerdict:
        allowed = path == "/public" if principal is None else path != "/admin"
        return PolicyVerdict(allowed, ("p",), "" if allowed else "denied")


class Away(Sessions):
    """Cookies whose sessions have to be fetched."""

    remote = True
    here = False
    fetched = 0
    lost = False

    def waits(self, facts: RequestFacts, now: int) -> bool:
        return not self.here

    async def fetch(self, headers: tuple[bytes, ...], now: int) -> None:
        self.fetched += 1
        self.here = True

    def carried(self, headers: tuple[bytes, ...], now: int) -> Carried:
        assert self.here, "read before it was fetched"
        found = super().carried(headers, now)
        if not self.lost or not isinstance(found.session, Session):
            return found
        return replace(found, session=husk(ticket_of(issued(found.session)), away=True))


class Lab:
    """A gate with everything around it."""

    def __init__(self, kind: type[Sessions] = Sessions, **options: Any) -> None:
        self.sessions = sessions(kind)
        self.log, self.policy, self.upstream = Log(), Users(), Upstream()
        self.logout, self.refresher, self.events = Leaving(), Refreshing(), Told()
        rules = GateRules(LIMITS, ChainLimits(30, 120), frozenset({HERE}), max_staleness=300)
        parts: dict[str, Any] = {
            "sessions": self.sessions, "policy": self.policy, "forwarder": self.upstream,
            "logout": self.logout, "refresher": self.refresher, "events": self.events,
        }  # fmt: skip
        self.standing = Standing(rules, sessions=self.sessions, log=cast("Any", self.log))
        self.unauthorized = Unauthorized(HERE, "/oauth2")
        self.gate = Gate(GateOptions(**options), self.standing, self.unauthorized, **parts)

    def cookie(self, who: Session | None = None, *more: str) -> bytes:
        return header(*self.sessions.seal(who or session(), NO_COOKIES, NOW), *more)

    def signed_out(self, *, barrier: int | None = None) -> NewEntry:
        """The entry of a logout of the session."""
        return NewEntry(sid_key("sid-1"), NOW + 50_000, "logout", barrier=barrier)

    async def ask(self, said: RequestFacts) -> Response:
        """The answer, waited for where it has to be."""
        answer: Answer = self.gate.handle(request(said), said)
        while isinstance(answer, Awaitable):
            answer = await answer
        assert isinstance(answer, Response)
        return answer
