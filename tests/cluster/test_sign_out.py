"""Signing out at one of three gateways ends the session at all of them (guarantees 1 and 2)."""

from __future__ import annotations

import asyncio

import pytest

from tests.cluster.live import all_told
from tests.cluster.rig import Cluster
from tests.fakes.door import eventually
from tests.fakes.patience import PATIENCE

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("cluster")]
STORES = ("cookie", "ticket")
ASKED = 5
"""Times that each replica says the same, at the least."""


async def test_a_copied_cookie_is_refused_everywhere(cluster: Cluster) -> None:
    """It works at every replica before; afterwards at none, and somebody else's session lives on."""
    alice = await cluster.signed_in(at=0)
    bob = cluster.cookie(await cluster.signed_in(at=1, user="bob@example.com"))
    copied = cluster.cookie(alice)
    assert await cluster.statuses(copied) == [200] * 3
    assert (await cluster.sign_out(alice)).status == 303
    assert await cluster.replicas[0].decided(copied) == 401
    await cluster.refused_everywhere(copied)
    assert await cluster.statuses(bob) == [200] * 3
    await cluster.stored(alice)


async def test_r22_live_connections_end_everywhere(cluster: Cluster) -> None:
    """WebSockets are closed with 4401, event streams end with their last event; those of somebody else stay open."""
    alice, bob = await cluster.signed_in(at=1), await cluster.signed_in(at=1, user="bob@example.com")
    lives = await cluster.opened(cluster.cookie(alice))
    others = await cluster.opened(cluster.cookie(bob))
    await cluster.sign_out(alice)
    await all_told(lives)
    assert not any(live.ended.done() for live in others)
    await cluster.sign_out(bob)
    await all_told(others)


async def test_an_operator_ends_all_sessions_of_an_address(cluster: Cluster) -> None:
    """Asked at one replica: cookies and connections of both sessions, at all three; whoever signs in again is in."""
    first, second = await cluster.signed_in(at=0), await cluster.signed_in(at=2)
    lives = [live for one in (first, second) for live in await cluster.opened(cluster.cookie(one))]
    told = await cluster.operate(1, email="Alice@Example.com")
    assert told["live_closed"] == 4
    async with asyncio.timeout(PATIENCE):
        while not told["durable"]:
            told = await cluster.operate(1, email="Alice@Example.com")
    await all_told(lives)
    for one in (first, second):
        await cluster.refused_everywhere(cluster.cookie(one))
    again = await cluster.signed_in(at=2)
    assert await cluster.statuses(cluster.cookie(again)) == [200] * 3


async def test_who_has_refused_a_cookie_never_serves_it_again(cluster: Cluster) -> None:
    """However often each replica is asked while the session ends at one of them."""
    alice = await cluster.signed_in(at=0)
    copied = cluster.cookie(alice)
    seen: list[list[int]] = [[] for _ in cluster.replicas]

    async def ask(index: int) -> None:
        while seen[index].count(401) < ASKED:
            seen[index].append(await cluster.replicas[index].decided(copied))

    asking = [asyncio.create_task(ask(index)) for index in range(3)]
    await eventually(lambda: min(map(len, seen)) >= ASKED)
    await cluster.sign_out(alice)
    await asyncio.wait_for(asyncio.gather(*asking), PATIENCE)
    for said in seen:
        assert set(said) == {200, 401}
        assert said == sorted(said)
