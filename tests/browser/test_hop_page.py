"""The page that leads to a hop, in real browsers: by a form or to an address, past the application's own policy, and not
again on Back (rule R34)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.web.pages.catalogue import message
from tests.browser.driver import BrowserDriver, Mode, Tab, arrives, eventually, shows, text_of, visiting
from tests.fakes.patience import PATIENCE
from tests.fakes.sso import MANNERS, Sso
from tests.flows.provided import House, house

pytestmark = pytest.mark.asyncio(loop_scope="session")
ONWARD = "client_id={client_id}&post_logout_redirect_uri={return_to}&state={state}"
CHAIN = f'[HOP, {{url: "http://other.localhost:PORT/session/end?{ONWARD}"}}]'
SELF = """<meta http-equiv="Content-Security-Policy" content="form-action 'self'">"""


@pytest_asyncio.fixture(loop_scope="session", params=["{oidc: form}", "oidc"], ids=["form", "address"])
async def here(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """A provider, and a second one on another site behind it; the application lets its forms go to itself alone.

    Where no form is sent the provider takes none, and its session has a Lax cookie: that is how most come.
    """
    taking = {"by_form": True, "same_site": "None"} if "form" in request.param else {}
    sso = Sso("oidc", replace(MANNERS["oidc"], without_hint="end", **taking))  # type: ignore[arg-type]  # fields of manners
    async with house(tmp_path, sso, chain=CHAIN.replace("HOP", request.param)) as running:
        page = tmp_path / "index.html"
        page.write_text(SELF + page.read_text())
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def tab(here: House, browser: BrowserDriver) -> AsyncIterator[Tab]:
    """Somebody who has signed in."""
    async with visiting(browser, Mode.BLOCKING) as profile:
        opened = await profile.tab()
        await opened.open(here.app)
        await arrives(opened, f"{here.sso.origin}/authorize")
        await opened.fill("#username", "alice")
        await opened.fill("#password", "demo")
        await opened.click("button[type=submit]")
        await shows(opened, "the application")
        yield opened


async def test_r34_the_browser_passes_every_policy_on_the_way(here: House, tab: Tab, tmp_path: Path) -> None:
    """Chromium holds form-action against every redirect; behind a page of ours neither the application's counts nor ours.
    Wherever Back leads from the receipt, the provider is not asked again and the application is not shown.
    """
    await tab.click('form[action="/logout"] button')
    await arrives(tab, f"{here.app}/logged-out")
    text = await shows(tab, message("receipt.heading"))
    assert text.count(message("line.came_back_outcome")) >= 2
    by_form = "form}" in (tmp_path / "gateway.yaml").read_text()
    assert [method for method, _ in here.sso.sign_outs] == ["POST" if by_form else "GET", "GET"]
    assert "id_token_hint" in here.sso.sign_outs[0][1]
    assert here.sso.sessions == {}
    for _ in range(2):
        await tab.back()
        await asyncio.sleep(0.3)
        text = await eventually(lambda: text_of(tab), bool, within=PATIENCE, what="Back shows a page")
        assert "the application" not in text
    assert len(here.sso.sign_outs) == 2
