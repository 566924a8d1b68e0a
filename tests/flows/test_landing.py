"""Where a sign-in lands: only where its own attempt was to lead, once, and never as somebody's wish who has none.

To a browser a page of ours that leads on is a page of this origin: the request after it says `same-origin`, whoever has
begun it all. So no link of another site may choose where our pages lead (rule R13).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from urllib.parse import quote, unquote, urlsplit

import pytest
import pytest_asyncio

from gateway.core.session.attempt import LANDS_WITHIN
from gateway.web.pages.catalogue import message
from tests.corpus.read import lines
from tests.fakes.browser import Browser, Seen
from tests.flows.conftest import Stand, later

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("the_clock_stands")]
ALICE = {"username": "alice@example.com", "password": "demo"}
EVIL = "https://evil.example/"


@pytest_asyncio.fixture(loop_scope="module")
async def browser(shared: Stand) -> AsyncIterator[Browser]:
    made = Browser.open()
    yield made
    await made.close()


async def at_the_landing(stand: Stand, browser: Browser, path: str = "/api/me", *, source: str = "") -> Seen:
    """Sign in up to the redirect to the landing, which is not asked for yet."""
    form = await browser.goto(stand.app + path, source=source)
    return await browser.submit(form, until=f"{stand.app}/oauth2/landing", **ALICE)


async def lives(stand: Stand, browser: Browser) -> bool:
    return (await browser.fetch(f"{stand.app}/oauth2/session")).status == 200


def landing_id(answer: Seen) -> str:
    return answer.location.partition("attempt=")[2]


async def test_r13_a_landing_of_another_site_s_making_signs_nobody_out(
    shared: Stand, browser: Browser
) -> None:
    """With an attempt that never was, that is spent, or that is somebody else's; `rd` is not taken there at all."""
    answer = await at_the_landing(shared, browser)
    await browser.follow(answer, site="cross-site")
    other = shared.browser()
    elsewhere = landing_id(await at_the_landing(shared, other))
    for attempt in ("abcd1234", landing_id(answer), elsewhere, "", "%2e%2e", "a" * 4_000):
        for rd in ("/logout", "/%6Cogout", "/api/me", "/oauth2/sign_out"):
            url = f"{shared.app}/oauth2/landing?attempt={attempt}&rd={rd}"
            end = await browser.navigate(url, site="cross-site")
            assert (end.status, urlsplit(end.location).path, end.continue_url()) == (302, "/", ""), (
                attempt,
                rd,
            )
    assert await lives(shared, browser)


async def test_a_landing_leads_where_its_attempt_was_to_lead_and_nowhere_else(
    shared: Stand, browser: Browser
) -> None:
    """Whatever stands in the address; a second time it leads nowhere."""
    answer = await at_the_landing(shared, browser, "/api/reports?x=1")
    page = await browser.navigate(f"{answer.location}&rd=/logout", site="cross-site")
    assert page.continue_url() == f"{shared.app}/api/reports?x=1"
    again = await browser.navigate(answer.location, site="cross-site")
    assert (again.status, again.location) == (302, f"{shared.app}/")


async def test_an_attempt_lands_within_a_minute_or_not_at_all(shared: Stand, browser: Browser) -> None:
    """Its cookie goes then; one that was kept longer is none."""
    answer = await at_the_landing(shared, browser)
    with later(LANDS_WITHIN + 1):
        late = await browser.navigate(answer.location, site="cross-site")
    assert (late.status, late.location) == (302, f"{shared.app}/")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    ],
)
async def test_what_is_no_tab_lands_nowhere_and_spends_nothing(
    shared: Stand, browser: Browser, headers: dict[str, str]
) -> None:
    """A prefetch, a frame or an image; the tab itself lands after it."""
    answer = await at_the_landing(shared, browser)
    assert (await browser.send("GET", answer.location, headers, None)).status == 403
    page = await browser.navigate(answer.location, site="cross-site")
    assert page.continue_url() == f"{shared.app}/api/me"


async def test_a_sign_in_that_another_site_began_goes_on_as_that_site(
    shared: Stand, browser: Browser
) -> None:
    """By a page without an origin, so that the application is told the truth about who asks; a person's own is not."""
    answer = await at_the_landing(shared, browser, "/api/reports?x=%2F", source=EVIL)
    page = await browser.navigate(answer.location, site="cross-site")
    assert page.continue_url() == f"{shared.app}/oauth2/onward?rd=/api/reports%3Fx%3D%252F"
    onward = await browser.navigate(page.continue_url(), site="same-origin")
    assert onward.continue_url() == f"{shared.app}/api/reports?x=%2F"
    assert "; sandbox allow-scripts" in onward.header("Content-Security-Policy")
    assert "allow-same-origin" not in onward.header("Content-Security-Policy")


async def test_onward_leads_to_the_application_alone(shared: Stand, browser: Browser) -> None:
    """Every spelling of another place, and of our own endpoints, is refused there as at the start."""
    for text in lines("open_redirects.txt")[::3]:
        rd = quote(text.encode("utf-8", "surrogatepass"), safe="")
        page = await browser.navigate(f"{shared.app}/oauth2/onward?rd={rd}", site="cross-site")
        where = urlsplit(page.continue_url())
        here = f"{where.scheme}://{where.netloc}" == shared.app
        assert page.status == 400 or (here and "/logout" not in unquote(where.path)), text


async def test_r13_no_start_leads_to_an_endpoint_of_ours(shared: Stand, browser: Browser) -> None:
    """Signed in or not, by path or by address; what is wrong with the link is said."""
    for signed_in in (False, True):
        if signed_in:
            await shared.sign_in(browser, "/api/me")
        for rd in (
            "/logout",
            "/%256Cogout",
            "/oauth2/sign_out",
            f"{shared.app}/logout/continue",
            "/logged-out",
        ):
            page = await browser.navigate(f"{shared.app}/oauth2/start?rd={quote(rd, safe='')}")
            assert (page.status, "not one of the gateway" in page.text) == (400, True), rd
    assert await lives(shared, browser)


async def test_the_list_of_one_s_sessions_is_a_way_back(shared: Stand, browser: Browser) -> None:
    """It only shows; whoever asks for it signed out finds it after the sign-in."""
    form = await browser.goto(f"{shared.app}/oauth2/sessions")
    page = await browser.submit(form, **ALICE)
    assert (page.status, page.path, message("sessions.this_browser") in page.text) == (
        200,
        "/oauth2/sessions",
        True,
    )


async def test_forward_auth_sends_nobody_from_sign_in_to_sign_out(shared: Stand, browser: Browser) -> None:
    """What a gated request asked for is where it comes back to, and the gate has none of our endpoints."""
    answer = await browser.fetch(f"{shared.app}/oauth2/session")
    assert json.loads(answer.text)["login_url"] == f"{shared.app}/oauth2/start"
    for path in ("/%6Cogout", "/oauth2/nothing", "/logout/nothing"):
        refused = await browser.navigate(f"{shared.app}{path}", site="cross-site")
        assert (refused.status, refused.location) == (404, ""), path
