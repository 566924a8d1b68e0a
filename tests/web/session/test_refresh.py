"""Refreshing beside the requests: one does it, and nobody is logged out by it (rule R10)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.core import clock
from gateway.web.session import refresh
from tests.fakes.door import eventually
from tests.fakes.patience import PATIENCE
from tests.fakes.refreshing import World, settled, signed_in


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch, at) -> AsyncIterator[World]:
    monkeypatch.setattr(refresh, "LOOK_ANEW", 0.0)
    yield World()


async def test_r10_two_hundred_requests_are_one_refresh(world: World) -> None:
    """All of them pass, and those that come after it get the successor."""
    world.provider.at_once = False
    old = signed_in()
    assert all(world.request(n % 2, old) is old for n in range(200))
    await settled()
    assert [token for token, _ in world.provider.asked] == ["first"]
    world.provider.answer()
    await eventually(lambda: len(world.results) == 2)
    for replica in (0, 1):
        successor = world.request(replica, old)
        assert successor is not None
        assert (successor.generation, successor.refresh_token) == (1, "token-1")
    assert world.provider.calls == 1
    assert sorted(world.results) == ["adopted", "renewed"]


async def test_r10_a_lost_answer_logs_nobody_out(world: World) -> None:
    """The browser that never got the successor's cookie gets it with the next answer, however late."""
    old = signed_in()
    world.request(0, old)
    await settled()
    assert world.provider.alive == {"token-1"}
    world.request(1, old)
    await settled()
    adopted = world.request(1, old)
    assert adopted is not None
    assert adopted.refresh_token == "token-1"
    assert not world.ended(old)


async def test_r10_a_refusal_ends_the_newest_generation_only(world: World) -> None:
    """A replica that fell behind and is refused the spent token takes the successor instead."""
    world.provider.banned = True
    world.request(0, signed_in())
    await settled()
    assert world.ended(signed_in())
    assert world.results == ["refused"]

    second = World()
    second.provider.alive = {"second"}
    ahead = signed_in(generation=1, refresh_token="second", refresh_at=clock.now() + 999)
    second.provider.at_once = False
    second.request(1, signed_in())
    await settled()
    box = second.replicas[0]._successors.sealed(ahead, 0)
    assert await second.replicas[0]._publish(ahead, box)
    second.provider.answer()
    await settled()
    assert not second.ended(ahead)
    assert second.request(1, signed_in()) == ahead


async def test_r10_a_provider_in_trouble_ends_nothing(world: World) -> None:
    """The session goes on, nobody asks for a while, and then it works again."""
    world.provider.down = True
    old = signed_in()
    for _ in range(5):
        assert world.request(0, old) is old
        await settled()
    assert (world.provider.calls, world.results) == (1, ["failed"])
    world.provider.down = False
    world.replicas[0]._not_before = 0.0
    world.request(0, old)
    await settled()
    assert world.results == ["failed", "renewed"]


async def test_while_the_provider_is_left_alone_the_others_are_still_asked(world: World) -> None:
    """What another replica has published is taken, though this one may not refresh."""
    world.provider.down = True
    world.request(0, signed_in())
    await settled()
    world.provider.down = False
    world.request(1, signed_in())
    await settled()
    world.request(0, signed_in())
    await settled()
    adopted = world.request(0, signed_in())
    assert adopted is not None
    assert adopted.generation == 1


async def test_r10_a_sign_out_meanwhile_drops_the_new_tokens(world: World) -> None:
    """They are revoked, and nothing is published."""
    world.provider.at_once = False
    old = signed_in()
    world.request(0, old)
    await settled()
    await world.end(old, "logout")
    world.provider.answer()
    await settled()
    assert world.results == ["dropped"]
    assert world.provider.alive == set()
    assert world.store.of("sid").sealed is None


async def test_without_the_shared_state_nothing_is_refreshed(world: World) -> None:
    """Nobody could know who else is at it; the session goes on."""
    world.store.down = True
    old = signed_in()
    assert world.request(0, old) is old
    await settled()
    assert world.provider.calls == 0


async def test_a_copy_that_was_left_behind_asks_for_sign_in(world: World) -> None:
    """Its successor is not handed out any more; the session itself stays as it is."""
    world.store.of("sid").generation = 3
    world.request(0, signed_in())
    await settled()
    assert world.request(0, signed_in()) is None
    assert not world.ended(signed_in())


async def test_who_waits_gets_the_successor(world: World) -> None:
    """Where upstreams need the access token, the request goes on with the next generation."""
    waited = await world.replicas[0].wait(signed_in())
    assert waited is not None
    assert waited.generation == 1


async def test_the_latest_generation_is_found_to_be_ended(world: World) -> None:
    """A sign-out by an older copy revokes the token that is good."""
    world.request(0, signed_in())
    await settled()
    latest = await world.replicas[1].latest("sid", 0, None)
    assert latest is not None
    assert latest.refresh_token == "token-1"
    assert await world.replicas[1].latest("sid", 1, None) is None
    assert await world.replicas[1].latest("other", 0, None) is None


async def test_r10_a_new_token_is_published_until_it_is_taken(world: World) -> None:
    """The browser may have it at once, for what is shared may be away for long; nobody else spends the old one."""
    world.provider.at_once = False
    old = signed_in()
    world.request(0, old)
    await settled()
    world.store.down = True
    world.provider.answer()
    await settled()
    handed = world.request(0, old)
    assert handed is not None
    assert (handed.generation, world.store.of("sid").generation) == (1, -1)
    latest = await world.replicas[0].latest("sid", 0, None)
    assert latest is not None
    assert latest.refresh_token == "token-1"
    world.store.down = False
    async with asyncio.timeout(PATIENCE):
        while world.store.of("sid").generation != 1:
            await asyncio.sleep(0.01)
    world.request(1, old)
    await settled()
    assert world.provider.calls == 1
    assert world.results == ["renewed", "adopted"]


async def test_r10_a_sign_out_while_it_cannot_be_published_drops_it(world: World) -> None:
    """The new token is revoked, and nothing is handed out any more."""
    world.provider.at_once = False
    old = signed_in()
    world.request(0, old)
    await settled()
    world.store.down = True
    world.provider.answer()
    await settled()
    await world.end(old, "logout")
    async with asyncio.timeout(PATIENCE):
        while world.provider.alive:
            await asyncio.sleep(0.01)
    assert world.results == ["renewed", "dropped"]


async def test_r10_a_refusal_waits_for_what_the_others_know(world: World) -> None:
    """As long as that does not answer nothing is ended; then it is."""
    world.provider.at_once, world.provider.banned = False, True
    old = signed_in()
    world.request(0, old)
    await settled()
    world.store.down = True
    world.provider.answer()
    await settled()
    assert not world.ended(old)
    world.store.down = False
    async with asyncio.timeout(PATIENCE):
        while not world.ended(old):
            await asyncio.sleep(0.01)
    assert world.results == ["refused"]


async def test_who_was_not_heard_of_again_is_heard_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lease has run out, and it comes with the new token after all: the old one is not sent a second time."""
    monkeypatch.setattr(refresh, "SLOWEST", 0.01)
    world.provider.at_once = False
    old = signed_in()
    world.request(0, old)
    await settled()
    world.store.end_leases()
    world.request(1, old)
    await settled()
    world.provider.answer()
    async with asyncio.timeout(PATIENCE):
        while world.results != ["renewed", "adopted"]:
            await asyncio.sleep(0.01)
    assert world.provider.calls == 1


async def test_a_session_whose_token_is_lost_goes_on_and_is_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal is not believed; the provider is not asked again for long, by whichever process."""
    monkeypatch.setattr(refresh, "SLOWEST", 0.0)
    world.provider.mute = True
    old = signed_in()
    world.request(0, old)
    await settled()
    world.provider.mute = False
    for _ in range(5):
        for replica in (0, 1):
            assert world.request(replica, old) is old
            await settled()
    assert (world.provider.calls, world.results) == (2, ["failed", "doubted"])
    assert world.replicas[1].stuck(old)


async def test_where_tokens_are_not_rotated_a_refusal_is_believed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be lost by an answer that was not heard."""
    monkeypatch.setattr(refresh, "SLOWEST", 0.0)
    replica = world.replicas[0]
    replica._renewal.rotates = False
    world.provider.mute = True
    world.request(0, signed_in())
    await settled()
    replica._not_before = 0.0
    world.request(0, signed_in())
    await settled()
    assert world.ended(signed_in())


async def test_closing_waits_for_what_can_be_settled(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And for nothing beyond its time."""
    monkeypatch.setattr(refresh, "PATIENCE", 0.05)
    world.provider.at_once = False
    world.request(0, signed_in())
    await settled()
    world.store.down = True
    world.provider.answer()
    await settled()
    await world.replicas[0].close()
    await settled()
    assert not world.replicas[0]._settling
