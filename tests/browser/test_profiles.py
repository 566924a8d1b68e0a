"""A profile has never been anywhere, although its browser has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial

import pytest
import pytest_asyncio
from aiohttp import web

from tests.browser import chromium
from tests.browser.chromium import KeptProfile
from tests.browser.conftest import Programs
from tests.browser.driver import BrowserDriver, Mode, arrives, eventually

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
    """Something that a browser keeps a lot of. ``cached``: how often it was asked for what may be kept."""

    url: str = ""
    cached: int = 0
    cookies: list[str] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        if request.path == "/worker.js":
            return web.Response(text="oninstall = () => skipWaiting();", content_type="text/javascript")
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
    runner = web.ServerRunner(web.Server(found.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://app.localhost:{runner.addresses[0][1]}/"
    yield found
    await runner.cleanup()


@pytest.mark.parametrize("mode", [Mode.USUAL, Mode.PRIVATE])
async def test_a_profile_has_never_been_anywhere(browser: BrowserDriver, mode: Mode, site: Site) -> None:
    """No cookie, no storage of any kind, no service worker and no cached answer of whoever was there before."""
    for turn in (1, 2):
        profile = await browser.profile(mode)
        tab = await profile.tab()
        await tab.open(site.url)
        await arrives(tab, site.url)
        assert await tab.run(KEPT) == NOTHING
        assert site.cached == turn
        if mode is Mode.USUAL:
            await tab.run(KEEP)
            assert site.cached == turn, "it is taken from the cache"
            await eventually(partial(tab.run, KEPT), lambda kept: kept[3:] == ["1", "1"])
        await profile.close()
    assert site.cookies == ["", ""]


@pytest.mark.xdist_group("chromium")
async def test_a_program_that_does_not_let_go_is_given_up(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tab cannot be closed, for its driver has lost its way: the next profile is one of another program."""
    driver = await programs.started("chromium")
    hanging = await driver.profile(Mode.USUAL)
    assert isinstance(hanging, KeptProfile)
    with monkeypatch.context() as patched:
        patched.setattr(chromium, "PATIENCE", 0.1)
        patched.setattr(hanging, "_forget", asyncio.Event().wait)
        await hanging.close()
    profile = await driver.profile(Mode.USUAL)
    tab = await profile.tab()
    await tab.open("about:version")
    await profile.close()
    assert isinstance(profile, KeptProfile)
    assert profile._context is not hanging._context
