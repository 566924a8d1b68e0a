"""Whatever happens in whatever order: who was ended stays ended, and nobody is ended who was not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core import clock
from gateway.core.session.revocation_keys import sid_key, subject_key
from gateway.state.contract.renewal import RenewalCause
from gateway.state.redis import mirror as redis_mirror
from gateway.state.redis.log import RedisLog
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.fakes.signed_in import signed_in
from tests.state.log_contract import new, within
from tests.state.redis.test_mirror import LOG, Copy

PEOPLE = ("alice", "bob")


@pytest.fixture(scope="module")
def emptied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that each example begins with empty."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@dataclass
class Session:
    """What a cookie seals, and whether it has been ended."""

    sid: str
    person: str
    log_id: str
    seen: int
    login_at: int
    ended: bool = False


@dataclass
class World:
    """Two instances, a Redis that loses things, and what people were told."""

    redis: RedisServer
    logs: list[RedisLog] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    copy: Copy | None = None
    renewed: list[RenewalCause] = field(default_factory=list)

    async def begin(self) -> None:
        self.redis.ask("FLUSHALL")
        self.logs = [await self.instance() for _ in range(2)]

    async def instance(self) -> RedisLog:
        log = RedisLog(self.redis.place(), deadline=PATIENCE, beat=0.05)
        log.on_renewed = self.renewed.append
        await log.open()
        return log

    async def end(self) -> None:
        await asyncio.gather(*(log.close() for log in self.logs))

    async def in_step(self) -> None:
        """Both have read everything and sent everything."""

        def settled() -> bool:
            one, other = self.logs
            return (
                (one.pending, one.log_id, one.index.position)
                == (0, other.log_id, other.index.position)
                and other.pending == 0
                and one.health().startswith("ok")
                and other.health().startswith("ok")
            )  # fmt: skip

        for log in self.logs:
            await log.catch_up()
        assert await within(PATIENCE, settled), [log.health() for log in self.logs]

    async def login(self, where: int, person: str) -> None:
        log = self.logs[where]
        await log.catch_up()
        if log.loaded:
            sid = f"s{len(self.sessions)}"
            self.sessions.append(Session(sid, person, log.log_id, log.index.position, clock.now()))

    async def logout(self, where: int, number: int) -> None:
        if self.sessions:
            session = self.sessions[number % len(self.sessions)]
            if (await self.logs[where].append([new(sid_key(session.sid))])).durable:
                session.ended = True

    async def end_person(self, where: int, person: str) -> None:
        before = [session for session in self.sessions if session.person == person]
        if (await self.logs[where].append([new(subject_key("i", person))])).durable:
            for session in before:
                session.ended = True

    async def read(self, where: int, _: str) -> None:
        await self.logs[where].catch_up()

    async def show(self, where: int, number: int) -> None:
        """A browser comes with what was sealed anywhere, to an instance that may not have read so far."""
        log = self.logs[where]
        for session in self.sessions[number % len(self.sessions) :][:1] if self.sessions else ():
            if session.log_id == log.log_id:
                await log.prove(session.seen)

    async def lose_all(self, _: int, __: str) -> None:
        self.redis.ask("FLUSHALL")

    async def take_copy(self, _: int, __: str) -> None:
        self.copy = Copy(self.redis)

    async def fail_over(self, _: int, __: str) -> None:
        """To the copy. Each instance has read what was acknowledged, as it does within milliseconds."""
        if self.copy is not None:
            await self.in_step()
            self.copy.promote()

    async def trim_by_hand(self, _: int, __: str) -> None:
        await self.in_step()
        self.redis.ask("XTRIM", LOG, "MAXLEN", 1)

    async def crash(self, where: int, _: str) -> None:
        """And a new instance in its place; the other one is there all the time."""
        await self.in_step()
        self.logs[where]._outbox._batches.clear()
        await self.logs[where].close()
        self.logs[where] = await self.instance()

    def check(self) -> None:
        for log in self.logs:
            for session in self.sessions:
                who = signed_in(
                    session.sid, (subject_key("i", session.person),), session.seen, session.login_at
                )
                alive = session.log_id == log.log_id and not log.index.ended_by(who)
                assert not (alive and session.ended), session
                assert alive or session.ended or session.log_id != log.log_id, session


STEPS = st.one_of(
    st.tuples(st.just("login"), st.integers(0, 1), st.sampled_from(PEOPLE)),
    st.tuples(st.sampled_from(["logout", "show"]), st.integers(0, 1), st.integers(0, 9)),
    st.tuples(st.just("end_person"), st.integers(0, 1), st.sampled_from(PEOPLE)),
    st.tuples(
        st.sampled_from(["read", "lose_all", "take_copy", "fail_over", "fail_over", "trim_by_hand", "crash"]),
        st.integers(0, 1),
        st.just(""),
    ),
)


async def _live_through(redis: RedisServer, steps: list[tuple[str, int, object]]) -> None:
    world = World(redis)
    await world.begin()
    try:
        for name, where, what in steps:
            await getattr(world, name)(where, what)
        await world.in_step()
        world.logs.append(await world.instance())  # which knows only what Redis has
        world.check()
        assert RenewalCause.SESSION not in world.renewed  # who is merely behind proves nothing
    finally:
        await world.end()


@given(st.lists(STEPS, min_size=4, max_size=14))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_order_of_things_revives_anybody(
    emptied: RedisServer, steps: list[tuple[str, int, object]]
) -> None:
    """Sign-ins, sign-outs, reads and crashes at two instances, over losses, failovers and trimming of the log."""
    with patch.object(redis_mirror, "VOUCH_WITHIN", 0.1):
        asyncio.run(_live_through(emptied, steps))
