"""While a logout is under way no sign-in starts, whoever asks (rules R2 and R3, pain P5)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from gateway.state.sqlite.log import SqliteLog
from gateway.web.pages.catalogue import message
from tests.fakes.browser import Browser, Seen
from tests.flows.conftest import Stand, later
from tests.flows.stores import BOTH, of_files

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("the_clock_stands")]
STORES = BOTH


@pytest_asyncio.fixture(loop_scope="module")
async def browser(shared: Stand) -> AsyncIterator[Browser]:
    """Somebody signed in."""
    made = Browser.open()
    await shared.sign_in(made, "/api/me")
    yield made
    await made.close()


async def post(shared: Stand, browser: Browser) -> Seen:
    return await browser.navigate(f"{shared.app}/logout", method="POST", body="", site="same-origin")


def code(answer: Seen) -> object:
    return json.loads(answer.text)["code"]


async def test_r02_a_background_tab_cannot_undo_a_logout(shared: Stand, browser: Browser) -> None:
    """It polls and navigates at every step of the chain: 401 and the waiting page, never the provider."""
    step = await post(shared, browser)
    for _ in range(6):
        polled = await browser.fetch(f"{shared.app}/api/me")
        assert (polled.status, code(polled)) == (401, "logout_in_progress")
        asked = await browser.fetch(f"{shared.app}/oauth2/session")
        assert (asked.status, code(asked)) == (401, "logout_in_progress")
        for path in ("/reports/1", "/oauth2/start?rd=/reports/1"):
            page = await browser.navigate(shared.app + path)
            assert (page.status, message("signing_out.title") in page.text) == (401, True)
        assert "__Host-session" not in browser.cookie_names(shared.app)
        if step.status not in {302, 303}:
            break
        step = await browser.navigate(step.location, site="cross-site")
        if urlsplit(step.location).path == "/logged-out":
            break
    end = await browser.navigate(step.location)
    assert (end.status, message("headline.done") in end.text) == (200, True)
    assert code(await browser.fetch(f"{shared.app}/api/me")) == "login_required"


async def test_p22_a_form_sent_during_a_logout_gets_a_page(shared: Stand, browser: Browser) -> None:
    """401 for people as well, and nothing is sent on."""
    await post(shared, browser)
    answer = await browser.navigate(
        f"{shared.app}/api/notes", method="POST", body="text=x", site="same-origin"
    )
    assert answer.status == 401
    assert answer.header("Content-Type").startswith("text/html")
    assert "logout_in_progress" in answer.text


async def test_r02_the_barrier_stands_without_the_chains_cookie(shared: Stand, browser: Browser) -> None:
    """A copy of the dead session alone hears ``logout_in_progress``, and a person the waiting page, for two minutes."""
    host = urlsplit(shared.app).netloc
    dead = browser.cookies[host, "__Host-session"]
    await post(shared, browser)
    tab = shared.browser()
    tab.cookies[host, "__Host-session"] = dead
    assert code(await tab.fetch(f"{shared.app}/api/me")) == "logout_in_progress"
    for path in ("/reports/1", "/oauth2/start?rd=/"):
        page = await tab.navigate(shared.app + path)
        assert (page.status, message("signing_out.title") in page.text) == (401, True)
        assert urlsplit(page.continue_url()).path == "/logout"
        assert "url=/logged-out?waiting" in page.text
    with later(121):
        assert code(await tab.fetch(f"{shared.app}/api/me")) == "login_required"
        after = await tab.navigate(f"{shared.app}/reports/1")
        assert after.location.startswith(f"{shared.cognito}/logout")


async def test_r03_the_barrier_falls_after_two_minutes_for_programs_too(
    shared: Stand, browser: Browser
) -> None:
    """An unfinished chain is resumed by a navigation for as long as sessions live; fetches then hear 401 as ever."""
    await post(shared, browser)
    with later(121):
        assert code(await browser.fetch(f"{shared.app}/api/me")) == "login_required"
        page = await browser.navigate(f"{shared.app}/oauth2/start?rd=/")
        assert page.location.startswith(f"{shared.cognito}/logout")


async def test_another_browser_is_not_held_up(shared: Stand, browser: Browser) -> None:
    """The barrier is one browser's; the same person elsewhere stays signed in."""
    elsewhere = shared.browser()
    await shared.sign_in(elsewhere, "/api/me")
    await post(shared, browser)
    assert (await elsewhere.fetch(f"{shared.app}/api/me")).status == 200


@of_files
async def test_a_logout_goes_on_while_the_log_cannot_be_written(shared: Stand, browser: Browser) -> None:
    """Dead here at once; the receipt says that it is not durable, also when asked for twice; no endless chain (R4)."""
    host = urlsplit(shared.app).netloc
    dead = browser.cookies[host, "__Host-session"]
    log = shared.gateway.log
    assert isinstance(log, SqliteLog)
    files: Any = log._files
    true = files.write, files.send

    def broken(*_: object) -> None:
        raise OSError("no space left on device")

    files.write = files.send = broken
    try:
        await post(shared, browser)
        end = await browser.follow(await post(shared, browser), site="same-origin")
        assert end.path == "/logged-out"
        assert message("receipt.pending") in end.text
        told = await browser.fetch(f"{shared.app}/logged-out", Accept="application/json")
        assert json.loads(told.text)["durable"] is False
        browser.cookies[host, "__Host-session"] = dead
        assert (await browser.fetch(f"{shared.app}/api/me")).status == 401
        page = await browser.goto(f"{shared.app}/api/me", until=shared.cognito)
        assert "/oauth2/authorize" in page.continue_url()
    finally:
        files.write, files.send = true
