"""Real tabs of one session, whose connections a balancer spreads over three gateways, leave when it ends at one of them.

The sign-out always goes to another gateway than the one that holds the tabs' event stream.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.browser.authority import Authority
from tests.browser.chromium import Chromium
from tests.browser.driver import Mode, Profile, Tab
from tests.cluster.live import Live, all_told
from tests.cluster.rig import Cluster
from tests.cluster.windows import SIGN_OUT, all_gone, header, receipt, settled, signed_in, stays
from tests.fakes.redis import RedisServer

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("cluster"),
]
TABS = 4
NOT_STORED = "this server could not store that yet"
SOMEBODY = "bob@example.com"
"""Another test ends all sessions of Alice's address, and her next sign-in begins with a sign-out (rule R1)."""
PAUSE = float(os.environ.get("CLUSTER_PAUSE", "2"))
"""Seconds that a gateway is held still."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Chromium]:
    started = await Chromium.start(Authority.make(tmp_path_factory.mktemp("authority")))
    yield started
    await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def window(chromium: Chromium) -> AsyncIterator[Profile]:
    """A window that has never been anywhere."""
    opened = await chromium.profile(Mode.PRIVATE)
    yield opened
    await opened.close()


class Household:
    """Somebody with tabs, a copy of the cookie elsewhere, and live connections under it at all three gateways.

    :ivar listening: the gateway that holds the tabs' event stream. :ivar asked: the one that will be asked to sign out.
    """

    def __init__(self, cluster: Cluster, tabs: list[Tab], copied: str, lives: list[Live]) -> None:
        self.cluster = cluster
        self.first, *self.others = tabs
        self.copied = copied
        self.lives = lives
        (stream,) = cluster.balancer.streams()
        self.listening = stream.at
        self.asked = (stream.at + 1) % len(cluster.replicas)

    @classmethod
    async def moved_in(cls, cluster: Cluster, window: Profile) -> Household:
        tabs = await signed_in(cluster, window, TABS, SOMEBODY)
        copied = header(await tabs[0].cookies())
        assert await cluster.statuses(copied) == [200] * len(cluster.replicas)
        lives = await cluster.opened(copied)
        await settled(cluster)
        return cls(cluster, tabs, copied, lives)

    async def sign_out(self) -> str:
        """Press the button in the first tab; what the receipt says."""
        self.cluster.balancer.lead_to(self.asked)
        await self.first.click(SIGN_OUT)
        said = await receipt(self.first)
        assert self.cluster.balancer.asked("/logout") == {self.asked}
        return said

    def elsewhere(self) -> list[Live]:
        """The live connections at the gateways that were not asked."""
        return [live for at, live in enumerate(self.lives) if at // 2 != self.asked]

    async def over(self) -> None:
        """Every tab has left, every connection was told, and the copied cookie opens nothing anywhere."""
        await asyncio.gather(all_gone(self.cluster, self.others), all_told(self.lives))
        await self.cluster.refused_everywhere(self.copied)
        await self.cluster.in_step()


@pytest_asyncio.fixture(loop_scope="session")
async def household(cluster: Cluster, window: Profile) -> AsyncIterator[Household]:
    balancer = cluster.balancer
    balancer.lead_to(*range(len(cluster.replicas)))
    balancer.passages.clear()
    made = await Household.moved_in(cluster, window)
    yield made
    for live in made.lives:
        live.close()


async def test_r30_tabs_behind_three_gateways_leave_together(household: Household) -> None:
    """All three have served them; one is asked to sign out, another one tells the tabs."""
    assert {passage.at for passage in household.cluster.balancer.passages} == {0, 1, 2}
    said = await household.sign_out()
    assert NOT_STORED not in said
    await household.over()


async def test_p08_tabs_while_redis_hangs(household: Household, redis: RedisServer) -> None:
    """The receipt says that others do not know yet; every tab leaves as soon as Redis goes on."""
    redis.pause()
    try:
        said = await household.sign_out()
        assert await household.cluster.replicas[household.asked].decided(household.copied) == 401
        assert await stays(household.cluster, household.others)
    finally:
        redis.resume()
    assert NOT_STORED in said
    await household.over()


async def test_tabs_while_redis_is_restarted(household: Household, redis: RedisServer) -> None:
    """Signed out while there is no Redis; it comes back with its file, is told, and tells the others."""
    redis.kill()
    try:
        said = await household.sign_out()
    finally:
        redis.start()
    assert NOT_STORED in said
    await household.over()


async def test_tabs_when_redis_comes_back_empty(household: Household, redis: RedisServer) -> None:
    """A lost log ends every session, so the tabs leave; the sign-out that it never heard of stays done."""
    redis.kill()
    await household.sign_out()
    shutil.rmtree(redis.directory / "appendonlydir")
    redis.start()
    await household.over()


async def test_tabs_when_redis_is_emptied_under_way(household: Household, redis: RedisServer) -> None:
    """FLUSHALL behind a sign-out that was durable: nobody is let in again."""
    await household.sign_out()
    redis.ask("FLUSHALL")
    await household.over()


async def test_tabs_of_a_gateway_that_is_held_still(household: Household) -> None:
    """It holds the tabs' stream. The others are through meanwhile; when it goes on, the tabs leave, and it serves
    the copied cookie not once.
    """
    cluster = household.cluster
    still = cluster.replicas[household.listening]
    still.pause()
    try:
        await household.sign_out()
        await all_told([live for at, live in enumerate(household.lives) if at // 2 != household.listening])
        await asyncio.sleep(PAUSE)
        asked = [asyncio.create_task(still.status(household.copied)) for _ in range(10)]
        await asyncio.sleep(0.1)
    finally:
        still.resume()
    assert set(await asyncio.gather(*asked)) <= {401, 503}, "503: it could not tell yet"
    await household.over()
