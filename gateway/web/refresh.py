"""Refreshing sessions beside the requests that carry them (rules R10 and R24; ``core/lifecycle.py`` has the tables).

Of all requests, in all processes, that meet a session whose refresh is due, one refreshes it; nobody waits for that
unless upstreams get the access token and it has expired. The successor's cookie goes out with the next answers to
copies of the older generation.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from gateway.core import clock, dice
from gateway.core import ticket as tickets
from gateway.core.errors import GatewayError, ProviderError
from gateway.core.lifecycle import (
    LEASE,
    STEPS,
    WORTH,
    Knowledge,
    Outcome,
    State,
    Step,
    refresh_time,
    state_of,
    successor,
    visible_for,
)
from gateway.core.sealing import Deployment, KeyRing, Opened, associated_data
from gateway.core.session import Principal, Session, SessionLimits, absolute_deadline, from_plain, to_plain
from gateway.idp.provider import IdentityProvider
from gateway.oidc.identity import ClaimOptions, aliases_from, principal_from
from gateway.oidc.tokens import TokenSet
from gateway.state.log import RevocationLog
from gateway.state.refreshes import Busy, Claim, Granted, Outdated, Refreshes, Succeeded, Unavailable
from gateway.telemetry.log import get_logger, session_mark

KNOWN = 4_096
"""Sessions whose latest generation this process remembers."""
AT_ONCE = 16
"""Refreshes under way in this process: a provider that was away is not to be overrun when it is back."""
PATIENCE = 5.0
"""Seconds that a request waits for a refresh without which it cannot go on."""
LOOK_AGAIN = 0.1
"""Seconds between two looks at what another process is doing."""
LOOK_ANEW = 2.0
"""Seconds between two tries for one session."""
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 600.0
"""Seconds without a refresh after one that failed: doubled each time, and jittered."""
_V = TypeVar("_V")
_log = get_logger("refresh")


@dataclass(frozen=True, slots=True)
class Newest:
    """The latest generation of a session that this process knows of; ``session`` is None where it is not published."""

    generation: int
    session: Session | None


@dataclass(frozen=True, slots=True)
class RefreshOptions:
    """How to refresh.

    :ivar keep_access: the access token is kept in the session, for upstreams.
    """

    claims: ClaimOptions
    limits: SessionLimits
    deployment: Deployment
    keep_access: bool = False


class Refresher:
    """Makes the next generation of sessions.

    :param end: ends a session everywhere, for the reason given.
    :param on_refresh: told how each went: ``renewed``, ``adopted``, ``refused``, ``failed`` or ``dropped``.
    """

    def __init__(
        self,
        options: RefreshOptions,
        *,
        ring: KeyRing,
        provider: IdentityProvider,
        log: RevocationLog,
        store: Refreshes,
        end: Callable[[Session, str], Awaitable[None]],
        on_refresh: Callable[[str], None],
    ) -> None:
        self._options = options
        self._ring = ring
        self._provider = provider
        self._log = log
        self._store = store
        self._end = end
        self._on_refresh = on_refresh
        self._newest: OrderedDict[str, Newest] = OrderedDict()
        self._looked: OrderedDict[str, float] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._pause = 0.0
        self._not_before = 0.0

    async def close(self) -> None:
        """Let refreshes under way come to their end: a token that is spent must not be lost."""
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=PATIENCE)

    # At a request

    def current(self, session: Session, now: int) -> Session | None:
        """The copy that counts in place of one whose refresh is due: itself, its successor, or none."""
        newest = self._newest.get(session.sid)
        state = state_of(
            session, self._options.limits, now,
            newest=newest.generation if newest else None, published=newest is not None and newest.session is not None,
        )  # fmt: skip
        if state is State.SUPERSEDED:
            return None
        if WORTH[state].replaced and newest is not None and newest.session is not None:
            later = newest.session
            return replace(later, idle_until=max(later.idle_until, session.idle_until), page=session.page)
        return session

    def begin(self, session: Session) -> bool:
        """Have a session refreshed that is due, unless this was looked into just now; whether that is under way."""
        if session.sid in self._under_way:
            return True
        loop = asyncio.get_running_loop()
        if loop.time() < self._looked.get(session.sid, 0.0) + LOOK_ANEW:
            return False
        _keep(self._looked, session.sid, loop.time())
        task = loop.create_task(self._refresh(session), name="refresh")
        self._under_way[session.sid] = task
        task.add_done_callback(lambda _: self._under_way.pop(session.sid, None))
        return True

    async def wait(self, session: Session) -> Session | None:
        """The same, and wait for it; the copy that counts then."""
        if self.begin(session):
            await asyncio.wait({self._under_way[session.sid]}, timeout=PATIENCE)
        return self.current(session, clock.now())

    async def latest(self, session: Session) -> Session:
        """The latest generation that anybody knows of, to be ended with this one."""
        found = await self._store.later(session.sid, session.generation)
        return (self._opened(session, found) if isinstance(found, Succeeded) else None) or session

    # Beside it

    async def _refresh(self, session: Session) -> None:
        try:
            if asyncio.get_running_loop().time() < self._not_before:
                found = await self._store.later(session.sid, session.generation)
                if found is not None:
                    self._adopt(session, found)
                return
            async with self._slots:
                await self._claimed(session)
        except Exception:  # noqa: BLE001 -- nobody waits for this task to report; the session goes on as it is
            _log.exception("refresh_crashed")
            self._put_off()

    async def _claimed(self, session: Session) -> None:
        until = asyncio.get_running_loop().time() + LEASE
        claim = await self._claim(session)
        while isinstance(claim, Busy) and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(LOOK_AGAIN)
            claim = await self._claim(session)
        if isinstance(claim, Granted):
            await self._ask(session)
        elif isinstance(claim, Succeeded | Outdated):
            self._adopt(session, claim)
        elif isinstance(claim, Unavailable):
            _log.warning("refresh_put_off", why=claim.why)  # nobody can know who else is at it
            self._put_off()

    async def _claim(self, session: Session) -> Claim:
        return await self._store.claim(session.sid, session.generation, lease=LEASE)

    async def _ask(self, session: Session) -> None:
        outcome, later = await self._outcome(session)
        knowledge, found = await self._knowledge(session)
        step = STEPS[outcome, knowledge]
        _log.info("refreshed", session=session_mark(session.sid), outcome=outcome.value, step=step.value)
        if step is Step.PUBLISH and later is not None:
            await self._publish(session, later)
        elif step is Step.ADOPT and found is not None:
            self._adopt(session, found)
        elif step is Step.END:
            self._on_refresh("refused")
            await self._end(session, "refresh_refused")
        elif step is Step.DROP:
            self._on_refresh("dropped")
            if later is not None and later.refresh_token:
                await self._provider.revoke(later.refresh_token)
        else:
            self._on_refresh("failed")
            await self._store.release(session.sid, session.generation)

    async def _outcome(self, session: Session) -> tuple[Outcome, Session | None]:
        """Ask the provider; the next generation when there is one."""
        try:
            tokens = await self._provider.refresh(session.refresh_token or "")
            self._pause = 0.0
            return Outcome.RENEWED, await self._next(session, tokens)
        except ProviderError as error:
            if error.code == "invalid_grant":
                # Not always a revocation: Cognito says the same when the client may not read an attribute (facts A.2).
                _log.warning("refresh_refusal", detail=error.detail)
                self._pause = 0.0
                return Outcome.REFUSED, None
            _log.warning("refresh_failed", code=error.code, detail=error.detail)
            if error.code == "token_rejected":  # the provider is well, this session is not
                _keep(self._looked, session.sid, asyncio.get_running_loop().time() + FIRST_PAUSE)
                return Outcome.FAILED, None
        except GatewayError as error:
            _log.warning("refresh_failed", code=error.code, detail=error.detail)
        self._put_off()
        return Outcome.FAILED, None

    async def _knowledge(self, session: Session) -> tuple[Knowledge, Succeeded | Outdated | None]:
        """What the others have done meanwhile: a sign-out comes before everything else (rule R10)."""
        if self._log.moved():
            await self._log.catch_up()
        ended = self._log.index.ended_by(
            session.sid, session.aliases, seen=session.seen, login_at=session.login_at, now=clock.now()
        )
        if ended is not None:
            return Knowledge.ENDED, None
        found = await self._store.later(session.sid, session.generation)
        return (Knowledge.NEWEST if found is None else Knowledge.OLDER), found

    async def _next(self, session: Session, tokens: TokenSet) -> Session:
        """The next generation.

        :raises ProviderError: ``token_rejected``: the tokens are another user's.
        """
        who, aliases = await self._identity(session, tokens)
        now, lives, keep = clock.now(), tokens.expires_in, self._options.keep_access
        return successor(
            session,
            who,
            aliases,
            refresh_token=tokens.refresh_token,
            access_token=tokens.access_token if keep else None,
            access_until=now + (lives or 0) if keep else 0,
            refresh_at=refresh_time(session.sid, session.generation + 1, now=now, lives=lives),
        )

    async def _identity(self, session: Session, tokens: TokenSet) -> tuple[Principal, tuple[str, ...]]:
        """Who the provider says it is now (OpenID Connect Core §12.2).

        An ID token that cannot be verified changes nothing: to drop the tokens for it would log the user out, where
        each refresh token is good once only.
        """
        if tokens.id_token is None:
            return session.principal, session.aliases
        claims = self._options.claims
        try:
            verified = await self._provider.verify_id_token(
                tokens.id_token, nonce=None, now=clock.now(), access_token=tokens.access_token
            )
            who, aliases = principal_from(verified, claims), aliases_from(verified, claims)
        except ProviderError as error:
            _log.warning("refreshed_identity_unusable", code=error.code, detail=error.detail)
            return session.principal, session.aliases
        if (who.issuer, who.subject) != (session.principal.issuer, session.principal.subject):
            raise ProviderError("token_rejected", "the refreshed ID token is of another subject")
        return who, aliases

    async def _publish(self, session: Session, later: Session) -> None:
        now = clock.now()
        sealed = self._sealed(later, now)
        keep = absolute_deadline(later, self._options.limits) - now
        visible = min(keep, visible_for(self._options.limits))
        if not await self._store.publish(later.sid, later.generation, sealed, visible=visible, keep=keep):
            found = await self._store.later(session.sid, session.generation)
            if found is not None:  # this took longer than its lease, and somebody else was faster
                self._adopt(session, found)
                return
            _log.warning(
                "refresh_unpublished",
                session=session_mark(later.sid),
                mend="the state does not answer; see /readyz",
            )
        self._on_refresh("renewed")
        self._looked.pop(later.sid, None)
        _keep(self._newest, later.sid, Newest(later.generation, later))

    def _adopt(self, session: Session, found: Succeeded | Outdated) -> None:
        self._on_refresh("adopted")
        later = self._opened(session, found) if isinstance(found, Succeeded) else None
        _keep(self._newest, session.sid, Newest(found.generation, later))
        if later is None:
            _log.info("session_superseded", session=session_mark(session.sid), generation=session.generation)

    def _sealed(self, later: Session, now: int) -> bytes:
        """As its store seals it: under the ring, or, where there is a ticket, under what only that has."""
        if later.secret is not None:
            return tickets.sealed(later, self._options.deployment)
        return self._ring.seal(to_plain(later), self._purpose(later.sid), now=now)

    def _opened(self, session: Session, found: Succeeded) -> Session | None:
        if session.secret is not None:
            return tickets.opened(found.sealed, session.sid, session.secret, self._options.deployment)
        opened = self._ring.open(found.sealed, self._purpose(session.sid), now=clock.now())
        if not isinstance(opened, Opened):
            return None
        try:
            return from_plain(opened.plain)
        except ValueError:
            return None

    def _purpose(self, sid: str) -> bytes:
        return associated_data("successor", sid, self._options.deployment)

    def _put_off(self) -> None:
        """Nothing is refreshed for a while, longer each time."""
        self._pause = min(LONGEST_PAUSE, self._pause * 2 or FIRST_PAUSE)
        self._not_before = asyncio.get_running_loop().time() + self._pause * (0.75 + dice.fraction() / 2)


def _keep(known: OrderedDict[str, _V], sid: str, value: _V) -> None:
    known[sid] = value
    known.move_to_end(sid)
    if len(known) > KNOWN:
        known.popitem(last=False)
