"""Live connections of sessions that were idle for too long, as far as anybody can know."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from gateway.core.session.session import Session
from gateway.core.session.sign_in import Sighting, signed_in
from gateway.proxy.live import LiveConnections
from gateway.state.contract.sign_ins import BETWEEN_SIGHTINGS, UNKNOWN, Listed, SignIns
from gateway.web.session.idle import AGAIN, EXPIRED, IdleEndings
from tests.fakes.door import session
from tests.fakes.ticketing import NOW

IDLE = 1_800
OVER = IDLE + BETWEEN_SIGHTINGS
"""Seconds after the last activity."""


class Known:
    """A list of sign-ins. ``asked``: how often. ``down``: it does not answer."""

    def __init__(self) -> None:
        self.seen: dict[str, Sighting] = {}
        self.sessions: list[Session] = []
        self.asked = 0
        self.down = False

    async def of(self, issuer: str, subject: str, *, limit: int) -> Listed:
        self.asked += 1
        if self.down:
            return UNKNOWN
        found = [signed_in(one, agent="", client="") for one in self.sessions]
        found = [replace(one, seen_at=self.seen.get(one.sid, Sighting(one.seen_at, "")).at) for one in found]
        return Listed(tuple(found), len(found))


class World:
    """Live connections of two sessions, and what is known of them."""

    def __init__(self) -> None:
        self.live, self.known = LiveConnections(), Known()
        self.endings = IdleEndings(self.live, cast("SignIns", self.known), idle=IDLE)
        self.ended: list[tuple[str, str]] = []

    def connect(self, sid: str, idle_until: int = NOW + IDLE) -> None:
        one = replace(session(sid), login_at=NOW, idle_until=idle_until)
        self.live.add(sid, lambda reason: self.ended.append((sid, reason)), session=one)
        if all(each.sid != sid for each in self.known.sessions):
            self.known.sessions.append(one)


@pytest.fixture
def world() -> World:
    return World()


async def test_who_was_idle_for_too_long_loses_every_connection(world: World, at) -> None:
    """Not before anybody's note of activity can still come, and nobody is asked before that."""
    for _ in range(3):
        world.connect("idle")
    at(OVER - 1)
    assert await world.endings.look() == 0
    assert world.known.asked == 0
    at(OVER)
    assert await world.endings.look() == 3
    assert world.ended == [("idle", EXPIRED)] * 3
    assert world.known.asked == 1


async def test_p24_activity_that_others_have_seen_counts(world: World, at) -> None:
    """The list is asked again when what it says is over, not at every look."""
    world.connect("active")
    world.known.seen["active"] = Sighting(NOW + 1_500, "192.0.2.1")
    for seconds in range(OVER, OVER + 1_500, 60):
        at(seconds)
        assert await world.endings.look() == 0
    assert world.known.asked == 1
    at(OVER + 1_500)
    assert await world.endings.look() == 1


async def test_of_several_copies_the_latest_counts(world: World, at) -> None:
    """A connection that was opened later knows of later activity."""
    world.connect("sid")
    world.connect("sid", NOW + 2 * IDLE)
    at(OVER)
    await world.endings.look()
    assert world.known.asked == 0


async def test_what_cannot_be_known_goes_on(world: World, at) -> None:
    """No answer, or a sign-in that was never listed; asked again a minute later."""
    world.connect("sid")
    world.known.down = True
    at(OVER)
    assert await world.endings.look() == 0
    world.known.down, world.known.sessions = False, []
    at(OVER + AGAIN)
    assert await world.endings.look() == 0
    assert world.known.asked == 2
    world.connect("sid")
    at(OVER + 2 * AGAIN)
    assert await world.endings.look() == 2


async def test_nothing_is_remembered_of_what_has_gone(world: World, at) -> None:
    """However many sessions come and go; nobody's connections are no session's."""
    for number in range(20):
        world.connect(f"s{number}")
    world.live.add("", lambda _: None)
    await world.endings.look()
    assert len(world.endings._next) == 20
    for number in range(20):
        world.live.end(f"s{number}", "gone")
    await world.endings.look()
    assert world.endings._next == {}
