"""The hop that is a form, in real browsers: its policy lets it through, and Back does not send it again (rule R34)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser.driver import BrowserDriver, Mode, Tab, arrives, eventually, shows, text_of
from tests.fakes.sso import MANNERS, Sso
from tests.flows.provided import House, house

pytestmark = pytest.mark.asyncio(loop_scope="session")
ONWARD = "client_id={client_id}&post_logout_redirect_uri={return_to}&state={state}"
CHAIN = f'[oidc, {{url: "http://other.localhost:PORT/session/end?{ONWARD}"}}]'


@pytest_asyncio.fixture(loop_scope="session")
async def here(tmp_path: Path) -> AsyncIterator[House]:
    """A provider that is posted to, and a second one on another site behind it."""
    sso = Sso("oidc", replace(MANNERS["oidc"], without_hint="end"))
    async with house(tmp_path, sso, chain=CHAIN) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def tab(here: House, browser: BrowserDriver) -> AsyncIterator[Tab]:
    """Somebody who has signed in."""
    profile = await browser.profile(Mode.BLOCKING)
    opened = await profile.tab()
    await opened.open(here.app)
    await arrives(opened, f"{here.sso.origin}/authorize")
    await opened.fill("#username", "alice")
    await opened.fill("#password", "demo")
    await opened.click("button[type=submit]")
    await shows(opened, "the application")
    yield opened
    await profile.close()


async def test_r34_the_form_passes_its_own_policy_and_the_redirects_behind_it(here: House, tab: Tab) -> None:
    """Chromium holds form-action against every redirect: the provider, us, and the next hop's site are in it."""
    await tab.click('form[action="/logout"] button')
    await arrives(tab, f"{here.app}/logged-out")
    text = await shows(tab, "Sign-out receipt")
    assert text.count("Sign-out confirmed") == 2
    assert [method for method, _ in here.sso.sign_outs] == ["POST", "GET"]
    assert "id_token_hint" in here.sso.sign_outs[0][1]
    assert here.sso.sessions == {}


async def test_back_from_the_receipt_sends_the_form_to_nobody(here: House, tab: Tab) -> None:
    """Wherever Back leads, the provider is not asked again and the application is not shown."""
    await tab.click('form[action="/logout"] button')
    await arrives(tab, f"{here.app}/logged-out")
    await shows(tab, "Sign-out receipt")
    for _ in range(2):
        await tab.back()
        await asyncio.sleep(0.3)
        text = await eventually(lambda: text_of(tab), bool, within=5, what="Back shows a page")
        assert "the application" not in text
    assert len(here.sso.sign_outs) == 2
