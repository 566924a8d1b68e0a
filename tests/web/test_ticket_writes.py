"""Sessions with tickets: what is written beside the requests, and that no write undoes another."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gateway.core import clock
from gateway.core.session.session import Husk, Session, SessionLimits
from tests.fakes.refreshing import settled
from tests.fakes.ticketing import NOW, Replica
from tests.fakes.tickets import Vault


async def test_activity_is_written_once_a_minute_and_sets_no_cookie(
    one: Replica, other: Replica, vault: Vault, at
) -> None:
    """Every replica has it."""
    cookie = await one.sign_in()
    for second in range(0, 180, 10):
        at(second)
        assert await one.act(cookie) == []
    assert vault.writes == 2
    found = await other.read(cookie)

    assert isinstance(found, Session)
    assert found.idle_until == NOW + 120 + 1_800
    assert one.sightings._waiting["sid-1"].at == NOW + 120


async def test_two_replicas_that_write_at_the_same_time_lose_nothing(
    one: Replica, other: Replica, at
) -> None:
    """The later of them looks again: what a page has written is not overwritten by activity."""
    cookie = await one.sign_in()
    await other.read(cookie)
    found = await one.read(cookie)
    assert isinstance(found, Session)
    carried = one.sessions.carried(cookie, NOW)
    assert await one.sessions.keep(replace(found, page={"tour": "seen"}), carried, NOW) == []
    at(4)
    other.sessions.limits = SessionLimits(idle=2_400, absolute=43_200)
    await other.act(cookie)
    found = await other.read(cookie)
    assert isinstance(found, Session)
    assert found.page == {"tour": "seen"}


async def test_a_page_is_kept_onto_what_is_there_by_then(one: Replica, other: Replica, at) -> None:
    """Activity that was written elsewhere meanwhile is not undone."""
    cookie = await one.sign_in()
    found = await one.read(cookie)
    assert isinstance(found, Session)
    carried = one.sessions.carried(cookie, NOW)
    at(100)
    await other.act(cookie)
    await one.sessions.keep(replace(found, page={"a": 1}), carried, NOW + 100)
    found = await Replica(one.store.vault).read(cookie)

    assert isinstance(found, Session)
    assert (found.page, found.idle_until) == ({"a": 1}, NOW + 1_900)


async def test_r10_a_successor_is_written_by_the_request_that_shows_it(one: Replica, other: Replica) -> None:
    """Without a new cookie."""
    cookie = await one.sign_in()
    found = await one.read(cookie)
    assert isinstance(found, Session)
    later = replace(found, generation=1, refresh_token="next")
    carried = one.sessions.replaced(one.sessions.carried(cookie, NOW), later)
    assert one.sessions.renewed(later, carried, NOW, active=False, client="") == []
    await settled()

    assert await other.read(cookie) == later


async def test_r10_a_write_under_way_brings_no_removed_session_back(
    one: Replica, other: Replica, vault: Vault, at
) -> None:
    """Somebody signs out while activity is being written."""
    cookie = await one.sign_in()
    at(100)
    await one.sessions.fetch(cookie, clock.now())
    carried = one.sessions.carried(cookie, clock.now())
    assert isinstance(carried.session, Session)
    vault.held = True
    one.sessions.renewed(carried.session, carried, clock.now(), active=True, client="")
    removing = asyncio.create_task(other.sessions.remove(carried.session))
    await settled()
    vault.held = False
    vault.let_one_go_on(1)
    await removing
    vault.let_one_go_on()
    await settled()

    found = await one.read(cookie)
    assert isinstance(found, Husk)
    assert not found.away
    assert vault.kept == {}


async def test_activity_without_an_answer_is_made_up_for(
    one: Replica, other: Replica, vault: Vault, at
) -> None:
    """When Redis is back, the next activity is written as any other."""
    cookie = await one.sign_in()
    vault.down = True
    at(600)
    await one.act(cookie)
    vault.down = False
    at(606)
    await one.act(cookie)
    found = await other.read(cookie)

    assert isinstance(found, Session)
    assert found.idle_until == NOW + 606 + 1_800


async def test_closing_waits_for_what_is_being_written(one: Replica, vault: Vault, at) -> None:
    """The last activity before a restart counts."""
    cookie = await one.sign_in()
    at(100)
    await one.sessions.fetch(cookie, clock.now())
    carried = one.sessions.carried(cookie, clock.now())
    assert isinstance(carried.session, Session)
    one.sessions.renewed(carried.session, carried, clock.now(), active=True, client="")
    await one.sessions.close()

    assert vault.kept["sid-1"][0] == 2
