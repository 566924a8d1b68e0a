"""A real browser in front of the balancer, with several tabs of one session (rules R15 and R30)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

from gateway.web.pages.catalogue import message
from tests.browser.driver import LeavingError, Profile, Tab, arrives, eventually, shows
from tests.cluster.balancer import Passage
from tests.cluster.rig import TABS, Cluster
from tests.fakes.patience import PATIENCE

SIGN_OUT = 'form[action="/logout"] button'
HAS_ASKED = """
return Boolean(window.gatewaySignOut) && performance.getEntriesByName(location.origin + "/oauth2/session").length > 0;
"""
CALM = 0.3
"""Seconds without a change after which the tabs have agreed on who leads."""
LOOK = 0.005
"""Seconds between two looks at the address bar, which costs nothing."""


async def signed_in(
    cluster: Cluster, window: Profile, number: int, user: str = "alice@example.com"
) -> list[Tab]:
    """So many tabs, the first of which was signed in; the tab script runs in all, and one of them holds the stream."""
    first = await window.tab()
    await first.open(f"{cluster.app}{TABS}0")
    await arrives(first, f"{cluster.idp.options.okta}/login/")
    await first.fill("#username", user)
    await first.fill("#password", "demo")
    await first.click("button[type=submit]")
    await runs(first, 0, cluster)
    others = [await window.tab() for _ in range(1, number)]
    await asyncio.gather(
        *(tab.open(f"{cluster.app}{TABS}{at}") for at, tab in enumerate(others, 1)),
    )
    for at, tab in enumerate(others, 1):
        await runs(tab, at, cluster)
    await settled(cluster)
    return [first, *others]


async def runs(tab: Tab, at: int, cluster: Cluster) -> None:
    """Wait until the tab is loaded and has heard who is signed in."""
    await arrives(tab, f"{cluster.app}{TABS}{at}")
    await shows(tab, "An open tab")
    await eventually(lambda: tab.run(HAS_ASKED), bool, what="tab.js has asked")


async def settled(cluster: Cluster) -> None:
    """Wait until one of the tabs leads and holds the one stream, with nobody taking it over any more."""
    before: list[Passage] = []
    async with asyncio.timeout(PATIENCE):
        while len(before) != 1 or before != cluster.balancer.streams():
            before = cluster.balancer.streams()
            await asyncio.sleep(CALM)


async def gone(cluster: Cluster, tab: Tab, within: float = PATIENCE) -> float:
    """Wait until the tab has left for the signed-out page; when it was, by ``time.perf_counter``."""
    async with asyncio.timeout(within):
        while not (await tab.address()).startswith(f"{cluster.app}/logged-out"):
            await asyncio.sleep(LOOK)
    return time.perf_counter()


async def all_gone(cluster: Cluster, tabs: Sequence[Tab], within: float = PATIENCE) -> None:
    await asyncio.gather(*(gone(cluster, tab, within) for tab in tabs))


def header(cookies: Mapping[str, str]) -> str:
    """What somebody else sends who has copied these."""
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


async def receipt(tab: Tab) -> str:
    """The words of the receipt, once the chain has brought the tab there."""
    await eventually(tab.address, lambda url: url.endswith("/logged-out"), what="the receipt")
    return await shows(tab, message("receipt.heading"))


async def stays(cluster: Cluster, tabs: Sequence[Tab]) -> bool:
    """Whether every tab still shows its page."""
    for tab in tabs:
        try:
            await tab.run("return document.title")
        except LeavingError:
            return False
    addresses = [await tab.address() for tab in tabs]
    return all(address.startswith(cluster.app + TABS) for address in addresses)
