"""No order of requests, slow writes, refreshes and a sign-out brings a session with a ticket back, or loses one.

Two replicas share what is kept. Each remembers for a while, writes beside its requests, and its writes take as long as
the test likes. Time goes on by a rule alone, as in the other test of this kind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.core import clock, dice
from gateway.core.http.own_cookies import NO_COOKIES
from gateway.core.session import ticket as tickets
from gateway.core.session.lifecycle import is_due
from gateway.core.session.sealing import Deployment, KeyRing, SealingKey
from gateway.core.session.session import Session, Ticket
from gateway.web.session import refresh
from gateway.web.session.tickets import TicketSessions
from tests.fakes.refreshing import ISSUER, LIMITS, StandingStill, World, settled, signed_in
from tests.fakes.tickets import MemoryTickets, Vault

HERE = Deployment("https://app.example", ISSUER, "client")
T = TypeVar("T")


class Replicas(World):
    """As in the other test of this kind, with sessions that are kept for their tickets."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.vault = Vault(writes_only=True)
        ring = KeyRing([SealingKey.of(bytes(range(32)))], now=0)
        self.stores = [MemoryTickets(self.vault) for _ in range(2)]
        self.sessions = [TicketSessions(ring, HERE, LIMITS, store) for store in self.stores]

    async def sign_in(self) -> tuple[bytes, ...]:
        for store in self.stores:
            await store.open()
        (line,) = await self.sessions[0].begin(signed_in(), NO_COOKIES, clock.now())
        return (line.partition(";")[0].encode(),)

    async def served(self, replica: int, cookie: tuple[bytes, ...]) -> Session | None:
        """What the gate does with a request: the session that it passes with, or None."""
        sessions, refresher, now = self.sessions[replica], self.replicas[replica], clock.now()
        await sessions.fetch(cookie, now)
        carried = sessions.carried(cookie, now)
        session = carried.session if isinstance(carried.session, Session) else None
        if session is not None and is_due(session, now):
            session = refresher.current(session, now)
            carried = sessions.replaced(carried, session) if session is not carried.session else carried
        if session is None or self.ended(session):
            return None
        if now >= session.idle_until:
            return None
        if not (is_due(session, now) and refresher.begin(session)):
            sessions.renewed(session, carried, now, active=True, client="")
        return session

    def kept(self, ticket: Ticket) -> Session | None:
        """What is kept of the one session there is."""
        _, sealed, _ = self.vault.kept.get("sid", (0, b"", 0))
        return tickets.opened(sealed, ticket, HERE)


class AnyOrder(RuleBasedStateMachine):
    """Requests, slow writes, refreshes, time and a sign-out in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = StandingStill()
        self.patched = pytest.MonkeyPatch()
        for name in ("LOOK_ANEW", "LOOK_AGAIN"):
            self.patched.setattr(refresh, name, 0.0)
        self.now = 1_800_000_000
        self.patched.setattr(clock, "now", lambda: self.now)
        self.patched.setattr(dice, "fraction", lambda: 0.5)
        self.world = self._do(self._world)
        self.cookie = self._do(self.world.sign_in)
        held = self._do(lambda: self.world.served(0, self.cookie))
        assert held is not None
        assert held.ticket is not None
        self.ticket = held.ticket
        self.world.vault.held = True
        self.signed_out = False

    async def _world(self) -> Replicas:
        world = Replicas()
        world.provider.at_once = False
        return world

    def _do(self, what: Callable[[], Awaitable[T]]) -> T:
        async def run() -> T:
            found = await what()
            await settled()
            return found

        return self.loop.run_until_complete(run())

    @rule(replica=st.integers(0, 1))
    def a_request(self, replica: int) -> None:
        """Served if what is kept is alive; nothing is asserted of the moment in which a write is on its way."""
        kept, slow = self.world.kept(self.ticket), bool(self.world.vault.waiting)
        served = self._do(lambda: self.world.served(replica, self.cookie))
        if self.signed_out:
            assert served is None
        elif not slow:
            assert kept is not None
            assert (served is not None) == (self.now < kept.idle_until)

    @precondition(lambda self: self.world.vault.waiting)
    @rule(at=st.integers(min_value=0))
    def a_write_arrives(self, at: int) -> None:
        """Not always the oldest one."""

        async def arrive() -> None:
            self.world.vault.let_one_go_on(at)

        self._do(arrive)

    @rule(seconds=st.sampled_from([1, 6, 61, 900, 1_700]))
    def time_passes(self, seconds: int) -> None:
        """A write takes a quarter of a second at most."""
        self._settle()
        self.now += seconds

    @precondition(lambda self: not self.signed_out)
    @rule()
    def the_refresh_comes_due(self) -> None:
        """In every copy of the generation that is kept."""
        self._settle()
        kept = self.world.kept(self.ticket)
        assert kept is not None
        revision, _, until = self.world.vault.kept["sid"]
        sealed = tickets.sealed(replace(kept, refresh_at=self.now - 1), HERE)
        self.world.vault.kept["sid"] = revision, sealed, until
        for sessions in self.world.sessions:
            for held in filter(None, sessions._held.values()):
                if isinstance(held.session, Session) and held.session.generation == kept.generation:
                    held.session = replace(held.session, refresh_at=self.now - 1)

    @precondition(lambda self: self.world.provider.asked)
    @rule(down=st.booleans())
    def the_provider_answers(self, down: bool) -> None:
        """Or fails."""
        self.world.provider.down = down
        for replica in self.world.replicas:
            replica._not_before = 0.0

        async def answer() -> None:
            self.world.provider.answer()

        self._do(answer)

    @precondition(lambda self: not self.signed_out)
    @rule(replica=st.integers(0, 1), down=st.booleans())
    def a_sign_out(self, replica: int, down: bool) -> None:
        """At either replica, whatever that remembers; what is kept may not be removed, for lack of an answer."""
        self.signed_out = True

        async def out() -> None:
            sessions, refresher = self.world.sessions[replica], self.world.replicas[replica]
            await sessions.fetch(self.cookie, self.now)
            session = sessions.carried(self.cookie, self.now).session
            assert isinstance(session, Session)
            self.world.vault.held, self.world.vault.down = False, down
            await self.world.end(session, "logout")
            await sessions.remove(session)
            self.world.vault.held, self.world.vault.down = True, False
            latest = await refresher.latest(session.sid, session.generation, session.ticket) or session
            for token in {latest.refresh_token, session.refresh_token}:
                self.world.provider.alive.discard(token or "")

        self._do(out)

    @invariant()
    def nothing_is_alive_behind_a_sign_out(self) -> None:
        """When nothing is under way any more, no token of the session is good."""
        if self.signed_out and not self.world.provider.asked:
            assert self.world.provider.alive == set()

    def _settle(self) -> None:
        while self.world.vault.waiting:
            self.a_write_arrives(0)

    def teardown(self) -> None:
        self.patched.undo()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(settled())
        self.loop.close()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
