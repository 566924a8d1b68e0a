"""Revoking the refresh tokens of sessions that have ended: after the provider's own hop, whatever happens meanwhile.

``core/signout/token_hold.py`` says when. Until then a token waits in the shared state, sealed, so that neither a
browser that never comes back nor the end of this process loses it; and where the provider does not answer it waits
there for the next try. Of all processes one takes a token at a time; when that one dies, another does.

Where the state does not take a token, this process keeps it in memory, tries the state again, and when the token is due
revokes it from there. That is the one case in which a kill loses it; the log and the audit trail say so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gateway.core import clock, dice
from gateway.core.session.sealing import Deployment, KeyRing, associated_data
from gateway.core.session.session import Session, SessionOrHusk, Ticket
from gateway.core.signout import token_hold as holds
from gateway.core.signout.chain import Chain
from gateway.core.signout.token_hold import FURTHER, Hold, Parked
from gateway.idp.provider import IdentityProvider, Revocation
from gateway.state.contract.token_revocations import LARGEST, Taken, TokenRevocations
from gateway.telemetry.log import get_logger, session_mark
from gateway.web.signout.session_events import SessionEvents

KEEP = 86_400
"""Seconds after which a token that could not be revoked is given up: most have run out by then, or soon will."""
AGAIN = (5, 30, 120, 600)
"""Seconds between the tries at a provider that does not answer; the last one for all further ones."""
LEASE = 30
"""Seconds for which one process has a token: longer than a try takes."""
LOOK_EVERY = 5.0
"""Seconds between two looks at what others have left behind."""
IN_MEMORY = 1_024
"""Tokens that this process keeps for want of the state."""
LAST_TRY = 2.5
"""Seconds that closing waits for what is on its way to the state, and for what this process alone has."""
_log = get_logger("token_revocation")


@dataclass(slots=True)
class _Mine:
    """A token that the state did not take. ``due`` and ``until`` in seconds."""

    parked: Parked
    due: int
    until: int
    tries: int = 0


class TokenRevoker:
    """Sees to it that refresh tokens are revoked.

    :param latest: the latest generation of a session.
    :param forget: keep nothing more of a session; called when its token is parked.
    """

    def __init__(
        self,
        hold: Hold,
        *,
        ring: KeyRing,
        deployment: Deployment,
        store: TokenRevocations,
        provider: IdentityProvider,
        latest: Callable[[str, int, Ticket | None], Awaitable[Session | None]],
        forget: Callable[[SessionOrHusk], Awaitable[None]],
        events: SessionEvents,
    ) -> None:
        self._hold = hold
        self._ring = ring
        self._deployment = deployment
        self._store = store
        self._provider = provider
        self._latest = latest
        self._forget = forget
        self._events = events
        self._mine: list[_Mine] = []
        self._beside: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self.waiting = 0

    async def open(self) -> None:
        """Begin with what is left of others, and of the last start."""
        await self._store.open()
        self._working = asyncio.create_task(self._work(), name="revoke-tokens")

    async def close(self) -> None:
        """What waits in the state goes on waiting there; what only this process has is tried once more."""
        working, self._working = self._working, None
        if working is not None:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        if self._beside:  # on the way to the state
            await asyncio.wait(self._beside, timeout=LAST_TRY)
        mine, self._mine = self._mine, []
        trying = {asyncio.create_task(self._last_try(one)): one for one in mine}
        _, late = await asyncio.wait(trying, timeout=LAST_TRY) if trying else (set(), set())
        for task in (*late, *self._beside):
            task.cancel()
        for task in late:
            self._events.token_not_revoked(trying[task].parked, "given_up")
        await asyncio.gather(*late, *self._beside, return_exceptions=True)
        await self._store.close()

    # What is to be revoked

    async def ended(self, session: SessionOrHusk, *, durable: bool = True) -> None:
        """A session was ended, and its browser is about to walk the chain.

        :param durable: whether the state has taken its entry; nobody waits for a state that does not answer.
        """
        await self._or_beside(self._park(session, self._hold.at_first()), wait=durable)

    async def ended_elsewhere(self, session: Session, *, durable: bool = True) -> None:
        """A session was ended, and its browser will hear of it with its next request: it may come late, or never."""
        due = FURTHER if self._hold.at_first() else 0
        await self._or_beside(self._park(session, due), wait=durable)

    async def unused(self, token: str | None, chain: Chain) -> None:
        """A token that no session has, in a browser that is about to walk ``chain``."""
        if token:
            until = self._hold.until(chain)
            await self._kept(Parked(holds.session_of(chain), (token,)), max(0, until - clock.now()))

    def dropped(self, later: Session) -> None:
        """A refresh made this generation of a session that had been ended meanwhile: its chain may be under way."""
        if later.refresh_token:
            self._do(self._kept(holds.parked(later, later), self._hold.at_first()))

    def at_once(self, token: str | None) -> None:
        """A token that nobody has, and for which no chain is to be walked."""
        if token:
            self._do(self._kept(Parked(dice.token(12), (token,)), 0))

    def follow(self, chain: Chain) -> None:
        """The chain made a step: what waits for it waits longer, or not at all any more."""
        self._do(self._moved(holds.session_of(chain), self._hold.until(chain)))

    # Beside it

    async def _or_beside(self, parking: Coroutine[Any, Any, None], *, wait: bool) -> None:
        if wait:
            await parking
        else:
            self._do(parking)

    async def _park(self, session: SessionOrHusk, due: int) -> None:
        """The browser may have sent an older generation: the token that is good is then in the latest one."""
        token, generation = None, 0
        if isinstance(session, Session):
            token, generation = session.refresh_token, session.generation
        if token or session.ticket is not None:
            one = holds.parked(session, await self._latest(session.sid, generation, session.ticket))
            if one.tokens:
                await self._kept(one, due)
        await self._forget(session)

    async def _kept(self, one: Parked, due: int) -> None:
        kept = await self._store.park(
            one.sid, self._sealed(one), due=due, latest=due + FURTHER, keep=due + KEEP
        )
        if not kept:
            self._remember(one, due)
        if due <= 0 or not kept:
            self._wake.set()

    def _remember(self, one: Parked, due: int) -> None:
        if len(self._mine) >= IN_MEMORY:
            self._events.token_not_revoked(one, "no_room")
            return
        why = "the state did not take it; a kill of this process before it is revoked loses it"
        _log.warning("token_revocation_not_durable", session=session_mark(one.sid), why=why)
        now = clock.now()
        self._mine.append(_Mine(one, now + due, now + due + KEEP))

    async def _moved(self, sid: str, until: int) -> None:
        now = clock.now()
        due = max(0, until - now)
        for mine in self._mine:
            if mine.parked.sid == sid and mine.tries == 0:
                mine.due = min(now + due, mine.until - KEEP + FURTHER)
        await self._store.move(sid, due=due)
        if due == 0:
            self._wake.set()

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            try:
                pause = await self._look()
            except Exception:  # noqa: BLE001 -- whatever it was, the next token must still be revoked
                _log.exception("token_revocation_crashed")
                pause = LOOK_EVERY
            with suppress(TimeoutError):  # not wait_for: in Python 3.11 it can lose a cancellation
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def _look(self) -> float:
        """Revoke what is due; seconds until there may be more."""
        await self._look_at_mine()
        waiting = await self._store.waiting()
        self.waiting = len(self._mine) + (waiting.count if waiting else 0)
        if waiting is not None and waiting.due_in is not None and waiting.due_in <= 0:
            taken = await self._store.take(lease=LEASE)
            await asyncio.gather(*(self._see_to(one) for one in taken))
            return 0.0 if taken else 1.0
        soon = LOOK_EVERY if waiting is None or waiting.due_in is None else float(waiting.due_in)
        return min(LOOK_EVERY, soon, 1.0 if self._mine else LOOK_EVERY)

    async def _look_at_mine(self) -> None:
        now = clock.now()
        due = [mine for mine in self._mine if mine.due <= now]
        for mine in [mine for mine in self._mine if mine.due > now]:
            one, wait = mine.parked, mine.due - now
            keep = mine.until - now
            sealed = self._sealed(one)
            if len(sealed) > LARGEST:
                continue
            if not await self._store.park(one.sid, sealed, due=wait, latest=wait + FURTHER, keep=keep):
                break
            self._mine.remove(mine)
        await asyncio.gather(*(self._see_to_mine(mine) for mine in due))

    async def _see_to_mine(self, mine: _Mine) -> None:
        mine.tries += 1
        pause = await self._tried(mine.parked, mine.tries, mine.until - clock.now())
        if pause is None:
            self._mine.remove(mine)
        else:
            mine.due = clock.now() + pause

    async def _see_to(self, taken: Taken) -> None:
        one = self._opened(taken)
        pause = None if one is None else await self._tried(one, taken.tries, taken.left)
        if pause is None:
            await self._store.finish(taken.name)
        else:
            await self._store.put_off(taken.name, due=pause)

    async def _tried(self, one: Parked, tries: int, left: int) -> int | None:
        """Ask the provider; seconds until it is to be asked again, None where that is settled."""
        latest = await self._latest(one.sid, one.generation, one.ticket)
        newest = latest.refresh_token if latest is not None else None
        tokens = dict.fromkeys(([newest] if newest else []) + [*one.tokens])
        results = [await self._provider.revoke(token) for token in tokens]
        for result in results:
            self._events.token_asked(result)
        if Revocation.UNANSWERED in results:
            pause = AGAIN[min(tries, len(AGAIN)) - 1]
            if pause < left:
                return pause
            self._events.token_not_revoked(one, "given_up")
        elif set(results) <= {Revocation.CONFIRMED}:
            self._events.token_revoked(one)
        else:
            worst = Revocation.REFUSED if Revocation.REFUSED in results else Revocation.UNSUPPORTED
            self._events.token_not_revoked(one, worst.value)
        return None

    async def _last_try(self, mine: _Mine) -> None:
        """The state may be back; else the provider is asked now, whatever the browser is doing."""
        one, due = mine.parked, max(0, mine.due - clock.now())
        if await self._store.park(one.sid, self._sealed(one), due=due, latest=due + FURTHER, keep=KEEP):
            return
        if await self._tried(one, mine.tries + 1, 0) is not None:
            self._events.token_not_revoked(one, "given_up")

    def _sealed(self, one: Parked) -> bytes:
        return self._ring.seal(holds.FORMAT.plain(one), self._purpose(one.sid), now=clock.now())

    def _opened(self, taken: Taken) -> Parked | None:
        sid = taken.name.rpartition("/")[0]
        one = holds.FORMAT.read_from(self._ring.open(taken.sealed, self._purpose(sid), now=clock.now()))
        if one is None:
            fix = f"keep a key file that was replaced for {KEEP // 3600} hours"
            _log.error("token_unreadable", session=session_mark(sid), fix=fix)
            self._events.token_not_revoked(Parked(sid, ()), "unreadable")
        return one

    def _purpose(self, sid: str) -> bytes:
        return associated_data("token revocation", sid, self._deployment)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
