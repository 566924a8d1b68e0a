"""Programs that look at a link before a person opens it: they begin nothing and spend nothing (HEAD, Office, chats)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.fakes.browser import Browser, Seen
from tests.flows.conftest import Stand
from tests.flows.revoked import called
from tests.flows.test_logout import replayed

pytestmark = pytest.mark.asyncio(loop_scope="module")
ALICE = {"username": "alice@example.com", "password": "demo"}
OFFICE = "Mozilla/4.0 (compatible; ms-office; MSOffice 16)"
SLACK = "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"
SCANNER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0 Safari/537.36"
LINK = "/api/reports?x=1"


@pytest_asyncio.fixture(loop_scope="module")
async def browser(shared: Stand) -> AsyncIterator[Browser]:
    made = Browser.open()
    yield made
    await made.close()


async def looked(stand: Stand, agent: str, method: str, accept: str, link: str = LINK) -> Seen:
    """The answer at which a program ends that follows redirects, with cookies of its own; or before the provider."""
    program, url = stand.browser(), stand.app + link
    while True:
        answer = await program.send(method, url, {"User-Agent": agent, "Accept": accept}, None)
        if not answer.location or answer.location.startswith(stand.cognito):
            return answer
        url = answer.location


def begun_at(stand: Stand) -> int:
    """How often the provider was asked to sign somebody in."""
    return called(stand).count("/oauth2/authorize")


async def opened(stand: Stand, browser: Browser, url: str) -> Seen:
    """A person opens ``url`` and signs in."""
    page = await browser.goto(url)
    return await browser.submit(page, **ALICE) if page.asks_for_password else page


@pytest.mark.parametrize("accept", ["*/*", "text/html, */*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("agent", [OFFICE, SLACK])
async def test_who_only_looks_gets_a_page_at_the_link_s_own_address(
    shared: Stand, browser: Browser, agent: str, method: str, accept: str
) -> None:
    """Office gives the browser the address where its redirects end: so there are none."""
    begun = begun_at(shared)
    answer = await looked(shared, agent, method, accept)
    assert (answer.status, answer.path, answer.set_cookies()) == (200, LINK, [])
    assert method == "HEAD" or f'content="0;url={LINK}"' in answer.text
    assert begun_at(shared) == begun
    assert (await opened(shared, browser, answer.url)).path == LINK


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_office_behind_nginx_is_stopped_at_the_start(
    shared: Stand, browser: Browser, method: str
) -> None:
    """Where the proxy in front redirects to the sign-in, that is the address a browser gets, and it leads back."""
    answer = await looked(shared, OFFICE, method, "*/*", "/oauth2/start?rd=/api/reports%3Fx%3D1")
    assert (answer.status, urlsplit(answer.url).path, answer.set_cookies()) == (200, "/oauth2/start", [])
    assert (await opened(shared, browser, answer.url)).path == LINK


async def test_what_a_scanner_has_followed_to_the_provider_still_leads_to_the_link(
    shared: Stand, browser: Browser
) -> None:
    """A program that passes for a browser, and hands the provider's address on: the person signs in, and lands there."""
    answer = await looked(shared, SCANNER, "GET", "text/html")
    assert answer.location.startswith(shared.cognito)
    end = await opened(shared, browser, answer.location)
    assert (end.status, end.path) == (200, LINK)


async def test_head_of_a_gated_page_says_what_get_says(shared: Stand, browser: Browser) -> None:
    """Where sign-in begins, for people; 401 for programs; and nothing has begun."""
    begun = begun_at(shared)
    head = await browser.navigate(shared.app + LINK, method="HEAD")
    assert (head.status, head.location) == (302, f"{shared.app}/oauth2/start?rd=/api/reports%3Fx%3D1")
    start = await browser.navigate(head.location, method="HEAD")
    assert (start.status, start.set_cookies(), start.text) == (200, [], "")
    assert (await browser.fetch(shared.app + LINK, method="HEAD")).status == 401
    assert begun_at(shared) == begun


async def test_head_works_wherever_get_does_and_spends_nothing(shared: Stand, browser: Browser) -> None:
    """The code, the landing and the session are all still good after it."""
    form = await browser.goto(shared.app + LINK)
    page = await browser.submit(form, until=f"{shared.app}/oauth2/callback", **ALICE)
    assert (await browser.navigate(page.location, method="HEAD", site="cross-site")).status == 200
    landing = await browser.navigate(page.location, site="cross-site")
    assert landing.status == 302
    assert (await browser.navigate(landing.location, method="HEAD", site="cross-site")).status == 200
    assert (await browser.follow(landing, site="cross-site")).path == LINK
    copied = browser.cookie_header(shared.app)
    for path in (
        "/logout", "/logout/continue", "/logout/hop", "/logout/done/cognito", "/logged-out", "/oauth2/sign_out",
        "/oauth2/sessions", "/oauth2/session", "/oauth2/userinfo", "/oauth2/events", "/oauth2/tab.js", "/oauth2/start?rd=/",
        "/oauth2/onward?rd=/",
    ):  # fmt: skip
        answer = await browser.navigate(shared.app + path, method="HEAD", site="same-origin")
        assert (answer.status in {200, 307}, answer.set_cookies(), answer.text) == (True, [], ""), path
    assert await replayed(shared, copied) == 200
    assert "logout_started" not in shared.told()


async def test_head_of_a_session_that_was_ended_begins_no_chain(shared: Stand, browser: Browser) -> None:
    """A person's own navigation does."""
    await shared.sign_in(browser, "/api/me")
    copied = dict(browser.cookies)
    await shared.sign_out(browser)
    browser.cookies = copied
    head = await browser.navigate(shared.app + LINK, method="HEAD")
    assert (urlsplit(head.location).path, head.set_cookies()) == ("/oauth2/start", [])
