"""Refreshing beside the requests: one does it, and nobody is logged out by it (rule R10)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.core import clock
from gateway.core.errors import ProviderError
from gateway.core.sealing import Opened
from gateway.core.ticket import issued
from gateway.oidc.tokens import TokenSet
from gateway.web import refresh
from tests.fakes.refreshing import ISSUER, World, settled, signed_in


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
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
    await asyncio.sleep(3 * refresh.LOOK_AGAIN)
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
    await second.replicas[0]._publish(signed_in(), ahead)
    second.store.known.pop("sid")
    second.provider.at_once = False
    second.request(1, signed_in())
    await settled()
    await second.replicas[0]._publish(signed_in(), ahead)
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
    assert world.store.known == {}


async def test_without_the_shared_state_nothing_is_refreshed(world: World) -> None:
    """Nobody could know who else is at it; the session goes on."""
    world.store.down = True
    old = signed_in()
    assert world.request(0, old) is old
    await settled()
    assert world.provider.calls == 0


async def test_a_copy_that_was_left_behind_asks_for_sign_in(world: World) -> None:
    """Its successor is not handed out any more; the session itself stays as it is."""
    world.store.known["sid"] = (3, None)
    world.request(0, signed_in())
    await settled()
    assert world.request(0, signed_in()) is None
    assert not world.ended(signed_in())


async def test_who_waits_gets_the_successor(world: World) -> None:
    """Where upstreams need the access token, the request goes on with the next generation."""
    waited = await world.replicas[0].wait(signed_in())
    assert waited is not None
    assert waited.generation == 1


async def test_r24_a_refresh_shows_what_changed_at_the_provider(world: World) -> None:
    """The groups of the new ID token are those of the next generation; the names of before stay (R19)."""
    claims = {"sub": "s-1", "iss": ISSUER, "groups": ["admins"]}
    provider = cast("Any", world.provider)
    provider.verify_id_token = _answering(
        SimpleNamespace(claims=claims, issuer=ISSUER, subject="s-1", auth_time=5)
    )
    original = world.provider.refresh

    async def with_id_token(token: str) -> TokenSet:
        return replace(await original(token), id_token="new")

    provider.refresh = with_id_token
    old = signed_in(aliases=(f"sub:{ISSUER}|s-1", "email:old@example.com"))
    world.request(0, old)
    await settled()
    later = world.request(0, old)
    assert later is not None
    assert later.principal.groups == ("admins",)
    assert set(old.aliases) <= set(later.aliases)


async def test_tokens_of_another_user_are_not_taken(world: World) -> None:
    """A provider that mixes two users up must not mix up two sessions (OpenID Connect Core §12.2)."""
    claims = SimpleNamespace(claims={"sub": "s-2", "iss": ISSUER}, issuer=ISSUER, subject="s-2", auth_time=0)
    provider = cast("Any", world.provider)
    provider.verify_id_token = _answering(claims)
    original = world.provider.refresh

    async def with_id_token(token: str) -> TokenSet:
        return replace(await original(token), id_token="other")

    provider.refresh = with_id_token
    world.request(0, signed_in())
    await settled()
    assert world.results == ["failed"]
    assert world.store.known == {}


async def test_an_id_token_that_cannot_be_verified_costs_nobody_the_session(world: World) -> None:
    """The keys may be out of reach just now: the tokens are kept, and the user is who they were."""
    provider = cast("Any", world.provider)

    async def away(*_: object, **__: object) -> object:
        raise ProviderError("provider_unreachable", "no keys", retryable=True)

    original = world.provider.refresh

    async def with_id_token(token: str) -> TokenSet:
        return replace(await original(token), id_token="unverifiable")

    provider.verify_id_token, provider.refresh = away, with_id_token
    world.request(0, signed_in())
    await settled()
    later = world.request(0, signed_in())
    assert later is not None
    assert (later.generation, later.principal) == (1, signed_in().principal)


async def test_the_latest_generation_is_found_to_be_ended(world: World) -> None:
    """A sign-out by an older copy revokes the token that is good."""
    world.request(0, signed_in())
    await settled()
    assert (await world.replicas[1].latest(signed_in())).refresh_token == "token-1"
    assert (await world.replicas[1].latest(signed_in(sid="other"))).refresh_token == "first"


def _answering(value: object) -> Callable[..., Coroutine[Any, Any, object]]:
    async def answer(*_: object, **__: object) -> object:
        return value

    return answer


async def test_r10_the_successor_of_a_session_with_a_ticket_opens_by_its_secret_alone(world: World) -> None:
    """What the replicas share of a refresh is no easier to read than what is kept of the session."""
    old = issued(signed_in())
    world.request(0, old)
    await settled()
    _, box = world.store.known["sid"]
    for ring in (replica._ring for replica in world.replicas):
        assert not isinstance(ring.open(box or b"", world.replicas[0]._purpose("sid"), now=0), Opened)
    world.request(1, old)
    await settled()
    adopted = world.request(1, old)

    assert adopted is not None
    assert (adopted.generation, adopted.secret) == (1, old.secret)
    assert (await world.replicas[1].latest(old)).refresh_token == "token-1"
