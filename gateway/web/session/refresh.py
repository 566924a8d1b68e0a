"""Refreshing sessions beside requests that carry them (rules R10, R24; ``core/session/lifecycle.py`` has the table).

Of all requests, in all processes, that meet a session whose refresh is due, one refreshes it; nobody waits for that
unless upstreams get the access token and it has expired. The successor's cookie goes out with the next answers to
copies of the older generation.

A refresh is claimed, asked for, and settled. Settling needs an answer of what the processes share. Where that does not
come, it goes on beside everything else until it does: a successor is handed out here meanwhile, so that the browser may
have it should this process be killed, and a refusal ends nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from gateway.core import clock, dice
from gateway.core.memo import Kept
from gateway.core.session import lifecycle
from gateway.core.session.lifecycle import (
    HEAR_OUT,
    LEASE,
    LEFT_ALONE,
    STEPS,
    Knowledge,
    Newest,
    Outcome,
    Step,
    visible_for,
)
from gateway.core.session.sealing import Deployment, KeyRing
from gateway.core.session.session import Session, SessionLimits, Ticket, absolute_deadline
from gateway.idp.provider import IdentityProvider
from gateway.oidc.signin.identity import ClaimOptions
from gateway.state.contract.log import RevocationLog, in_step
from gateway.state.contract.refreshes import Busy, Claim, Granted, Later, Refreshes, Succeeded, Unavailable
from gateway.telemetry.log import get_logger, session_mark
from gateway.web.session.renewal import Renewal, Renewed
from gateway.web.session.successors import Successors

KNOWN, KNOWN_BYTES = 4_096, 24 * 1024 * 1024
"""Sessions whose latest generation this process remembers, and bytes that they may take."""
TIMES_BYTES = 4 * 1024 * 1024
"""Bytes of what is remembered of when a session was looked at, or is to be left alone."""
AT_ONCE = 16
"""Refreshes under way in this process: a provider that was away is not to be overrun when it is back. Nor are more
begun while as many cannot be settled.
"""
PATIENCE = 5.0
"""Seconds that a request waits for a refresh without which it cannot go on."""
LOOK_AGAIN = 0.1
"""Seconds between the first two looks at what another process is doing, and tries to settle."""
SLOWEST = 1.0
"""Seconds between two later ones."""
LOOK_ANEW = 2.0
"""Seconds between two tries for one session."""
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 600.0
"""Seconds without a refresh after one that failed: doubled each time, and jittered."""
_log = get_logger("refresh")


@dataclass(frozen=True, slots=True)
class RefreshOptions:
    """How to refresh.

    :ivar keep_access: the access token is kept in the session, for upstreams.
    :ivar hint: what is kept for the sign-out, as `hint_in` takes it; empty for nothing.
    """

    claims: ClaimOptions
    limits: SessionLimits
    deployment: Deployment
    keep_access: bool = False
    hint: str = ""


class Refresher:
    """Makes the next generation of sessions.

    :param end: ends a session everywhere, for the reason given.
    :param drop: has the tokens of a generation revoked that was made of a session which had ended meanwhile.
    :param on_refresh: told how each went, by the names that ``gateway_refreshes_total`` has.
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
        drop: Callable[[Session], None],
        on_refresh: Callable[[str], None],
    ) -> None:
        self._options = options
        self._renewal = Renewal(provider, options.claims, keep_access=options.keep_access, hint=options.hint)
        self._successors = Successors(ring, options.deployment)
        self._provider = provider
        self._log = log
        self._store = store
        self._end = end
        self._drop = drop
        self._on_refresh = on_refresh
        self._newest: Kept[str, Newest] = Kept(entries=KNOWN, size=KNOWN_BYTES)
        self._looked: Kept[str, float] = Kept(entries=KNOWN, size=TIMES_BYTES)
        self._alone: Kept[str, float] = Kept(entries=KNOWN, size=TIMES_BYTES)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._settling: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._pause = 0.0
        self._not_before = 0.0

    async def close(self) -> None:
        """Let refreshes under way come to their end: a token that is spent must not be lost."""
        until = asyncio.get_running_loop().time() + PATIENCE
        for tasks in (self._under_way, self._settling):
            if tasks:
                left = until - asyncio.get_running_loop().time()
                await asyncio.wait(tasks.values(), timeout=max(0.0, left))
        late = {**self._under_way, **self._settling}
        for sid, task in late.items():
            _log.warning("refresh_lost", session=session_mark(sid), why="no answer came until the end")
            task.cancel()
        if late:
            await asyncio.wait(late.values())

    # At a request

    def current(self, session: Session, now: int) -> Session | None:
        """The copy that counts in place of one whose refresh is due: itself, its successor, or none."""
        return lifecycle.current(session, self._newest[session.sid], self._options.limits, now)

    def begin(self, session: Session) -> bool:
        """Have a session refreshed that is due, unless this was looked into just now; whether that is under way."""
        if session.sid in self._under_way or session.sid in self._settling:
            return True
        loop = asyncio.get_running_loop()
        if loop.time() < (self._looked[session.sid] or 0.0) + LOOK_ANEW:
            return False
        self._looked.keep(session.sid, loop.time())
        task = loop.create_task(self._refresh(session), name="refresh")
        self._under_way[session.sid] = task
        task.add_done_callback(lambda _: self._under_way.pop(session.sid, None))
        return True

    async def wait(self, session: Session) -> Session | None:
        """The same, and wait for it; the copy that counts then."""
        if self.begin(session) and (task := self._under_way.get(session.sid)) is not None:
            await asyncio.wait({task}, timeout=PATIENCE)
        return self.current(session, clock.now())

    def stuck(self, session: Session) -> bool:
        """Whether nobody here can refresh it, however long one waits: its user has to sign in for fresh tokens."""
        return asyncio.get_running_loop().time() < (self._alone[session.sid] or 0.0)

    async def latest(self, sid: str, generation: int, ticket: Ticket | None) -> Session | None:
        """The latest generation after that one that anybody knows of, to be ended with it."""
        newest = self._newest[sid]
        known = newest.session if newest is not None and newest.generation > generation else None
        found = await self._store.later(sid, generation if known is None else known.generation)
        if not isinstance(found, Succeeded):
            return known
        return self._successors.opened(sid, ticket, found.sealed, clock.now()) or known

    # Beside it

    async def _refresh(self, session: Session) -> None:
        try:
            now = asyncio.get_running_loop().time()
            if (
                now < max(self._not_before, (self._alone[session.sid] or 0.0))
                or len(self._settling) >= AT_ONCE
            ):
                found = await self._store.later(session.sid, session.generation)
                if isinstance(found, Later):
                    self._adopt(session, found)
                return
            async with self._slots:
                if await self._claimed(session):
                    await self._ask(session)
        except Exception:  # noqa: BLE001 -- nobody waits for this task to report; the session goes on as it is
            _log.exception("refresh_crashed")
            self._put_off()

    async def _claimed(self, session: Session) -> bool:
        """Whether it is for us to ask the provider."""
        until, pause = asyncio.get_running_loop().time() + LEASE, LOOK_AGAIN
        claim = await self._claim(session)
        while isinstance(claim, Busy) and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(pause)
            pause = min(SLOWEST, pause * 1.2)
            claim = await self._claim(session)
        if isinstance(claim, Granted) and claim.lapsed:
            claim = await self._claim_after_grace(session, claim)
        if isinstance(claim, Later):
            self._adopt(session, claim)
        elif isinstance(claim, Unavailable):
            _log.warning("refresh_put_off", why=claim.why)  # nobody can know who else is at it
            self._put_off()
        elif not isinstance(claim, Granted):
            self._leave_alone(session, FIRST_PAUSE)
        return isinstance(claim, Granted)

    async def _claim(self, session: Session) -> Claim:
        return await self._store.claim(session.sid, session.generation, lease=LEASE, keep=self._keep(session))

    async def _hold(self, session: Session, lease: int = LEASE) -> Claim:
        return await self._store.renew(session.sid, session.generation, lease=lease, keep=self._keep(session))

    def _keep(self, session: Session) -> int:
        """Seconds that the session can live."""
        return absolute_deadline(session, self._options.limits) - clock.now()

    async def _claim_after_grace(self, session: Session, claim: Claim) -> Claim:
        """Wait for whoever has let its lease run out: it may be alive, and have what the token was good for."""
        for _ in range(HEAR_OUT):
            await asyncio.sleep(SLOWEST)
            claim = await self._hold(session)
            if not isinstance(claim, Granted):
                break
        return claim

    async def _ask(self, session: Session) -> None:
        holding = asyncio.create_task(self._keep_holding(session), name="hold-refresh")
        try:
            renewed = await self._renewal.of(session)
        finally:
            holding.cancel()
        if renewed.later is not None:
            # Once for all tries to publish it: one whose answer was lost is then known to have been taken.
            renewed = replace(renewed, box=self._successors.sealed(renewed.later, clock.now()))
        if renewed.outcome in {Outcome.RENEWED, Outcome.REFUSED}:
            self._pause = 0.0
        elif renewed.swapped:  # the provider is well, this session is not
            self._leave_alone(session, FIRST_PAUSE)
        else:
            self._put_off()
        if not await self._settle(session, renewed):
            settling = asyncio.create_task(self._until_settled(session, renewed), name="settle-refresh")
            self._settling[session.sid] = settling
            settling.add_done_callback(lambda _: self._settling.pop(session.sid, None))

    async def _keep_holding(self, session: Session) -> None:
        """The provider may take longer than the lease."""
        while True:
            await asyncio.sleep(LEASE / 3)
            await self._hold(session)

    async def _until_settled(self, session: Session, renewed: Renewed) -> None:
        _log.warning(
            "refresh_unsettled", session=session_mark(session.sid), outcome=renewed.outcome.value,
            fix="the state does not answer; see /readyz",
        )  # fmt: skip
        pause = LOOK_AGAIN
        try:
            while True:
                await asyncio.sleep(pause)
                if await self._settle(session, renewed):
                    return
                pause = min(SLOWEST, pause * 2)
        except Exception:  # noqa: BLE001 -- as above
            _log.exception("refresh_crashed")

    async def _settle(self, session: Session, renewed: Renewed) -> bool:
        """Do what follows from an answer of the provider; False: what is shared has to answer first."""
        outcome, later = renewed.outcome, renewed.later
        knowledge, found = await self._knowledge(session)
        step = STEPS[outcome, knowledge]
        if step is Step.ASK_AGAIN:
            return False
        if step is Step.PUBLISH and later is not None:
            taken = await self._publish(later, renewed.box)
            if taken is not False:
                self._hand_out(later)
            if not taken:
                return False
        elif step is Step.ADOPT and found is not None:
            self._adopt(session, found)
        elif step is Step.END:
            self._on_refresh("refused")
            await self._end(session, "refresh_refused")
        elif step is Step.KEEP:
            await self._doubted(session)
        elif step is Step.DROP:
            self._on_refresh("dropped")
            self._newest.drop(session.sid)
            if later is not None:
                self._drop(later)
        else:
            self._on_refresh("failed")
            await self._store.release(session.sid, session.generation, spent=outcome is Outcome.UNHEARD)
        _log.info("refreshed", session=session_mark(session.sid), outcome=outcome.value, step=step.value)
        return True

    async def _knowledge(self, session: Session) -> tuple[Knowledge, Later | None]:
        """What the others have done meanwhile: a sign-out comes before everything else (rule R10)."""
        if (await in_step(self._log)).ended_by(session) is not None:
            return Knowledge.ENDED, None
        claim = await self._hold(session)
        if isinstance(claim, Later):
            return Knowledge.OLDER, claim
        if isinstance(claim, Unavailable):
            return Knowledge.UNKNOWN, None
        sure = isinstance(claim, Granted) and (claim.sure or self._renewal.rotates is False)
        return (Knowledge.NEWEST if sure else Knowledge.DOUBTED), None

    async def _publish(self, later: Session, box: bytes) -> bool | None:
        keep = self._keep(later)
        visible = min(keep, visible_for(self._options.limits))
        return await self._store.publish(later.sid, later.generation, box, visible=visible, keep=keep)

    def _hand_out(self, later: Session) -> None:
        known = self._newest[later.sid]
        if known is not None and known.session is later:
            return
        self._on_refresh("renewed")
        self._looked.drop(later.sid)
        self._alone.drop(later.sid)
        self._newest.keep(later.sid, Newest(later.generation, later))

    async def _doubted(self, session: Session) -> None:
        """The session goes on as it is; its token is left alone by all processes."""
        self._on_refresh("doubted")
        _log.warning(
            "refresh_refusal_doubted", session=session_mark(session.sid), generation=session.generation,
            why="the token may have been spent by a process that was not heard of again",
        )  # fmt: skip
        if isinstance(await self._hold(session, LEFT_ALONE), Granted):
            self._leave_alone(session, LEFT_ALONE)

    def _leave_alone(self, session: Session, seconds: float) -> None:
        """Until then only look for what others have published."""
        self._alone.keep(session.sid, asyncio.get_running_loop().time() + seconds)

    def _adopt(self, session: Session, found: Later) -> None:
        self._on_refresh("adopted")
        later = None
        if isinstance(found, Succeeded):
            later = self._successors.opened(session.sid, session.ticket, found.sealed, clock.now())
        self._alone.drop(session.sid)
        self._newest.keep(session.sid, Newest(found.generation, later))
        if later is None:
            _log.info("session_superseded", session=session_mark(session.sid), generation=session.generation)

    def _put_off(self) -> None:
        """Nothing is refreshed for a while, longer each time."""
        self._pause = min(LONGEST_PAUSE, self._pause * 2 or FIRST_PAUSE)
        self._not_before = asyncio.get_running_loop().time() + self._pause * (0.75 + dice.fraction() / 2)
