"""The way back after a sign-in, however many tabs wait at the provider, however long, and whoever looked before (P22).

The deep link travels in `state`, sealed. A code is used by the attempt of this browser alone; where that is gone, the
tab still goes to its own address, or by itself, once, to a sign-in that leads there.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import pytest_asyncio

from gateway.core.session.attempt import LIFETIME, LOOP_WINDOW, MAX_ATTEMPTS
from gateway.web.pages.catalogue import message
from tests.fakes.browser import Browser, Seen
from tests.flows.conftest import Stand, later, switched
from tests.flows.revoked import called, of_tokens

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("the_clock_stands")]
ALICE = {"username": "alice@example.com", "password": "demo"}
OLD = {"Accept": "text/html"}
"""What a client sends that says nothing of its navigation, and runs no script of ours."""
FORM = {
    "Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "same-origin",
}  # fmt: skip
TABS = 8


@pytest_asyncio.fixture(loop_scope="module")
async def browser(shared: Stand) -> AsyncIterator[Browser]:
    made = Browser.open()
    yield made
    await made.close()


async def user(stand: Stand, browser: Browser) -> str | None:
    found: str | None = json.loads((await browser.fetch(f"{stand.app}/oauth2/session")).text).get("user")
    return found


async def waiting(stand: Stand, browser: Browser, path: str) -> Seen:
    """A tab that was opened at ``path`` and is on its way to the provider, which is not asked yet."""
    return await browser.goto(stand.app + path, until=stand.cognito)


async def finish(browser: Browser, tab: Seen, *, until: str = "\0") -> Seen:
    """Go on in that tab, and sign in where the provider asks."""
    page = await browser.follow(tab, site="cross-site", until=until)
    return await browser.submit(page, until=until, **ALICE) if page.asks_for_password else page


async def at_the_callback(stand: Stand, browser: Browser, path: str) -> str:
    """Sign in up to the address that the provider sends the browser back to."""
    end = await finish(browser, await waiting(stand, browser, path), until=f"{stand.app}/oauth2/callback")
    return end.location


async def test_eight_restored_tabs_end_at_their_own_addresses(shared: Stand, browser: Browser) -> None:
    """More than there are cookies for, one after the other, the first of them finished first."""
    assert TABS > MAX_ATTEMPTS
    tabs = [await waiting(shared, browser, f"/api/reports?tab={n}&q=%20") for n in range(TABS)]
    logins = shared.told().count("login")
    for n, tab in enumerate(tabs):
        end = await finish(browser, tab)
        assert (end.status, end.path) == (200, f"/api/reports?tab={n}&q=%20")
    assert shared.told().count("login") == logins + 1


@pytest.mark.parametrize("seconds", [360, LIFETIME - 60, LIFETIME, 20 * LIFETIME])
async def test_a_tab_that_was_left_at_the_provider_ends_at_its_own_address(
    shared: Stand, browser: Browser, seconds: int
) -> None:
    """For six minutes, an hour, or over night: from an hour on the sign-in begins anew, and the code stays unused."""
    callback, tokens = await at_the_callback(shared, browser, "/api/reports?x=1"), len(of_tokens(shared))
    with later(seconds):
        answer = await browser.navigate(callback, site="cross-site")
    anew = urlsplit(answer.location).path == "/oauth2/start"
    assert (anew, len(of_tokens(shared)) == tokens) == (seconds >= LIFETIME, seconds >= LIFETIME)
    end = await finish(browser, answer)
    assert (end.status, end.path) == (200, "/api/reports?x=1")
    assert len(of_tokens(shared)) == tokens + 1


async def test_a_late_callback_finds_a_session_and_spends_nothing(shared: Stand, browser: Browser) -> None:
    """Somebody has signed in in another tab meanwhile, and this attempt is over: the tab goes to its own address."""
    callback = await at_the_callback(shared, browser, "/api/reports?mine")
    assert (await finish(browser, await waiting(shared, browser, "/api/me"))).path == "/api/me"
    browser.cookies = {key: value for key, value in browser.cookies.items() if "__Host-login_" not in key[1]}
    logins, redeemed = shared.told().count("login"), called(shared).count("/oauth2/token")
    answer = await browser.navigate(callback, site="cross-site")
    assert answer.continue_url() == f"{shared.app}/oauth2/onward?rd=/api/reports%3Fmine"
    assert (await browser.follow(answer, site="cross-site")).path == "/api/reports?mine"
    old = await browser.send("GET", callback, OLD, None)
    assert (old.status, old.location) == (302, f"{shared.app}/api/reports?mine")
    assert shared.told().count("login") == logins
    assert called(shared).count("/oauth2/token") == redeemed


@pytest.mark.parametrize(
    "path", [r"/api/reports?q=\d+", "/api/reports?q=a|b{c}^`\"<>'", "/api/reports?u=//evil.example"]
)
@pytest.mark.parametrize("script", [True, False])
async def test_what_the_door_lets_in_a_sign_in_leads_back_to(
    shared: Stand, browser: Browser, path: str, script: bool
) -> None:
    """There is one rule for local paths: no character of a query is lost on the way."""
    if script:
        end = await finish(browser, await waiting(shared, browser, path))
    else:
        answer = await browser.send("GET", shared.app + path, OLD, None)
        answer = await browser.send("GET", answer.location, OLD, None)
        end = await finish(browser, answer)
    assert (end.status, end.path) == (200, path)


async def test_login_csrf_a_state_of_another_browser_signs_nobody_in(shared: Stand, browser: Browser) -> None:
    """With a session or without one: its code stays unused, and where it leads it leads as another site's link does."""
    attacker = shared.browser()
    callback = await at_the_callback(shared, attacker, "/api/reports?attacker")
    first = await browser.navigate(callback, site="cross-site")
    assert urlsplit(first.location).path == "/oauth2/start"
    assert await user(shared, browser) is None
    end = await finish(browser, first)
    assert (end.path, await user(shared, browser)) == ("/api/reports?attacker", ALICE["username"])
    assert any("/oauth2/onward" in seen.url for seen in browser.seen)
    again = await browser.navigate(callback, site="cross-site")
    assert "/oauth2/onward?" in again.continue_url()
    # the code was never used: its own browser can still use it
    assert (await browser.goto(callback, source=shared.cognito)).path == "/api/reports?attacker"
    assert (await attacker.goto(callback, source=shared.cognito)).path == "/api/reports?attacker"


async def test_no_state_leads_anywhere_that_we_have_not_sealed(shared: Stand, browser: Browser) -> None:
    """A box of another attempt, or of nobody's making, is none: then the first page is the way back."""
    callback = await at_the_callback(shared, shared.browser(), "/api/reports?one")
    state = parse_qs(urlsplit(callback).query)["state"][0]
    proof, _, box = state.rpartition(".")
    for other in (f"0123abcd.{'a' * 22}.{box}", f"{proof}.{'A' * 80}", f"{proof}.{box[:-4]}AAAA"):
        answer = await browser.navigate(callback.replace(state, other), site="cross-site")
        assert "rd=/&" in answer.location, other


async def test_a_sign_in_that_was_refused_can_be_tried_again_from_where_it_began(
    shared: Stand, browser: Browser
) -> None:
    """Long after the attempt has gone too; the tab's own fragment is kept for the next one."""
    with switched(shared, authorize_error="server_error"):
        tab = await waiting(shared, browser, "/api/reports?x=1")
        with later(LIFETIME + 60):
            page = await finish(browser, tab)
    assert (page.status, "sign_in_refused" in page.text) == (400, True)
    name = parse_qs(urlsplit(tab.continue_url()).query)["state"][0][:8]
    assert f"/oauth2/start?rd=/api/reports%3Fx%3D1&amp;earlier={name}" in page.text
    start = await browser.navigate(f"{shared.app}/oauth2/start?rd=/api/reports%3Fx%3D1&earlier={name}")
    assert f'data-earlier="{name}"' in start.text
    odd = await browser.navigate(f"{shared.app}/oauth2/start?rd=/&earlier={quote('x&quot')}")
    assert "data-earlier" not in odd.text


async def test_who_tries_again_with_a_session_meanwhile_lands(shared: Stand, browser: Browser) -> None:
    """By a page that restores what this tab keeps."""
    await shared.sign_in(browser, "/api/me")
    page = await browser.navigate(
        f"{shared.app}/oauth2/start?rd=/api/reports&earlier=0123abcd", site="same-origin"
    )
    assert (page.status, page.continue_url()) == (200, f"{shared.app}/api/reports")
    assert 'data-attempt="0123abcd"' in page.text
    led = await browser.navigate(
        f"{shared.app}/oauth2/start?rd=/api/reports&earlier=0123abcd", site="cross-site"
    )
    assert led.continue_url() == f"{shared.app}/oauth2/onward?rd=/api/reports"


@pytest.mark.parametrize(
    "query", ["code=x", "code=x&state=", "code=x&state=junk", "code=x&state=0123abcd.short"]
)
async def test_a_code_that_nobody_asked_for_leads_to_a_sign_in_of_our_own_once(
    shared: Stand, browser: Browser, query: str
) -> None:
    """As from a provider's dashboard: it is not used, and a second one within a minute is told, with a way on."""
    callback, logins = f"{shared.app}/oauth2/callback?{query}", shared.told().count("login")
    first = await browser.navigate(callback, site="cross-site")
    assert (first.status, urlsplit(first.location).path) == (302, "/oauth2/start")
    second = await browser.navigate(callback, site="cross-site")
    assert (second.status, "state_unknown" in second.text, second.set_cookies()) == (400, True, [])
    assert 'href="/oauth2/start"' in second.text
    with later(LOOP_WINDOW + 1):
        assert (await browser.navigate(callback, site="cross-site")).status == 302
    assert (await finish(browser, first)).path == "/api/me" or await user(shared, browser) == ALICE[
        "username"
    ]
    assert shared.told().count("login") == logins + 1
    third = await browser.navigate(callback, site="cross-site")
    assert (third.status, third.location) == (302, f"{shared.app}/")


async def test_a_provider_that_forgets_the_state_sends_nobody_in_circles(
    shared: Stand, browser: Browser
) -> None:
    """Neither with cookies, nor without: who keeps none is told so."""
    first = await browser.navigate(f"{shared.app}/oauth2/callback?code=x", site="cross-site")
    await browser.follow(first, site="cross-site", until=shared.cognito)
    back = await browser.navigate(f"{shared.app}/oauth2/callback?code=y", site="cross-site")
    assert (back.status, "state_unknown" in back.text) == (400, True)
    blocking = shared.browser()
    answer = await blocking.navigate(f"{shared.app}/oauth2/callback?code=x", site="cross-site")
    blocking.cookies.clear()
    page = await blocking.navigate(answer.location, site="cross-site")
    assert (page.status, "cookies_blocked" in page.text) == (400, True)
    failed = [event.reason for event in shared.audit if event.kind.value == "login_failed"]
    assert failed[-1] == "cookies_blocked"


async def signed_out(stand: Stand, browser: Browser, referer: str) -> Seen:
    """The receipt after the application's sign-out, pressed on the page ``referer``."""
    headers = {**FORM, "Referer": referer} if referer else FORM
    answer = await browser.send("POST", f"{stand.app}/logout", headers, "")
    return await browser.follow(answer, site="same-origin")


async def test_sign_in_again_after_a_sign_out_leads_back_to_the_page_it_was_pressed_on(
    shared: Stand, browser: Browser
) -> None:
    """The browser says which that was, and nobody else can say another."""
    await shared.sign_in(browser, "/api/me")
    receipt = await signed_out(shared, browser, f"{shared.app}/api/reports?x=%2F&y=1")
    assert message("page.sign_in_again") in receipt.text
    assert 'href="/oauth2/start?after="' in receipt.text
    form = await browser.goto(f"{shared.app}/oauth2/start?after=", source=receipt.url)
    end = await browser.submit(form, **ALICE)
    assert (end.status, end.path) == (200, "/api/reports?x=%2F&y=1")


@pytest.mark.parametrize(
    "path", ["", "https://evil.example/x", "/logout", "/oauth2/start", "//evil.example/", "/" + "x" * 9_000]
)
async def test_sign_in_again_leads_nowhere_but_to_the_application(
    shared: Stand, browser: Browser, path: str
) -> None:
    """Another site's page, one of ours, or none at all: then the first page."""
    await shared.sign_in(browser, "/api/me")
    receipt = await signed_out(
        shared, browser, path if path.startswith("https") or not path else shared.app + path
    )
    assert 'href="/oauth2/start"' in receipt.text


async def test_sign_in_again_leads_back_from_the_page_of_an_ended_session(
    shared: Stand, browser: Browser
) -> None:
    """Where the tab script has led there: idle, and signed out in another tab, each tab from where it was."""
    await shared.sign_in(browser, "/api/me")
    headers = {**FORM, "Referer": f"{shared.app}/api/reports?mine"}
    with later(1_801):
        page = await browser.send("GET", f"{shared.app}/logged-out?waiting", headers, None)
    assert message("session_over.idle_expired") in page.text
    assert 'href="/oauth2/start?rd=/api/reports%3Fmine"' in page.text
    await signed_out(shared, browser, f"{shared.app}/api/me")
    page = await browser.send("GET", f"{shared.app}/logged-out?waiting", headers, None)
    assert 'href="/oauth2/start?rd=/api/reports%3Fmine"' in page.text
    end = await finish(browser, await browser.navigate(f"{shared.app}/oauth2/start?rd=/api/reports%3Fmine"))
    assert (end.status, end.path) == (200, "/api/reports?mine")
