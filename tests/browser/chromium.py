"""Chromium, driven by Playwright.

A start takes a second of a processor, so there is one Chromium for each way to treat other sites' cookies: a profile is
a window of it, and everything it has kept is deleted when the window is closed. A private profile is a private window.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Error, Page, Playwright, Request, async_playwright

from tests.browser.authority import Authority
from tests.browser.driver import POLL, LeavingError, Mode, Profile, Tab
from tests.fakes.browser import Kept
from tests.fakes.patience import PATIENCE
from tests.programs import program

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
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


class Chromium:
    """A Chromium for which every name under .test is this machine."""

    name = "chromium"

    def __init__(self, playwright: Playwright, flags: Sequence[str]) -> None:
        self._playwright = playwright
        self._flags = [*FLAGS, *flags]
        self._windowed: Browser | None = None
        self._kept: dict[Mode, tuple[BrowserContext, Path]] = {}
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
            return ChromiumProfile(await self._private())
        if mode not in self._kept:
            directory = Path(tempfile.mkdtemp(prefix="gateway-chromium-"))
            _write_preferences(directory, blocked=mode is Mode.BLOCKING)
            context = await self._playwright.chromium.launch_persistent_context(
                directory, executable_path=program("chromium"), args=self._flags, ignore_default_args=UNWANTED
            )
            self._kept[mode] = context, directory
        assert mode not in self._in_use, f"one profile at a time that is {mode}"
        self._in_use.add(mode)
        return KeptProfile(
            self._kept[mode][0], lambda: self._in_use.discard(mode), lambda: self._give_up(mode)
        )

    def _give_up(self, mode: Mode) -> None:
        self._lost.append(self._kept.pop(mode)[1])
        self._in_use.discard(mode)

    async def _private(self) -> BrowserContext:
        """A context beside the default one is what Chromium itself calls off the record: an incognito window."""
        if self._windowed is None:
            self._windowed = await self._playwright.chromium.launch(
                executable_path=program("chromium"), args=self._flags, ignore_default_args=UNWANTED
            )
        return await self._windowed.new_context()

    async def close(self) -> None:
        for context, directory in self._kept.values():
            await context.close()
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)
        if self._windowed is not None:
            await self._windowed.close()
        await self._playwright.stop()  # which ends what was given up
        for directory in self._lost:
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


def _write_preferences(directory: Path, *, blocked: bool) -> None:
    mode = {"cookie_controls_mode": 1 if blocked else 0, "block_third_party_cookies": blocked}
    path = directory / "Default" / "Preferences"
    path.parent.mkdir()
    path.write_text(json.dumps({"profile": mode}))


class ChromiumProfile:
    """One browser context."""

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        context.set_default_timeout(TIMEOUT)

    async def tab(self) -> Tab:
        return ChromiumTab(await self._context.new_page())

    async def take(self, cookies: Sequence[Kept]) -> None:
        page = await self._context.new_page()
        await _put(self._context, page, cookies)
        await page.close()

    async def lose_cookie(self, url: str, name: str) -> None:
        await self._context.clear_cookies(name=name, domain=urlsplit(url).hostname)

    async def close(self) -> None:
        await self._context.close()


class KeptProfile(ChromiumProfile):
    """One window of a Chromium that goes on; its first page stays empty and keeps the program alive."""

    def __init__(self, context: BrowserContext, free: Callable[[], None], lost: Callable[[], None]) -> None:
        super().__init__(context)
        self._free = free
        self._lost = lost
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
        """Forget everything; where the driver has lost its way, say with a tab that went somewhere as it was closed, so
        that this does not end, the program is given up.
        """
        self._context.remove_listener("request", self._note)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._forget()
        except TimeoutError:
            self._lost()
        else:
            self._free()

    async def _forget(self) -> None:
        for page in self._context.pages:
            if page is not self._home:
                await page.close()
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
    """One page."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def open(self, url: str) -> None:
        try:
            await self._page.goto(url, wait_until="commit")
        except Error as error:  # a page of ours that moves on by itself may do so before the driver looks
            if not _says(error, INTERRUPTED):
                raise

    async def back(self) -> None:
        for _ in range(20):
            try:
                await self._page.go_back(wait_until="commit")
            except Error as error:
                if _says(error, BETWEEN):
                    await asyncio.sleep(POLL)
                    continue
                if not _says(error, INTERRUPTED):
                    raise
            return
        raise AssertionError("the tab never came to rest")

    async def run(self, body: str, *args: Any) -> Any:
        try:
            return await self._page.evaluate(f"async (args) => {{ {body} }}", list(args))
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
        await self._page.close()


def _says(error: Error, phrases: Sequence[str]) -> bool:
    return any(phrase in error.message for phrase in phrases)
