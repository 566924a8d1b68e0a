"""Where a tab goes whose session has ended (rules R27 and R35), and what leaves the browser with it (rule R23)."""

from __future__ import annotations

import pytest

from gateway.core import clock
from gateway.core.session.revocation_keys import email_key
from gateway.core.signout.revocation import NewEntry
from gateway.web.pages.catalogue import message
from tests.fakes.browser import Browser, Seen
from tests.flows.conftest import Stand, later
from tests.flows.stores import BOTH

pytestmark = pytest.mark.usefixtures("the_clock_stands")
STORES = BOTH

LEFT = "/logged-out?waiting"
"""The tab script goes there, and waits there while another tab still walks the chain."""
TITLE = message("session_ended.title")


async def left(stand: Stand, browser: Browser) -> Seen:
    return await browser.navigate(stand.app + LEFT, site="same-origin")


async def signed_in(stand: Stand, user: str = "alice@example.com") -> Browser:
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me", user=user)
    return browser


async def test_r35_a_session_ended_from_elsewhere_is_said_to_be(stand: Stand) -> None:
    """A public page with a button, no redirect; the button begins with what rule R1 demands."""
    browser = await signed_in(stand)
    await stand.gateway.log.append([NewEntry(email_key("alice@example.com"), clock.now() + 3_600, "admin")])
    page = await left(stand, browser)
    assert (page.status, TITLE in page.text, message("session_over.elsewhere") in page.text) == (
        200,
        True,
        True,
    )
    assert 'href="/oauth2/start"' in page.text
    assert "http-equiv" not in page.text
    step = await browser.navigate(f"{stand.app}/oauth2/start", site="same-origin")
    assert step.location.startswith(stand.cognito)


@pytest.mark.parametrize(("seconds", "why"), [(2_000, "idle_expired"), (50_000, "absolute_expired")])
async def test_r35_a_session_that_ran_out_is_said_to_have(stand: Stand, seconds: int, why: str) -> None:
    """Idle or too old: the cookie still tells which."""
    browser = await signed_in(stand)
    with later(seconds):
        page = await left(stand, browser)
    assert (page.status, TITLE in page.text, message(f"session_over.{why}") in page.text) == (200, True, True)


async def test_r35_a_tab_whose_cookie_is_gone_too(stand: Stand) -> None:
    """Its session ended all the same: it says so in its address."""
    page = await left(stand, stand.browser())
    assert (page.status, TITLE in page.text) == (200, True)


async def test_r35_a_tab_of_the_user_before(stand: Stand) -> None:
    """The session is another one, so it is not said to have been ended from elsewhere."""
    page = await left(stand, await signed_in(stand))
    assert (page.status, TITLE in page.text, "another tab" in page.text) == (200, True, True)


async def test_a_session_that_lives_has_no_receipt(stand: Stand) -> None:
    """Whoever looks at the signed-out page while signed in may sign out there."""
    browser = await signed_in(stand)
    page = await browser.navigate(f"{stand.app}/logged-out", site="same-origin")
    assert message("headline.none") in page.text


@pytest.mark.parametrize("stand", [{"extra": "browser: {clear_storage: true}\n"}], indirect=True)
async def test_r27_storage_is_cleared_on_the_last_page_only(stand: Stand) -> None:
    """Not while the chain runs, for a minute after it has ended, and never the cookies, which others may share."""
    browser = await signed_in(stand)
    answer = await browser.navigate(f"{stand.app}/logout", method="POST", body="", site="same-origin")
    cleared = [answer, await left(stand, browser)]
    end = await browser.follow(answer, site="same-origin")
    assert end.header("Clear-Site-Data") == '"storage"'
    assert (await left(stand, browser)).header("Clear-Site-Data") == '"storage"'
    with later(61):
        cleared.append(await left(stand, browser))
    assert [page.header("Clear-Site-Data") for page in cleared] == ["", "", ""]


async def test_r27_nothing_is_cleared_unasked(stand: Stand) -> None:
    """It is the operator's choice."""
    browser = await signed_in(stand)
    end = await stand.sign_out(browser)
    assert (end.path, end.header("Clear-Site-Data")) == ("/logged-out", "")


async def test_a_tab_that_is_quicker_than_the_sign_out_s_answer_waits(stand: Stand) -> None:
    """The event is there before the answer with the chain's cookie; the page looks again, and says the truth then."""
    browser = await signed_in(stand)
    before = dict(browser.cookies)
    answer = await browser.navigate(f"{stand.app}/logout", method="POST", body="", site="same-origin")
    after, browser.cookies = browser.cookies, before
    page = await left(stand, browser)
    assert '<meta http-equiv="refresh" content="2;url=/logged-out?waiting">' in page.text
    browser.cookies = after
    await browser.follow(answer, site="same-origin")
    assert message("headline.done") in (await left(stand, browser)).text
    browser.cookies = before
    with later(121):
        assert TITLE in (await left(stand, browser)).text
