"""What a scenario needs of a browser, so that each is written once and runs in Chromium and in Firefox.

A *browser* opens *profiles*; a profile is one person's browser with its own cookies, cache and history; its *tabs* are
driven by script. The two implementations are ``tests/browser/chromium.py`` (Playwright) and
``tests/browser/firefox.py`` (Selenium).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tests.fakes.browser import Kept
from tests.fakes.patience import PATIENCE

Seen = TypeVar("Seen")

POLL = 0.05
SLOWEST = 0.3
"""Seconds between two looks, at first and after a while."""


class Mode(Enum):
    """How a profile treats cookies of other sites."""

    USUAL = "as it comes"
    BLOCKING = "third-party cookies blocked"
    PRIVATE = "private window"
    PERMISSIVE = "third-party cookies allowed"


class LeavingError(Exception):
    """The document went away while it was asked, or does not answer; ask its successor."""


class Tab(Protocol):
    """One tab."""

    async def open(self, url: str) -> None:
        """Type ``url`` into the address bar; returns when an answer has begun to arrive, wherever that leads."""

    async def back(self) -> None:
        """Press Back."""

    async def run(self, body: str, *args: Any) -> Any:
        """Run ``body`` as an async function of the page with ``args``; its value as JSON.

        :raises LeavingError: the page navigated meanwhile.
        """

    async def fill(self, selector: str, text: str) -> None:
        """Type into a field."""

    async def click(self, selector: str) -> None:
        """Click, as a person does."""

    async def address(self) -> str:
        """What the address bar shows."""

    async def cookies(self) -> Mapping[str, str]:
        """The cookies that a request to this page's own address carries, HttpOnly ones too."""

    async def picture(self, path: Path) -> None:
        """Draw what is to be seen into a PNG file."""

    async def close(self) -> None: ...


class Profile(Protocol):
    """One person's browser."""

    async def tab(self) -> Tab:
        """A new, empty tab in front."""

    async def take(self, cookies: Sequence[Kept]) -> None:
        """Keep these, as if their hosts had set them in a navigation, until the browser ends."""

    async def lose_cookie(self, url: str, name: str) -> None:
        """Forget the cookie of this name that the host of ``url`` has set, whatever its path."""

    async def close(self) -> None:
        """Close all tabs and forget everything."""


class BrowserDriver(Protocol):
    """A browser program."""

    name: str

    async def profile(self, mode: Mode) -> Profile:
        """A profile that has never been anywhere."""

    async def close(self) -> None: ...


@asynccontextmanager
async def visiting(browser: BrowserDriver, mode: Mode) -> AsyncIterator[Profile]:
    """A profile for a while, closed however that ends: the next one begins with nothing of it."""
    profile = await browser.profile(mode)
    try:
        yield profile
    finally:
        await profile.close()


async def eventually(
    probe: Callable[[], Awaitable[Seen]],
    good: Callable[[Seen], bool],
    *,
    within: float = PATIENCE,
    what: str = "",
) -> Seen:
    """The first answer of ``probe`` that is ``good``; fails with the last one after ``within`` seconds."""
    end, pause = time.monotonic() + within, POLL / 2
    last: object = "nothing was answered"
    while time.monotonic() < end:
        try:
            answer = await probe()
        except LeavingError:
            pass
        else:
            if good(answer):
                return answer
            last = answer
        await asyncio.sleep(pause)
        pause = min(
            1.5 * pause, SLOWEST
        )  # a look costs a browser more than anything else that it does meanwhile
    raise AssertionError(f"not within {within} s: {what}; last seen: {last}")


async def text_of(tab: Tab) -> str:
    """The words that a person reads in the tab, without what is hidden from sight.

    :raises LeavingError: the page navigated meanwhile.
    """
    return str(await tab.run("return document.body ? document.body.innerText : ''"))


async def seen(tab: Tab) -> tuple[str, str]:
    """Address and words."""
    here = await tab.run("return [location.href, document.body ? document.body.innerText : '']")
    return str(here[0]), str(here[1])


async def shows(tab: Tab, *words: str, within: float = PATIENCE) -> str:
    """Wait until the tab shows all ``words``; everything it then shows."""
    _, text = await eventually(
        lambda: seen(tab),
        lambda page: all(word in page[1] for word in words),
        within=within,
        what=f"the page shows {words}",
    )
    return text


async def arrives(tab: Tab, start: str, *, within: float = PATIENCE) -> str:
    """Wait until the tab is loaded at an address that starts with ``start``; that address.

    It may be one on the way, such as a page of ours that moves on: where the tab stays, `stays_at` tells.
    """
    return await _is_loaded(tab, lambda url: url.startswith(start), within, f"arrives at {start}")


async def stays_at(tab: Tab, url: str, *, within: float = PATIENCE) -> None:
    """Wait until the tab is loaded at exactly this address."""
    await _is_loaded(tab, lambda here: here == url, within, f"comes to {url}")


async def _is_loaded(tab: Tab, there: Callable[[str], bool], within: float, what: str) -> str:
    async def probe() -> tuple[str, str]:
        here = await tab.run("return [location.href, document.readyState]")
        return str(here[0]), str(here[1])

    url, _ = await eventually(
        probe, lambda page: there(page[0]) and page[1] == "complete", within=within, what=f"the tab {what}"
    )
    return url


async def sets_off(tab: Tab, body: str, *args: Any) -> None:
    """Run what makes the page leave, which may do so before it has answered."""
    with contextlib.suppress(LeavingError):
        await tab.run(body, *args)


async def reloads(tab: Tab) -> None:
    """Load the page anew, and wait until that is another document."""
    await sets_off(tab, "window.before = true; setTimeout(() => location.reload(), 0)")
    await eventually(lambda: tab.run("return !window.before"), bool, what="the tab has reloaded")
