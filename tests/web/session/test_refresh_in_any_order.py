"""No order of requests, lost answers, refreshes and a sign-out logs anybody out by accident, or brings a session back.

The browser keeps whatever answer came last, loses some, and sends its requests to either of two replicas. Time goes on by
a rule alone, and nothing is random but what Hypothesis draws: else it would find that the same steps lead elsewhere the
second time, which is an error of its own on a slow machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.core import clock, dice
from gateway.core.session.session import Session
from gateway.web.session import refresh
from tests.fakes.refreshing import Door, StandingStill, World, settled, signed_in


class Machine(RuleBasedStateMachine):
    """Two replicas in a world without time and chance."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = StandingStill()
        self.patched = pytest.MonkeyPatch()
        for name in ("LOOK_ANEW", "LOOK_AGAIN", "SLOWEST"):
            self.patched.setattr(refresh, name, 0.0)
        self.patched.setattr(clock, "now", lambda: 1_800_000_000)
        self.patched.setattr(dice, "fraction", lambda: 0.5)
        self.world = World()
        self.world.provider.at_once = False

    @rule(seconds=st.sampled_from([1.0, 4.0, 11.0, 31.0]))
    def the_machine_is_slow(self, seconds: float) -> None:
        """Leases are held, and whoever waits for one gives up."""
        self.loop.at += seconds
        self.loop.run_until_complete(settled())

    def teardown(self) -> None:
        self.patched.undo()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(settled())
        self.loop.close()


class AnyOrder(Machine):
    """Requests, lost answers, refreshes and a sign-out in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.jar = signed_in()
        self.copies = [self.jar]
        self.signed_out = False

    def _do(self, what: Callable[[], Session | None]) -> Session | None:
        async def run() -> Session | None:
            found = what()
            await settled()
            return found

        return self.loop.run_until_complete(run())

    @rule(replica=st.integers(0, 1), lost=st.booleans())
    def a_request(self, replica: int, lost: bool) -> None:
        """Of the browser, with the cookie it has; its answer may get lost."""
        served = self._do(lambda: self.world.request(replica, self.jar))
        if self.signed_out:
            assert served is None
            return
        assert served is not None, "logged out by accident"
        if served is not self.jar:
            self.copies.append(served)
        if not lost:
            self.jar = served

    @rule(at=st.integers(min_value=0), replica=st.integers(0, 1))
    def an_old_answer_comes_late(self, at: int, replica: int) -> None:
        """The browser keeps the cookie of whatever answer came last."""
        if not self.signed_out:
            self.jar = self.copies[at % len(self.copies)]

    @rule(replica=st.integers(0, 1), at=st.integers(min_value=0))
    def a_copy_is_tried(self, replica: int, at: int) -> None:
        """By somebody who stole it, say: dead after the sign-out, whichever it is."""
        served = self._do(lambda: self.world.request(replica, self.copies[at % len(self.copies)]))
        assert served is None or not self.signed_out

    @precondition(lambda self: self.world.provider.asked)
    @rule(down=st.booleans())
    def the_provider_answers(self, down: bool) -> None:
        """Or fails."""
        self.world.provider.down = down
        for replica in self.world.replicas:
            replica._not_before = 0.0
        self._do(self.world.provider.answer)

    @rule()
    def an_hour_passes(self) -> None:
        """Every copy's refresh is due."""
        soon = clock.now() - 1
        self.copies = [replace(copy, refresh_at=soon) for copy in self.copies]
        self.jar = replace(self.jar, refresh_at=soon)
        for replica in self.world.replicas:
            for sid, newest in replica._newest.items():
                if newest is not None and newest.session is not None:
                    replica._newest[sid] = replace(newest, session=replace(newest.session, refresh_at=soon))

    @precondition(lambda self: not self.signed_out)
    @rule(replica=st.integers(0, 1))
    def a_sign_out(self, replica: int) -> None:
        """With whatever copy the browser has; the tokens of it and of the latest are revoked beside it."""
        self.signed_out = True

        async def out() -> None:
            jar = self.jar
            latest = await self.world.replicas[replica].latest(jar.sid, jar.generation, jar.ticket) or jar
            await self.world.end(self.jar, "logout")
            for token in {latest.refresh_token, self.jar.refresh_token}:
                self.world.provider.alive.discard(token or "")
            await settled()

        self.loop.run_until_complete(out())

    @invariant()
    def nothing_is_alive_behind_a_sign_out(self) -> None:
        """When nothing is under way any more, no token of the session is good."""
        if self.signed_out and not self.world.provider.asked:
            assert self.world.provider.alive == set()


class ThroughTrouble(Machine):
    """The same with everything that can go wrong: what is shared stalls, takes nothing or is not heard by one process,
    leases run out, processes are killed with a new token in hand, answers of the provider are lost. The provider ends
    all that came of a token that it is shown twice.

    While the provider knows the user, and the user has not signed out, nothing ends the session.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world.provider.strict = True
        self.jars = [signed_in()]
        self.born = 2
        self.lost = False

    def _do(self, what: Callable[[], object]) -> None:
        async def run() -> None:
            what()
            await settled()

        self.loop.run_until_complete(run())

    @rule(replica=st.integers(0, 1), at=st.integers(min_value=0), lost=st.booleans())
    def a_request(self, replica: int, at: int, lost: bool) -> None:
        """With any cookie that the browser can have."""

        def ask() -> None:
            served = self.world.request(replica, self.jars[at % len(self.jars)])
            assert served is not None, "signed out by accident"
            if served not in self.jars and not lost:
                self.jars.append(served)

        self._do(ask)

    @precondition(lambda self: self.world.provider.asked)
    @rule(how=st.sampled_from(["well", "down", "lost"]))
    def the_provider_answers(self, how: str) -> None:
        """Or fails; or does what it was asked for, and nobody hears of it."""
        self.world.provider.down, self.world.provider.mute = how == "down", how == "lost"
        self.lost |= how == "lost"
        self._do(self.world.provider.answer)

    @rule(down=st.booleans(), full=st.booleans())
    def what_is_shared_stalls(self, down: bool, full: bool) -> None:
        """Or is well again, which whoever comes next finds out first."""
        self.world.store.down, self.world.store.full = down, full

    @rule(replica=st.integers(0, 1), slow=st.integers(0, 3))
    def one_is_slow(self, replica: int, slow: int) -> None:
        """The other one overtakes it."""
        cast("Door", self.world.replicas[replica]._store).slow = slow

    @rule(replica=st.integers(0, 1), deaf=st.booleans())
    def one_hears_nothing_of_it(self, replica: int, deaf: bool) -> None:
        """What it asks for is done all the same."""
        self.lost |= deaf
        name = cast("Door", self.world.replicas[replica]._store).name
        (self.world.store.deaf.add if deaf else self.world.store.deaf.discard)(name)
        self._do(lambda: None)

    @precondition(
        lambda self: (
            self.lost or ((self.world.store.down or self.world.store.full) and not self.world.provider.asked)
        )
    )
    @rule()
    def leases_run_out(self) -> None:
        """Whoever held them; those who live and have a lease hold it, as long as what is shared lets them."""
        self.world.store.end_leases()

    @rule(replica=st.integers(0, 1))
    def one_is_killed(self, replica: int) -> None:
        """With whatever it has in hand; another takes its place."""
        self.lost = True

        def kill() -> None:
            one = self.world.replicas[replica]
            for task in (*one._under_way.values(), *one._settling.values()):
                task.cancel()
            self.born += 1
            self.world.replicas[replica] = self.world.another(str(self.born))

        self._do(kill)

    @rule()
    def time_passes(self) -> None:
        """What was put off is tried again, and all tokens are due."""
        soon = clock.now() - 1
        self.jars = [replace(jar, refresh_at=soon) for jar in self.jars]
        for one in self.world.replicas:
            one._not_before = 0.0
            one._alone.forget()
            for sid, newest in one._newest.items():
                if newest is not None and newest.session is not None:
                    one._newest[sid] = replace(newest, session=replace(newest.session, refresh_at=soon))

    @invariant()
    def nobody_is_signed_out(self) -> None:
        """By nothing of all this."""
        assert not self.world.ended(self.jars[0])

    @invariant()
    def no_token_is_sent_twice_by_processes_that_live(self) -> None:
        """However long what they share stalls, and whatever leases run out."""
        assert self.lost or self.world.provider.reused == 0


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestThroughTrouble = ThroughTrouble.TestCase
TestThroughTrouble.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
