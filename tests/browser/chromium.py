"""Chromium, driven by Playwright.

A start takes a second of a processor, so there is one Chromium for each way to treat other sites' cookies: a profile is
a window of it, and everything it has kept is deleted when the window is closed. A private profile is a private window.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    CDPSession,
    Error,
    Page,
    Playwright,
    Request,
    async_playwright,
)

from tests.browser.authority import Authority
from tests.browser.driver import POLL, LeavingError, Mode, Profile, Tab
from tests.fakes.browser import Kept
from tests.fakes.patience import PATIENCE
from tests.programs import program

WEBUI = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup")
"""What unfolds below the address bar: pages of Chromium's own, which each window makes ready in a process of their own, and
which cost as much as everything that a test does in that window."""
OF_PLAYWRIGHT = (
    "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect", "TcpPortRandomizationWin", "OptimizationHints",
    "NetworkTimeServiceQuerying", "AimEnabled", "PreconnectToSearch", "msForceBrowserSignIn",
    "msEdgeUpdateLaunchServicesPreferredVersion",
)  # fmt: skip
"""What the driver switches off; Chromium heeds only the last ``--disable-features``, which is ours."""
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join((*OF_PLAYWRIGHT, *WEBUI))}",
)
# Playwright switches the back-forward cache off; what Back shows is to be seen as people see it.
UNWANTED = ["--disable-back-forward-cache"]
LEFT = (
    "Execution context was destroyed",
    "Cannot find context",
    "because of a navigation",
    "frame was detached",
)
INTERRUPTED = ("interrupted by another navigation", "net::ERR_ABORTED", "frame was detached")
BETWEEN = ("Not attached to an active page",)
"""What the driver says while one document makes way for another."""
TIMEOUT = 1_000.0 * PATIENCE
SILENCE = PATIENCE / 3
"""Seconds after which the driver has lost its way. It sets no limit to closing a page and to asking one, and has been
seen to wait for ever while the page was on its way to a server that says nothing.
"""


class Chromium:
    """A Chromium for which every name under .test is this machine."""

    name = "chromium"

    def __init__(self, playwright: Playwright, flags: Sequence[str]) -> None:
        self._playwright = playwright
        self._flags = [*FLAGS, *flags]
        self._windowed: Browser | None = None
        self._targets: Targets | None = None
        self._kept: dict[Mode, tuple[BrowserContext, Targets, Path]] = {}
        self._in_use: set[Mode] = set()
        self._lost: list[Path] = []

    @classmethod
    async def start(cls, authority: Authority) -> Self:
        """:param authority: whose certificates it trusts, besides those of the system."""
        flags = [
            "--host-resolver-rules=MAP *.test 127.0.0.1",
            f"--ignore-certificate-errors-spki-list={authority.key_hash}",
        ]
        return cls(await async_playwright().start(), flags)

    async def profile(self, mode: Mode) -> Profile:
        if mode is Mode.PRIVATE:
            return await self._private()
        if mode not in self._kept:
            directory = Path(tempfile.mkdtemp(prefix="gateway-chromium-"))
            _write_preferences(directory, blocked=mode is Mode.BLOCKING)
            context = await self._playwright.chromium.launch_persistent_context(
                directory,
                executable_path=program("chromium"),
                args=self._flags,
                ignore_default_args=UNWANTED,
                timeout=TIMEOUT,
            )
            assert context.browser is not None
            self._kept[mode] = context, await Targets.of(context.browser), directory
        assert mode not in self._in_use, f"one profile at a time that is {mode}"
        self._in_use.add(mode)
        context, targets, _ = self._kept[mode]
        return KeptProfile(context, targets, lambda: self._in_use.discard(mode), lambda: self._give_up(mode))

    def _give_up(self, mode: Mode) -> None:
        self._lost.append(self._kept.pop(mode)[-1])
        self._in_use.discard(mode)

    async def _private(self) -> Profile:
        """A context beside the default one is what Chromium itself calls off the record: an incognito window."""
        if self._windowed is None or self._targets is None:
            self._windowed = await self._playwright.chromium.launch(
                executable_path=program("chromium"),
                args=self._flags,
                ignore_default_args=UNWANTED,
                timeout=TIMEOUT,
            )
            self._targets = await Targets.of(self._windowed)
        return ChromiumProfile(await self._windowed.new_context(), self._targets, self._give_up_windows)

    def _give_up_windows(self) -> None:
        self._windowed = None

    async def close(self) -> None:
        for context, _, directory in self._kept.values():
            self._lost.append(directory)
            await _in_time(context.close())
        if self._windowed is not None:
            await _in_time(self._windowed.close())
        await self._playwright.stop()  # which ends what was given up
        for directory in self._lost:
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


async def _in_time(work: Awaitable[object]) -> bool:
    """Whether it was done before the driver has lost its way."""
    try:
        async with asyncio.timeout(SILENCE):
            await work
    except TimeoutError:
        return False
    return True


class Targets:
    """The pages of one Chromium as the program itself knows them, whatever its driver makes of them."""

    def __init__(self, session: CDPSession) -> None:
        self._session = session

    @classmethod
    async def of(cls, browser: Browser) -> Self:
        return cls(await browser.new_browser_cdp_session())

    async def close(self, *targets: str) -> None:
        """Close the pages with these ids, and come back when they are gone."""
        async with asyncio.timeout(PATIENCE):
            while left := set(targets).intersection(await self.pages()):
                for target in left:
                    with contextlib.suppress(Error):  # it has gone since
                        await self._session.send("Target.closeTarget", {"targetId": target})
                await asyncio.sleep(POLL)

    async def pages(self) -> list[str]:
        """The ids of all that are open."""
        found = (await self._session.send("Target.getTargets"))["targetInfos"]
        return [info["targetId"] for info in found if info["type"] == "page"]


async def target_of(page: Page) -> str:
    """The id of a page, which it keeps wherever it goes."""
    session = await page.context.new_cdp_session(page)
    target = str((await session.send("Target.getTargetInfo"))["targetInfo"]["targetId"])
    await session.detach()
    return target


def _write_preferences(directory: Path, *, blocked: bool) -> None:
    mode = {"cookie_controls_mode": 1 if blocked else 0, "block_third_party_cookies": blocked}
    path = directory / "Default" / "Preferences"
    path.parent.mkdir()
    path.write_text(json.dumps({"profile": mode}))


class ChromiumProfile:
    """One browser context.

    :param lost: called when it does not end, since the driver has lost its way: the program is given up.
    """

    def __init__(self, context: BrowserContext, targets: Targets, lost: Callable[[], None]) -> None:
        self._context = context
        self._targets = targets
        self._lost = lost
        context.set_default_timeout(TIMEOUT)

    async def tab(self) -> Tab:
        page = await self._context.new_page()
        return ChromiumTab(page, self._targets, await target_of(page))

    async def take(self, cookies: Sequence[Kept]) -> None:
        page = await self._context.new_page()
        await _put(self._context, page, cookies)
        await page.close()

    async def lose_cookie(self, url: str, name: str) -> None:
        await self._context.clear_cookies(name=name, domain=urlsplit(url).hostname)

    async def close(self) -> None:
        if not await _in_time(self._context.close()):
            self._lost()


class KeptProfile(ChromiumProfile):
    """One window of a Chromium that goes on; its first page stays empty and keeps the program alive."""

    def __init__(
        self, context: BrowserContext, targets: Targets, free: Callable[[], None], lost: Callable[[], None]
    ) -> None:
        super().__init__(context, targets, lost)
        self._free = free
        self._seen: set[str] = set()
        self._home = context.pages[0]
        context.on("request", self._note)

    def _note(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https"}:
            self._seen.add(f"{parts.scheme}://{parts.netloc}")

    async def take(self, cookies: Sequence[Kept]) -> None:
        await _put(self._context, self._home, cookies)

    async def close(self) -> None:
        """Forget everything."""
        self._context.remove_listener("request", self._note)
        if await _in_time(self._forget()):
            self._free()
        else:
            self._lost()

    async def _forget(self) -> None:
        home = await target_of(self._home)
        await self._targets.close(*(page for page in await self._targets.pages() if page != home))
        await self._context.clear_cookies()
        session = await self._context.new_cdp_session(self._home)
        await session.send("Network.clearBrowserCache")
        for origin in sorted(self._seen):
            await session.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
        await session.detach()


async def _put(context: BrowserContext, page: Page, cookies: Sequence[Kept]) -> None:
    """Playwright's own command cannot say both where a cookie is from and its path."""
    session = await context.new_cdp_session(page)
    for kept in cookies:
        said = {
            "url": kept.url, "name": kept.name, "value": kept.value, "path": kept.path,
            "secure": kept.secure, "httpOnly": kept.http_only,
            **({"sameSite": kept.same_site} if kept.same_site else {}),
        }  # fmt: skip
        assert (await session.send("Network.setCookie", said))["success"], kept.name
    await session.detach()


class ChromiumTab:
    """One page; ``target`` is its id."""

    def __init__(self, page: Page, targets: Targets, target: str) -> None:
        self._page = page
        self._targets = targets
        self._target = target

    async def open(self, url: str) -> None:
        try:
            await self._page.goto(url, wait_until="commit")
        except Error as error:  # a page of ours that moves on by itself may do so before the driver looks
            if not _says(error, INTERRUPTED):
                raise

    async def back(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while not await self._gone_back():
                await asyncio.sleep(POLL)

    async def _gone_back(self) -> bool:
        """False while one document makes way for another."""
        try:
            await self._page.go_back(wait_until="commit")
        except Error as error:
            if _says(error, BETWEEN):
                return False
            if not _says(error, INTERRUPTED):
                raise
        return True

    async def run(self, body: str, *args: Any) -> Any:
        try:
            async with asyncio.timeout(SILENCE):
                return await self._page.evaluate(f"async (args) => {{ {body} }}", list(args))
        except TimeoutError:
            raise LeavingError(f"the page has not answered for {SILENCE} s") from None
        except Error as error:
            if _says(error, LEFT):
                raise LeavingError(str(error)) from error
            raise

    async def fill(self, selector: str, text: str) -> None:
        await self._page.fill(selector, text)

    async def click(self, selector: str) -> None:
        await self._page.click(selector)

    async def address(self) -> str:
        return self._page.url

    async def cookies(self) -> Mapping[str, str]:
        return {c["name"]: c["value"] for c in await self._page.context.cookies(self._page.url)}

    async def picture(self, path: Path) -> None:
        await self._page.screenshot(path=path)

    async def close(self) -> None:
        await self._targets.close(self._target)


def _says(error: Error, phrases: Sequence[str]) -> bool:
    return any(phrase in error.message for phrase in phrases)
