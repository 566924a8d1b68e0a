"""Open tabs leave when their session ends, in real browsers (rules R15, R30 and R35)."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.browser.driver import Tab, eventually, shows
from tests.browser.person import ALL_ENDED, NOBODY, SIGN_OUT, UNCACHED, Person, fetched, sessions
from tests.browser.world import BOTH_WAYS, taking_place
from tests.fakes.door import eventually as soon

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SIGNED_OUT = "/logged-out"
TABS = 12
PROMISED = 1.0
"""Seconds in which every open tab has left for the signed-out page."""


LOAD = """
const script = document.createElement("script");
script.src = "/oauth2/tab.js";
document.head.append(script);
"""


async def opened(person: Person) -> Tab:
    """A further tab of the application in which the tab script runs, and nothing else.

    To Chromium under a driver every tab is a visible one, so the demo's own pages would each hold their clock's stream.
    """
    tab = await person.tab(UNCACHED)
    await shows(tab, "All reports")
    await tab.run(LOAD)
    await running(tab)
    return tab


async def running(tab: Tab) -> None:
    await eventually(lambda: tab.run("return Boolean(window.gatewaySignOut)"), bool, what="tab.js runs")


async def left(person: Person, tab: Tab) -> float:
    """Wait until the tab is at the signed-out page; when it was."""
    await eventually(tab.address, lambda url: url.startswith(person.stand.app + SIGNED_OUT))
    return time.monotonic()


@taking_place(*BOTH_WAYS)
async def test_r15_twelve_tabs_leave_together(person: Person, capsys: pytest.CaptureFixture[str]) -> None:
    """They share one stream, so none of them hangs; sign out in one, and all are at the signed-out page at once."""
    stand = person.stand
    first = await person.sign_in("/reports")
    await running(first)
    others = [await opened(person) for _ in range(1, TABS)]
    assert (await fetched(others[-1]))[0] == 200
    await soon(lambda: stand.gateway.live.counts["events"] == 1)
    begun = time.monotonic()
    leaving = [asyncio.create_task(left(person, tab)) for tab in others]
    await first.click(SIGN_OUT)
    took = max(await asyncio.gather(*leaving)) - begun
    with capsys.disabled():
        print(f" [last of {TABS} tabs gone after {took:.3f} s]", end="")
    assert await person.receipt(first) == ALL_ENDED
    assert sessions(stand) == NOBODY
