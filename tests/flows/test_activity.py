"""``session.activity: input``: what a person does keeps the session alive, and what the page does alone does not (R16)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes.browser import Browser
from tests.flows.conftest import Stand, later
from tests.flows.stores import BOTH

pytestmark = pytest.mark.usefixtures("the_clock_stands")
STORES = BOTH

BY_INPUT = {"key_files: [session-key]": "key_files: [session-key]\n  activity: input\n  idle: 10m"}
by_input = pytest.mark.parametrize("stand", [{"replaced": BY_INPUT}], indirect=True)
REPORT = "/oauth2/activity"


@pytest_asyncio.fixture
async def alice(stand: Stand) -> AsyncIterator[Browser]:
    """Signed in."""
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    yield browser


async def idle_in(stand: Stand, browser: Browser) -> int:
    """Seconds until the session is over without activity."""
    left: int = json.loads((await browser.fetch(f"{stand.app}/oauth2/session")).text)["idle_in"]
    return left


@by_input
async def test_r16_polling_does_not_count(stand: Stand, alice: Browser) -> None:
    """Reads by the page move nothing, and at the idle deadline the session is over."""
    with later(300):
        assert (await alice.fetch(f"{stand.app}/api/me")).set_cookies() == []
        assert await idle_in(stand, alice) <= 300
    with later(601):
        assert (await alice.fetch(f"{stand.app}/api/me")).status == 401


@by_input
async def test_r16_what_a_person_does_counts(stand: Stand, alice: Browser) -> None:
    """A navigation, an unsafe request, and input as the tab script reports it."""
    with later(300):
        await alice.navigate(f"{stand.app}/reports/3")
        assert await idle_in(stand, alice) > 590
    with later(800):
        await alice.fetch(f"{stand.app}/api/notes", method="POST", body='{"text": "x"}')
        assert await idle_in(stand, alice) > 590
    with later(1_300):
        answer = await alice.fetch(stand.app + REPORT, method="POST")
        assert (answer.status, answer.text, answer.header("Cache-Control")) == (204, "", "no-store")
        assert await idle_in(stand, alice) > 590
        again = await alice.fetch(stand.app + REPORT, method="POST")
        assert (again.status, again.set_cookies()) == (204, [])


@by_input
async def test_nobody_reports_without_a_session(stand: Stand) -> None:
    """The tab hears that it is over."""
    answer = await stand.browser().fetch(stand.app + REPORT, method="POST")
    assert (answer.status, json.loads(answer.text)["code"]) == (401, "login_required")


@by_input
async def test_r08_another_site_reports_nothing(stand: Stand, alice: Browser) -> None:
    """A session is not kept alive from elsewhere."""
    with later(300):
        sibling = {"Sec_Fetch_Site": "same-site", "Origin": "http://other.localhost"}
        answer = await alice.fetch(stand.app + REPORT, method="POST", **sibling)
    assert (answer.status, answer.set_cookies()) == (403, [])
    assert json.loads(answer.text)["code"] == "cross_origin"


async def test_where_requests_count_there_is_nothing_to_report(stand: Stand, alice: Browser) -> None:
    """The address is reserved, and has nothing."""
    answer = await alice.fetch(stand.app + REPORT, method="POST")
    assert (answer.status, json.loads(answer.text)["code"]) == (404, "not_found")
