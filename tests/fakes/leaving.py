"""Signing out without sockets: a browser's jar, a log in memory, and one who hears of tokens to revoke."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from gateway.core.gate import Challenge, GateRules, Revocations, session_state
from gateway.core.http.own_cookies import NO_COOKIES
from gateway.core.session.session import Session
from gateway.core.signout.chain import Chain, ChainLimits
from gateway.oidc.signout.logout import Hop
from gateway.proxy.live import Endings, LiveConnections
from gateway.telemetry.audit import AuditEvent, AuditTrail
from gateway.telemetry.metrics import Metrics
from gateway.web.messages import Response
from gateway.web.session.session import Carried
from gateway.web.signout.hint import Hints
from gateway.web.signout.logout import Logout
from gateway.web.signout.logout_options import LogoutOptions
from gateway.web.signout.revoker import Revoker
from gateway.web.signout.session_events import SessionEvents
from tests.fakes.deciding import HERE, LIMITS, NOW, Log, session, sessions
from tests.fakes.hops import hop_of

COGNITO = hop_of("cognito", kind="cognito")
OKTA = hop_of("okta_signout", "https://okta.example.com", kind="okta")
GOOGLE = hop_of("google", kind="google")
CHAIN = ChainLimits(hop_deadline=30, barrier=120)
RULES = GateRules(LIMITS, CHAIN, frozenset({HERE}), max_staleness=300)


class Tokens:
    """Who sees to it that refresh tokens are revoked: what it was told, each with whether the log has its entry."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.told: list[tuple[str, str, bool]] = []
        self.followed: list[Chain] = []

    async def ended(self, session: Session, *, durable: bool) -> None:
        self.told.append(("ended", session.sid, durable))
        assert self._log.index.sign_out_of(session.sid) is not None, "a refresh could still publish its token"

    async def ended_elsewhere(self, session: Session, *, durable: bool) -> None:
        self.told.append(("ended elsewhere", session.sid, durable))

    async def unused(self, token: str | None, _: Chain) -> None:
        if token:
            self.told.append(("unused", token, True))

    def at_once(self, token: str | None) -> None:
        if token:
            self.told.append(("at once", token, True))

    def follow(self, chain: Chain) -> None:
        self.followed.append(chain)


@dataclass
class Jar:
    """A browser's cookies, by name."""

    cookies: dict[str, str] = field(default_factory=dict)

    def take(self, lines: list[str]) -> None:
        for line in lines:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies.pop(name, None)
            if "Max-Age=0" not in line:
                self.cookies[name] = value

    def took(self, answer: Response) -> Response:
        """The answer, its cookies taken."""
        self.take(answer.headers.getall("Set-Cookie", []))
        return answer

    @property
    def sent(self) -> tuple[bytes, ...]:
        return ("; ".join(f"{name}={value}" for name, value in self.cookies.items()).encode(),)


class Lab:
    """The logout with everything around it. ``newest``: later generations that this process knows of, by session."""

    def __init__(self, *hops: Hop, **options: Any) -> None:
        self.sessions, self.log, self.live = sessions(), Log(), LiveConnections()
        self.tokens = Tokens(self.log)
        self.told: list[AuditEvent] = []
        self.newest: dict[str, Session] = {}
        parts: dict[str, Any] = {
            "sessions": self.sessions, "log": self.log, "provider": None,
            "revoker": Revoker(cast("Any", self.log), Endings(self.live, lambda _: None).end),
            "tokens": self.tokens,
            "hints": Hints(self.sessions, ""), "events": SessionEvents(AuditTrail(self.told.append), Metrics()),
            "newest": lambda who, _: self.newest.get(who.sid),
        }  # fmt: skip
        self.logout = Logout(LogoutOptions(HERE, hops or (COGNITO, OKTA), CHAIN, {}, (), **options), **parts)

    def browser(self, who: Session | None = None) -> Jar:
        """One that is signed in, if anybody."""
        jar = Jar()
        if who is not None:
            jar.take(self.sessions.seal(who, NO_COOKIES, NOW))
        return jar

    def carried(self, jar: Jar) -> Carried:
        return self.sessions.carried(jar.sent, NOW)

    def chain(self, jar: Jar) -> Chain:
        """The logout that the browser remembers."""
        found = self.carried(jar).chain
        assert found is not None
        return found

    def statuses(self, jar: Jar) -> dict[str, str]:
        return {hop.name: hop.status for hop in self.chain(jar).hops}

    async def begin(self, jar: Jar, *, now: int = NOW, how: str = "get", **more: Any) -> Response:
        return jar.took(await self.logout.begin(self.carried(jar), how=how, now=now, **more))

    async def back(
        self, jar: Jar, hop: str, *, now: int = NOW + 1, nonce: str | None = None, from_here: bool = False
    ) -> Response:
        """The browser comes back from a hop: as its provider sends it, if nothing else is said."""
        told = (
            (self.chain(jar).return_nonce(hop) if hop == "okta_signout" else "") if nonce is None else nonce
        )
        carried = self.carried(jar)
        return jar.took(await self.logout.returned(carried, hop, told, None, now=now, from_here=from_here))

    async def navigate(self, jar: Jar, now: int) -> Response | None:
        """What comes before a sign-in; None: it may begin."""
        carried = self.carried(jar)
        revocations = Revocations(self.log.index, self.log.log_id, self.log.age())
        state = session_state(carried.session, revocations, RULES, now, carried.chain)
        assert isinstance(state, Challenge), "nobody is sent to sign in who is signed in"
        first = await self.logout.before_sign_in(carried, state, now=now)
        return first if first is None else jar.took(first)


__all__ = ["COGNITO", "GOOGLE", "NOW", "OKTA", "Jar", "Lab", "session"]
