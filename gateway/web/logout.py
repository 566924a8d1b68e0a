"""Signing out: the session dies here first, then the chain walks the browser through its hops (design section 6).

Every step is one answer with everything in it: the revocation is in the log before the browser hears of it, the
session's and the attempts' cookies are expired, and the chain's cookie says how far it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from aiohttp import web

from gateway.core import chain as chains
from gateway.core.chain import Chain, ChainLimits, Done, Go, Step, Wait
from gateway.core.cookies import LOGIN_PREFIX, attempt_cookie
from gateway.core.gate import Challenge
from gateway.core.revocation import NewEntry, sid_key
from gateway.core.session import Session
from gateway.proxy.live import LiveConnections
from gateway.state.log import RevocationLog
from gateway.web import pages
from gateway.web.respond import redirect, send
from gateway.web.session import Carried, Sessions
from gateway.web.trail import Trail

LOGGED_OUT = "/logged-out"
CONTINUE = "/logout/continue"
DONE_PREFIX = "/logout/done/"
ENTRY_MARGIN = 60
"""Seconds an entry outlives the session it ends."""


class Way(Protocol):
    """How a hop is reached; ``oidc/logout.py`` has them."""

    def url(self, return_to: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Hop:
    """One identity provider of the chain; ``label`` is what people call it."""

    name: str
    label: str
    way: Way


@dataclass(frozen=True, slots=True)
class LogoutOptions:
    """What the operator decided.

    :ivar targets: name -> address, for ``?to=``. :ivar clear_site_data: values for the last page (facts C.6).
    """

    public_url: str
    hops: Sequence[Hop]
    limits: ChainLimits
    targets: Mapping[str, str]
    form_origins: Sequence[str]
    clear_site_data: Sequence[str] = ()


class Logout:
    """Begins, advances and resumes logout chains."""

    def __init__(
        self,
        options: LogoutOptions,
        *,
        sessions: Sessions,
        log: RevocationLog,
        live: LiveConnections,
        revoke: Callable[[str], Coroutine[Any, Any, bool]],
        trail: Trail,
    ) -> None:
        self.options = options
        self._by_name = {hop.name: hop for hop in options.hops}
        self._sessions = sessions
        self._log = log
        self._live = live
        self._revoke = revoke
        self._trail = trail
        self._revoking: set[asyncio.Task[bool]] = set()

    async def begin(
        self, carried: Carried, *, how: str, now: int, target: str = "", status: int = 302
    ) -> web.Response:
        """End the session that the browser carries, live or not, and send it to the first hop."""
        step, cookies = await self.start(carried, how=how, now=now, target=target)
        return redirect(self.location(step), status=status, cookies=cookies)

    async def start(
        self, carried: Carried, *, how: str, now: int, target: str = ""
    ) -> tuple[Step, list[str]]:
        """End the session and begin the chain; the step to take and the cookies that go with it."""
        session = carried.session
        durable = await self._end(session, now) if session is not None else True
        hops = [hop.name for hop in self.options.hops]
        step = self._placed(chains.begin(hops, self.options.limits, now=now, target=target, durable=durable))
        self._trail.logout_started(session, how, durable=durable)
        if isinstance(step, Done):
            self._trail.logout_finished(step.chain)
        expired = [cookie for name in carried.cookies.attempts() for cookie in _clear_attempt(name)]
        stored = self._sessions.seal_chain(step.chain, carried.cookies, now)
        return step, [*stored, *self._sessions.clear_session(), *expired]

    def returned(self, carried: Carried, hop: str, *, now: int, evidence: str) -> web.Response:
        """The browser came back from ``hop``; what is not the current hop changes nothing (rule R28)."""
        chain = carried.chain
        if chain is None:
            return redirect(LOGGED_OUT)
        step = chains.returned(chain, hop, evidence, self.options.limits, now=now)
        if step is None:
            return redirect(LOGGED_OUT if chain.closed else CONTINUE)
        self._trail.hop(step.chain.hops[chain.index])
        return self._answer(step, carried, now)

    def resume(self, carried: Carried, chain: Chain, *, now: int, pushed: bool = False) -> web.Response:
        """A navigation came while ``chain`` is under way (rule R3)."""
        step = chains.resumed(chain, self.options.limits, now=now, pushed=pushed)
        if step.chain.index > chain.index:
            self._trail.hop(step.chain.hops[chain.index])
        return self._answer(step, carried, now)

    async def before_sign_in(
        self, carried: Carried, state: Session | Challenge, *, now: int
    ) -> web.Response | None:
        """What must come before a sign-in: the rest of a chain, or a chain for a session that was ended (rule R1)."""
        chain = carried.chain
        if chain is not None and not chain.closed:
            return self.resume(carried, chain, now=now)
        ended = state.revoked if isinstance(state, Challenge) else None
        if ended is None or (chain is not None and chain.position >= ended.position):
            return None
        if ended.barrier is not None and now < ended.barrier:
            return send(pages.waiting(resume_url="/logout", hop_label="", seconds=5))
        return await self.begin(carried, how=f"revoked:{ended.reason}", now=now)

    def location(self, step: Step) -> str:
        """Where ``step`` sends the browser."""
        current = step.chain.current
        if current is None:
            return LOGGED_OUT
        hop = self._by_name.get(current.name)
        # A chain sealed before the configuration changed may name a hop that is gone; it then times out and fails.
        return hop.way.url(f"{self.options.public_url}{DONE_PREFIX}{hop.name}") if hop else LOGGED_OUT

    def label(self, name: str) -> str:
        hop = self._by_name.get(name)
        return hop.label if hop else name

    async def close(self) -> None:
        """Wait for token revocations under way; each is bounded by its own timeout."""
        if self._revoking:
            await asyncio.wait(self._revoking, timeout=3)

    async def _end(self, session: Session, now: int) -> bool:
        """Append the deny entry, close live connections, revoke the refresh token beside it. Whether it is durable."""
        entry = NewEntry(
            key=sid_key(session.sid),
            expires=session.absolute_until + ENTRY_MARGIN,
            reason="logout",
            barrier=now + self.options.limits.barrier,
        )
        if session.refresh_token:
            task = asyncio.get_running_loop().create_task(self._revoke(session.refresh_token))
            self._revoking.add(task)
            task.add_done_callback(self._revoking.discard)
        appended = await self._log.append([entry])
        self._trail.revocation(entry.reason, durable=appended.durable)
        self._live.end(session.sid, "logout")
        return appended.durable

    def _answer(self, step: Step, carried: Carried, now: int) -> web.Response:
        if isinstance(step, Wait):
            current = step.chain.current
            label = self.label(current.name) if current else ""
            page = pages.waiting(resume_url=CONTINUE, hop_label=label, seconds=max(2, min(5, step.seconds)))
            return send(page, self._sessions.clear_session() if carried.session else ())
        if isinstance(step, Done) and step.chain != carried.chain:
            self._trail.logout_finished(step.chain)
        step = self._placed(step)
        cookies = self._sessions.seal_chain(step.chain, carried.cookies, now)
        if carried.session is not None:
            cookies += self._sessions.clear_session()
        return redirect(self.location(step), cookies=cookies)

    def _placed(self, step: Go | Done) -> Go | Done:
        """A closed chain remembers where the log stood: it answers every entry up to there (rule R1)."""
        if not isinstance(step, Done):
            return step
        return Done(replace(step.chain, position=self._log.index.position))


def _clear_attempt(name: str) -> list[str]:
    return attempt_cookie(name.removeprefix(LOGIN_PREFIX)).clear()
