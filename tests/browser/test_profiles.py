"""A profile has never been anywhere, although its browser has."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial

import pytest
import pytest_asyncio
from aiohttp import web

from tests.browser import chromium, conftest
from tests.browser.chromium import ChromiumProfile
from tests.browser.conftest import Programs
from tests.browser.driver import BrowserDriver, LeavingError, Mode, arrives, eventually, sets_off, visiting
from tests.fakes.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

KEEP = """
localStorage.kept = "something";
sessionStorage.kept = "something";
await (await caches.open("kept")).put("/in-cache", new Response("something"));
await navigator.serviceWorker.register("/worker.js");
await navigator.serviceWorker.ready;
await new Promise((done) => (indexedDB.open("kept").onsuccess = done));
await fetch("/cached");
await fetch("/cached");
return 0;
"""
KEPT = """
const workers = await navigator.serviceWorker.getRegistrations();
await fetch("/cached");
return [
  localStorage.kept, sessionStorage.kept, await caches.keys(), workers.length,
  (await indexedDB.databases()).length,
].map(String);
"""

NOTHING = ["undefined", "undefined", "", "0", "0"]


@dataclass
class Site:
    """Something that a browser keeps a lot of.

    ``cached``: how often it was asked for what may be kept; ``reached``: somebody waits for what is never answered.
    """

    url: str = ""
    cached: int = 0
    cookies: list[str] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        if request.path == "/worker.js":
            return web.Response(text="oninstall = () => skipWaiting();", content_type="text/javascript")
        if request.path == "/silent":
            self.reached.set()
            await asyncio.Event().wait()
        if request.path == "/cached":
            self.cached += 1
            return web.Response(text="something", headers={"Cache-Control": "max-age=3600"})
        if request.path == "/":
            self.cookies.append(request.headers.get("Cookie", ""))
        cookies = {"Set-Cookie": "kept=something; Max-Age=3600; Path=/"}
        return web.Response(text="<title>a page</title>", content_type="text/html", headers=cookies)


@pytest_asyncio.fixture(loop_scope="session")
async def site() -> AsyncIterator[Site]:
    found = Site()
    runner = web.ServerRunner(web.Server(found.answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://app.localhost:{runner.addresses[0][1]}/"
    yield found
    await runner.cleanup()


@pytest.mark.parametrize("mode", [Mode.USUAL, Mode.PRIVATE])
async def test_a_profile_has_never_been_anywhere(browser: BrowserDriver, mode: Mode, site: Site) -> None:
    """No cookie, no storage of any kind, no service worker and no cached answer of whoever was there before."""
    for turn in (1, 2):
        async with visiting(browser, mode) as profile:
            tab = await profile.tab()
            await tab.open(site.url)
            await arrives(tab, site.url)
            assert await tab.run(KEPT) == NOTHING
            assert site.cached == turn
            if mode is Mode.USUAL:
                await tab.run(KEEP)
                assert site.cached == turn, "it is taken from the cache"
                await eventually(partial(tab.run, KEPT), lambda kept: kept[3:] == ["1", "1"])
    assert site.cookies == ["", ""]


@pytest.mark.xdist_group("chromium")
@pytest.mark.parametrize(("mode", "way"), [(Mode.USUAL, "_forget"), (Mode.PRIVATE, "close")])
async def test_a_program_that_does_not_let_go_is_given_up(
    mode: Mode, way: str, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its driver has lost its way, and no profile comes to an end: the next one is one of another program."""
    driver = await programs.started("chromium")
    hanging = await driver.profile(mode)
    assert isinstance(hanging, ChromiumProfile)
    with monkeypatch.context() as patched:
        patched.setattr(chromium, "SILENCE", 0.1)
        patched.setattr(hanging._context if way == "close" else hanging, way, asyncio.Event().wait)
        await hanging.close()
    profile = await driver.profile(mode)
    tab = await profile.tab()
    await tab.open("about:version")
    await profile.close()
    assert isinstance(profile, ChromiumProfile)
    assert profile._context.browser is not hanging._context.browser


@pytest.mark.parametrize("mode", [Mode.USUAL, Mode.PRIVATE])
async def test_a_tab_on_its_way_to_a_server_that_says_nothing_is_closed(
    browser: BrowserDriver, mode: Mode, site: Site
) -> None:
    """It is gone before the server has answered, and the browser goes on."""
    async with visiting(browser, mode) as profile:
        for _ in range(3):
            tab = await profile.tab()
            await tab.open(site.url)
            await sets_off(tab, "setTimeout(() => location.assign('/silent'))")
            await asyncio.wait_for(site.reached.wait(), PATIENCE)
            await tab.close()
            site.reached.clear()
        tab = await profile.tab()
        await tab.open(site.url)
        await arrives(tab, site.url)


COMMAND = "return document.querySelector('#command_line')?.textContent || ''"


@pytest.mark.xdist_group("chromium")
async def test_what_the_driver_switches_off_stays_off(programs: Programs) -> None:
    """Chromium heeds the last such flag; and no window has a page of its own beside those of the test."""
    async with visiting(await programs.started("chromium"), Mode.PRIVATE) as profile:
        assert isinstance(profile, ChromiumProfile)
        tab = await profile.tab()
        await tab.open("chrome://version")
        line = str(await eventually(lambda: tab.run(COMMAND), lambda said: "--disable-features" in str(said)))
        browser = profile._context.browser
        assert browser is not None
        session = await browser.new_browser_cdp_session()
        targets = await session.send("Target.getTargets", {"filter": [{}]})
        await session.detach()
    off = [set(each.split(",")) for each in re.findall(r"--disable-features=(\S+)", line)]
    assert len(off) > 1
    assert set.union(*off) == off[-1]
    assert "browser_ui" not in {each["type"] for each in targets["targetInfos"]}


@pytest.mark.xdist_group("chromium")
async def test_a_page_that_does_not_answer_is_asked_again(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver has no limit of its own: without one, a test that asks would wait for ever."""
    async with visiting(await programs.started("chromium"), Mode.PRIVATE) as profile:
        tab = await profile.tab()
        monkeypatch.setattr(chromium, "SILENCE", 0.1)
        with pytest.raises(LeavingError, match="has not answered"):
            await tab.run("await new Promise(() => 0)")
        monkeypatch.undo()
        assert await tab.run("return 1") == 1


async def test_a_test_that_hangs_closes_what_it_has_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told to stop, instead of being left where it is while the next one runs in the same event loop."""
    closed = []

    async def hanging() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    monkeypatch.setattr(conftest, "LONGEST", 0.01)
    with pytest.raises(TimeoutError):
        await conftest.in_time(hanging)()
    assert closed
