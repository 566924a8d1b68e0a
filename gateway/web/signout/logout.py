"""Signing out: the session dies here first, then the chain walks the browser through its hops (design section 6).

Every step is one answer with everything in it: the revocation is in the log before the browser hears of it, the
session's and the attempts' cookies are expired, and the chain's cookie says how far it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gateway.core import dice
from gateway.core.gate import Challenge
from gateway.core.session.revocation_keys import sid_key
from gateway.core.session.session import Husk, Life, Session, SessionOrHusk, life
from gateway.core.signout import chain as chains
from gateway.core.signout import leftovers
from gateway.core.signout.chain import Cause, Chain, Done, Go, Interrupted, Step, Wait
from gateway.core.signout.revocation import ENTRY_MARGIN, UNPLACED, Entry, NewEntry
from gateway.idp.provider import IdentityProvider
from gateway.oidc.signout.logout import Redirect, Skip
from gateway.state.contract.log import RevocationLog
from gateway.telemetry.log import session_mark
from gateway.web.messages import Response
from gateway.web.pages import pages
from gateway.web.pages.respond import redirect, send
from gateway.web.session.session import Carried, Sessions
from gateway.web.signout.hint import Hints
from gateway.web.signout.hops import LOGGED_OUT, Hops
from gateway.web.signout.logout_options import LogoutOptions
from gateway.web.signout.own_news import OwnNews
from gateway.web.signout.revoker import Revoker
from gateway.web.signout.session_events import SessionEvents
from gateway.web.signout.token_revocation import TokenRevoker

STILL_WAITING = f"{LOGGED_OUT}?waiting"
"""Where a waiting page looks again: a tab that nobody touches must never go to a provider by itself (rule R35)."""
CONTINUE = "/logout/continue"
ANOTHER = "another"
"""In place of an attempt's id in an interrupted sign-in: nobody has begun one, but another account is wanted then."""


class Logout:
    """Begins, advances and resumes logout chains.

    :param newest: the latest generation of a session that this process knows of.
    """

    def __init__(
        self,
        options: LogoutOptions,
        *,
        sessions: Sessions,
        log: RevocationLog,
        revoker: Revoker,
        hints: Hints,
        provider: IdentityProvider,
        newest: Callable[[Session, int], Session | None],
        tokens: TokenRevoker,
        events: SessionEvents,
    ) -> None:
        self.options = options
        self.hops = Hops(options.hops, options.public_url, provider)
        self._news = OwnNews(self.hops, log, listening=options.news_comes_back)
        self._sessions = sessions
        self._log = log
        self._revoker = revoker
        self._hints = hints
        self._newest = newest
        self._tokens = tokens
        self._events = events

    async def begin(
        self,
        carried: Carried,
        *,
        how: str,
        now: int,
        target: str = "",
        status: int = 302,
        sent: Sequence[bytes] = (),
        cause: Cause = Cause(),  # noqa: B008 - frozen
        unused: str | None = None,
    ) -> Response:
        """End the session that the browser carries, live or not, and send it to the first hop.

        :param unused: a refresh token of this browser that no session has.
        """
        step, cookies = await self.start(carried, how=how, now=now, target=target, sent=sent, cause=cause)
        await self._tokens.unused(unused, step.chain)
        return redirect(self.location(step), status=status, cookies=cookies)

    async def leave(
        self,
        carried: Carried,
        *,
        how: str,
        now: int,
        target: str = "",
        sent: Sequence[bytes] = (),
        cause: Cause = Cause(),  # noqa: B008 - frozen
    ) -> Response:
        """The same for a form of our own pages, by a page that moves on (`pages.FormsTo`)."""
        step, cookies = await self.start(carried, how=how, now=now, target=target, sent=sent, cause=cause)
        return send(pages.leaving(url=self.location(step)), cookies)

    async def start(
        self,
        carried: Carried,
        *,
        how: str,
        now: int,
        target: str = "",
        sent: Sequence[bytes] = (),
        cause: Cause = Cause(),  # noqa: B008 - frozen
        leads: bool = True,
    ) -> tuple[Step, list[str]]:
        """End the session and begin the chain; the step to take and the cookies that go with it.

        :param sent: raw values of the Cookie headers, for what a predecessor has left there.
        :param leads: the answer leads to the first hop; else the next navigation does.
        """
        session, before = carried.session, carried.chain
        durable = await self._end(session, now) if session is not None else True
        # Asked again, the receipt must not forget what the first asking ended, nor that it is not durable yet.
        again = before is not None and before.had_session and not before.closed
        begun = chains.begin(
            [hop.name for hop in self.options.hops],
            self.options.limits,
            now=now,
            target=target,
            durable=durable and (before is None or before.durable or self._in_log(before.sid)),
            had_session=session is not None or again,
            nonce=dice.token(12),
            sid=session.sid if session else before.sid if before else "",
            cause=cause,
        )
        first = _of(session, before if again else None, begun, self._news.names(session))
        self._events.logout_started(first.chain, how)
        step = self._placed(self._onward(first, now))
        if isinstance(step, Done):
            self._events.logout_finished(step.chain)
        if leads:
            step = await self._news.leaving(step, None, now)
        elif isinstance(step, Go):
            step = Go(chains.not_sent(step.chain))
        attempts = map(self._sessions.attempt_cookie, carried.cookies.attempts())
        expired = [line for attempt in attempts for line in attempt.clear()]
        expired += leftovers.expired(self.options.expire_cookies, self.options.host, sent)
        self._tokens.follow(step.chain)
        stored = self._sessions.seal_chain(step.chain, carried.cookies, now)
        # The browser may not have heard of a refresh yet.
        if isinstance(session, Session) and not step.chain.closed:
            stored += self._hints.renew(self._newest(session, now) or session, stored, carried.cookies, now)
        return step, [*stored, *self._sessions.clear_session(), *self._spent(step.chain), *expired]

    async def returned(
        self, carried: Carried, name: str, nonce: str, state: str | None, *, now: int, from_here: bool
    ) -> Response:
        """The browser came to the return address of a hop; what is no true return changes nothing (rule R28).

        :param nonce: the rest of the address. :param state: of its query.
        :param from_here: one of our own pages sent the browser there.
        """
        chain = carried.chain
        if chain is None or chain.closed:
            return redirect(LOGGED_OUT)
        chain = await self._with_superseded(carried, chain, now)
        evidence = None if from_here else self.hops.evidence(chain, name, nonce, state)
        step = chains.returned(chain, name, evidence, self.options.limits, now=now) if evidence else None
        if step is None:
            return await self.resume(carried, chain, now=now)
        self._events.hop(step.chain.hops[chain.index])
        return await self._answer(self._onward(step, now), carried, now)

    async def at_hop(self, carried: Carried, *, now: int) -> Response:
        """The current hop, whose hint only this address sees; looking here again and again counts as no try."""
        before = carried.chain
        if before is None or before.closed:
            return redirect(LOGGED_OUT)
        chain = await self._with_superseded(carried, before, now)
        step = self._onward(Go(chain), now)
        if step.chain is not chain:
            return await self._answer(step, carried, now)
        act = await self.hops.act(chain, self._hints.of(chain.sid, carried.cookies, now))
        if isinstance(act, Skip):
            step = chains.settled(chain, chains.SKIPPED, act.why, self.options.limits, now=now)
            self._events.hop(step.chain.hops[chain.index])
            return await self._answer(self._onward(step, now), carried, now)
        chain = chains.sent(chain, act.how)
        cookies = self._sessions.clear_session() if carried.session else []
        if chain != before:
            chain = await self._news.at(chain, now)
            cookies += self._sessions.seal_chain(chain, carried.cookies, now)
        if isinstance(act, Redirect) and not act.how:  # it needs no hint and begins elsewhere: this was Back
            return redirect(act.url, cookies=cookies)
        return send(self.hops.page_to(act, chain), cookies)

    async def resume(self, carried: Carried, chain: Chain, *, now: int, pushed: bool = False) -> Response:
        """A navigation came while ``chain`` is under way (rule R3)."""
        chain = await self._with_superseded(carried, chain, now)
        step = chains.resumed(chain, self.options.limits, now=now, pushed=pushed)
        if step.chain.index > chain.index:
            self._events.hop(step.chain.hops[chain.index])
        return await self._answer(self._onward(step, now), carried, now)

    async def before_sign_in(
        self, carried: Carried, state: Session | Challenge, went: Interrupted | None = None, *, now: int
    ) -> Response | None:
        """What must come before a sign-in: the rest of a chain, or a chain for a session that was ended (rule R1).

        :param went: the sign-in.
        """
        chain = carried.chain
        if chain is not None and not chain.closed:
            return await self.resume(carried, chain, now=now)
        if chain is not None:
            await self._with_superseded(carried, chain, now)
        ended = state.revoked if isinstance(state, Challenge) else None
        if ended is None or (chain is not None and chain.answers(ended, self._log.log_id)):
            return None
        if ended.barrier is not None and now < ended.barrier:
            return send(
                pages.waiting(resume_url="/logout", hop_label="", seconds=5, refresh_url=STILL_WAITING)
            )
        return await self.begin(
            carried, how=f"revoked:{ended.reason}", now=now, cause=Cause(ended.reason, None, went)
        )

    def location(self, step: Step) -> str:
        """Where ``step`` sends the browser: to a hop, and after the last one to the receipt, or on to sign in."""
        went = step.chain.interrupted
        if step.chain.closed and went is not None and went.attempt:
            return f"{self.options.start}?after={went.attempt}"
        return self.hops.location(step.chain)

    def waiting(self, chain: Chain, now: int) -> pages.Page:
        """The page for a tab that must wait for the current hop of ``chain``, which another tab may be walking."""
        current = chain.current
        return pages.waiting(
            resume_url=CONTINUE,
            hop_label=self.hops.label(current.name) if current else "",
            seconds=max(2, min(5, chain.deadline - now)),
            refresh_url=STILL_WAITING,
        )

    def signed(self, chain: Chain | None) -> dict[str, str]:
        """The user's copy of the signed receipt of a finished chain, where receipts are signed."""
        receipt = self._events.copy_of(chain) if chain is not None and chain.closed else None
        return {} if receipt is None else {"receipt": receipt}

    def hint_of(self, session: Session, lines: list[str], carried: Carried, now: int) -> list[str]:
        """Set-Cookie values for the hint that a refresh has renewed, beside ``lines``."""
        return self._hints.renew(session, lines, carried.cookies, now)

    def forget(self) -> list[str]:
        """Set-Cookie values that end the memory of a closed chain: somebody has signed in since."""
        return self._sessions.clear_chain()

    def discard(self, refresh_token: str | None) -> None:
        """Revoke a refresh token that no session has, where no chain is to be walked; beside everything else."""
        self._tokens.at_once(refresh_token)

    async def end(self, session: Session, reason: str) -> None:
        """End a session that nobody has signed out of; its browser's next navigation enters the chain (rule R1)."""
        entry = NewEntry(sid_key(session.sid), session.absolute_until + ENTRY_MARGIN, reason)
        done = await self._revoker.end(
            [entry], lambda _, durable: self._events.ended(session, reason, durable=durable)
        )
        await self._tokens.ended_elsewhere(session, durable=done.durable)

    async def _end(self, session: SessionOrHusk, now: int) -> bool:
        """End the session and what its sign-out reaches, park the refresh token. Whether the entry is durable.

        Once is enough: whoever sends a dead cookie again and again makes neither the log grow nor the provider work. So
        nothing is awaited between looking whether it was done and doing it.
        """
        if (before := self._ended(session)) is not None:
            if before.position == UNPLACED:
                await self._log.catch_up()  # it may just be on its way, when somebody clicks twice
                before = self._ended(session) or before
            return before.position != UNPLACED
        entry = NewEntry(
            key=sid_key(session.sid),
            expires=session.absolute_until + ENTRY_MARGIN,
            reason="logout",
            barrier=now + self.options.limits.barrier,
        )

        def tell(ended: NewEntry, durable: bool) -> None:
            if ended is entry:  # who signs out is told of with the chain
                self._events.revocation(entry.reason, durable=durable)
            else:
                self._events.revoked(ended.key, ended.reason, durable=durable)

        done = await self._revoker.end([entry, *self._others(session, now)], tell)
        # Only now: a refresh that was under way has published its token by then, or finds the entry and drops it.
        await self._tokens.ended(session, durable=done.durable)
        return done.durable

    def _others(self, session: SessionOrHusk, now: int) -> list[NewEntry]:
        """What ends beside ``session``, if it lives still (`Reach`)."""
        limits, found = self._sessions.limits, self._log.index.ended_by(session)
        gone = isinstance(session, Husk) and not session.away
        if found is not None or gone or life(session, limits, now) is not Life.FRESH:
            return []
        return self.options.reach.others(session, now + limits.absolute + ENTRY_MARGIN)

    def _ended(self, session: SessionOrHusk) -> Entry | None:
        """The entry of an earlier logout of this very session."""
        found = self._log.index.sign_out_of(session.sid)
        return None if found is None or found.barrier is None else found

    def _in_log(self, sid: str) -> bool:
        """Whether the log has the entry of an earlier logout of this session, as far as this process has read it: what
        another one took may be waiting there still.
        """
        found = self._log.index.sign_out_of(sid)
        return found is not None and found.position != UNPLACED

    async def _with_superseded(self, carried: Carried, chain: Chain, now: int) -> Chain:
        """End a session whose callback was under way when this browser's logout began (rule R2); the chain is its."""
        session = carried.session
        if session is None or not chain.supersedes(session.login_at):
            return chain
        await self._end(session, now)
        return replace(chain, sid=session.sid)

    def _onward(self, step: Step, now: int) -> Step:
        """Past every hop that has nothing to ask of the browser."""
        while not isinstance(step, Done) and (ended := self.hops.unasked(step.chain)) is not None:
            index = step.chain.index
            step = chains.settled(step.chain, ended.status, ended.why, self.options.limits, now=now)
            self._events.hop(step.chain.hops[index])
        return step

    def _spent(self, chain: Chain) -> list[str]:
        """Set-Cookie values that expire the hint of a chain that is over; a retry of what has failed needs it."""
        failed = any(hop.status == chains.FAILED for hop in chain.hops)
        return self._hints.clear() if chain.closed and not failed else []

    async def _answer(self, step: Step, carried: Carried, now: int) -> Response:
        if isinstance(step, Wait):
            page = self.waiting(step.chain, now)
            return send(page, self._sessions.clear_session() if carried.session else ())
        if isinstance(step, Done):
            self._events.logout_finished(step.chain)
        step = self._placed(await self._news.leaving(step, carried.chain, now))
        self._tokens.follow(step.chain)
        cookies = self._sessions.seal_chain(step.chain, carried.cookies, now)
        if carried.session is not None:
            cookies += self._sessions.clear_session()
        return redirect(self.location(step), cookies=[*cookies, *self._spent(step.chain)])

    def _placed(self, step: Step) -> Step:
        """A chain that closes remembers where the log stood: it answers every entry up to there (rule R1)."""
        if not isinstance(step, Done):
            return step
        return Done(replace(step.chain, position=self._log.index.position, log_id=self._log.log_id))


def _of(session: SessionOrHusk | None, before: Chain | None, step: Step, names: tuple[str, ...]) -> Step:
    """Whose chain it is: of the session that it ends, or that the chain before it has ended already."""
    who, marked = (before.who, before.marked) if before is not None else (step.chain.who, 0)
    if session is not None:
        who = (session_mark(session.sid), *session.who[1:])
    elif before is not None:
        names = before.names
    return replace(step, chain=replace(step.chain, who=who, names=names, marked=marked))
