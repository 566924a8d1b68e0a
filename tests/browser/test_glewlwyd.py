"""Signing out at a provider that nobody here wrote, by its own pages, in real browsers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.browser.driver import BrowserDriver, Mode, Profile, Tab, arrives, sets_off, shows
from tests.fakes.house import IN, PAGE, SIGN_OUT, header
from tests.glewlwyd.conftest import NAME, Village, village
from tests.glewlwyd.program import PASSWORD

__all__ = ["village"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
LOG_OUT = ".card-body .btn-danger:not(.dropdown-toggle)"
CONTINUE = ".card-footer .btn-success"


@pytest_asyncio.fixture(loop_scope="session")
async def window(browser: BrowserDriver) -> AsyncIterator[Profile]:
    """A window that has never been anywhere."""
    opened = await browser.profile(Mode.BLOCKING)
    yield opened
    await opened.close()


async def signed_in(village: Village, tab: Tab, user: str) -> None:
    await tab.open(village.house.app + PAGE)
    await arrives(tab, f"{village.provider.address}/login.html")
    await tab.fill("#username", user)
    await tab.fill("#password", PASSWORD)
    await tab.click("button[type=submit]")
    await tab.click(CONTINUE)
    await arrives(tab, village.house.app + PAGE)
    await shows(tab, IN)


async def test_a_sign_out_ends_the_session_there_too(village: Village, window: Profile) -> None:
    """Its page asks, is answered, and leads back to the receipt; it has no session left, and wants the password."""
    tab = await window.tab()
    await signed_in(village, tab, "alice")
    copied = header(await tab.cookies())
    assert await village.provider.sessions("alice") == 1

    await sets_off(tab, SIGN_OUT)
    await shows(tab, f"The client {NAME} wishes you to close the current session")
    await tab.click(LOG_OUT)
    await arrives(tab, f"{village.house.app}/logged-out")
    assert await village.house.receipt(header(await tab.cookies())) == {"oidc": "came_back"}

    assert await village.provider.sessions("alice") == 0
    assert await village.house.status(copied) == 401
    await tab.open(village.house.app + PAGE)
    await arrives(tab, f"{village.provider.address}/login.html")
    await shows(tab, "Password")
