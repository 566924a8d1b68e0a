"""Signing out at the certified provider as it comes from npm, by its own pages, in real browsers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.browser.driver import BrowserDriver, Mode, Profile, Tab, arrives, sets_off, shows
from tests.certified.conftest import Street, street
from tests.fakes.house import IN, PAGE, SIGN_OUT, header, receipt

__all__ = ["street"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
QUESTION = "Do you want to sign-out"
LOGIN = "input[name=login]"


@pytest_asyncio.fixture(loop_scope="session")
async def window(browser: BrowserDriver) -> AsyncIterator[Profile]:
    """A window that has never been anywhere."""
    opened = await browser.profile(Mode.BLOCKING)
    yield opened
    await opened.close()


async def signed_in(street: Street, tab: Tab, name: str) -> str:
    """Sign in to an application, with a password where it is asked for; the cookies of the session."""
    app = street[name].app
    await tab.open(app + PAGE)
    await arrives(tab, street.provider.issuer)
    if await asks_for_a_password(tab):
        await tab.fill(LOGIN, "alice")
        await tab.fill("input[name=password]", "any")
        await tab.click("button[type=submit]")
        await shows(tab, "Authorize")
    await tab.click("button[type=submit]")
    await arrives(tab, app + PAGE)
    await shows(tab, IN)
    return header(await tab.cookies())


async def asks_for_a_password(tab: Tab) -> bool:
    return bool(await tab.run("return document.querySelector(args[0]) !== null", LOGIN))


@pytest.mark.parametrize("answer", ["yes", "no"])
async def test_a_sign_out_ends_the_session_there_if_the_person_agrees(
    street: Street, window: Profile, answer: str
) -> None:
    """The other application then asks for the password, or does not; the receipt says the same of either answer."""
    here, other = street["plain"], street["other"]
    tab = await window.tab()
    copied = await signed_in(street, tab, "plain")

    await sets_off(tab, SIGN_OUT)
    await shows(tab, QUESTION)
    await tab.click(f"button[value={answer}]" if answer == "yes" else "button:not([name])")
    await arrives(tab, f"{here.app}/logged-out")

    assert await receipt(here.app, header(await tab.cookies())) == {"oidc": "came_back"}
    assert await here.status(copied) == 401
    await tab.open(other.app + PAGE)
    await arrives(tab, street.provider.issuer)
    assert await asks_for_a_password(tab) == (answer == "yes")
