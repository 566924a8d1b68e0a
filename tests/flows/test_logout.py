"""Signing out over real sockets: who may start it, what it ends, what the receipt may claim (R1-R3, R13, R28, R35)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import quote, urlsplit

import pytest
import pytest_asyncio

from gateway.web.pages.catalogue import message
from tests.corpus.read import lines
from tests.fakes.browser import Browser, Seen
from tests.flows.conftest import Stand, held, later, switched
from tests.flows.stores import BOTH

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("the_clock_stands")]
STORES = BOTH
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}
FETCH = {
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Site": "same-origin",
    "Accept": "*/*",
}


@pytest_asyncio.fixture(loop_scope="module")
async def browser(shared: Stand) -> AsyncIterator[Browser]:
    """Somebody signed in."""
    made = Browser.open()
    await shared.sign_in(made, "/api/me")
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="module")
async def nobody(shared: Stand) -> AsyncIterator[Browser]:
    made = Browser.open()
    yield made
    await made.close()


async def replayed(shared: Stand, cookies: str) -> int:
    """What somebody else gets with a copy of these cookies."""
    thief = shared.browser()
    answer = await thief.send("GET", f"{shared.app}/api/me", {**FETCH, "Cookie": cookies}, None)
    return answer.status


async def receipt(shared: Stand, browser: Browser) -> dict[str, object]:
    answer = await browser.fetch(f"{shared.app}/logged-out", Accept="application/json")
    found: dict[str, object] = json.loads(answer.text)
    return found


def statuses(found: dict[str, object]) -> dict[str, str]:
    hops = found["hops"]
    assert isinstance(hops, list)
    return {hop["hop"]: hop["status"] for hop in hops}


async def alive(shared: Stand, browser: Browser) -> bool:
    return (await browser.fetch(f"{shared.app}/api/me")).status == 200


async def post(shared: Stand, browser: Browser) -> Seen:
    """The form to /logout, its redirect not followed."""
    return await browser.navigate(f"{shared.app}/logout", method="POST", body="", site="same-origin")


STARTS = [
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "same-origin"}, 302),
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "none"}, 302),
    ("POST", {**NAVIGATION, "Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303),
    ("POST", {**FETCH, "Accept": "application/json"}, 200),
    ("POST", {}, 303),
]
HARMLESS = [
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "same-site"}, 200),
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "cross-site"}, 200),
    ("GET", {"Accept": "text/html"}, 200),
    ("GET", {}, 200),
    ("GET", FETCH, 405),
    ("GET", {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image", "Sec-Fetch-Site": "same-origin"}, 405),
    ("GET", {**NAVIGATION, "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "same-origin"}, 405),
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "same-origin", "Sec-Purpose": "prefetch"}, 405),
    ("DELETE", FETCH, 405),
    ("POST", {**NAVIGATION, "Sec-Fetch-Site": "same-site"}, 403),
    ("POST", {**NAVIGATION, "Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}, 403),
    ("POST", {"Origin": "http://evil.example"}, 403),
]


@pytest.mark.parametrize(("method", "headers", "status"), STARTS)
async def test_r13_what_starts_a_logout(
    shared: Stand, browser: Browser, method: str, headers: dict[str, str], status: int
) -> None:
    """It answers as the table says, and the session is dead at once, copies of it too."""
    copied = browser.cookie_header(shared.app)
    answer = await browser.send(method, f"{shared.app}/logout", headers, None)
    assert answer.status == status
    where = answer.location or json.loads(answer.text)["location"]
    assert where.startswith(f"{shared.cognito}/logout?client_id=")
    assert browser.cookie_names(shared.app) == {"__Host-logout"}
    assert await replayed(shared, copied) == 401


async def test_r13_p25_what_starts_none(shared: Stand, browser: Browser) -> None:
    """No image, prefetch, frame, fetch or other site signs anybody out; a person from elsewhere is asked first."""
    for method, headers, status in HARMLESS:
        answer = await browser.send(method, f"{shared.app}/logout", headers, None)
        assert answer.status == status, (method, headers)
        assert answer.set_cookies() == []
        assert status != 200 or 'method="post"' in answer.text
    assert await alive(shared, browser)


async def test_the_confirm_page_signs_out_with_one_click(shared: Stand, browser: Browser) -> None:
    """The form on it is a POST of our own origin."""
    page = await browser.goto(f"{shared.app}/logout", source="http://elsewhere.example/")
    assert page.status == 200
    end = await browser.submit(page)
    assert end.path == "/logged-out"
    assert statuses(await receipt(shared, browser)) == {"cognito": "returned", "okta_signout": "returned"}


async def test_sign_out_by_its_other_name_keeps_the_method(shared: Stand, browser: Browser) -> None:
    """307, so that a POST stays one, and with the cookies of the logout path (rule R18)."""
    answer = await browser.send(
        "POST", f"{shared.app}/oauth2/sign_out?to=x", {"Sec-Fetch-Site": "same-origin"}, None
    )
    assert (answer.status, answer.header("Location")) == (307, "/logout?to=x")
    assert await alive(shared, browser)


async def test_cve_2019_14857_only_named_targets(shared: Stand, browser: Browser) -> None:
    """The corpus against ``to`` and every other parameter name that peers had: no URL of a request is ever used."""
    for text in lines("open_redirects.txt")[::25]:
        for name in ("to", "rd", "redirect_uri", "post_logout_redirect_uri", "returnTo"):
            value = quote(text.encode("utf-8", "surrogatepass"), safe="")
            answer = await browser.send("POST", f"{shared.app}/logout?{name}={value}", {}, None)
            assert answer.status == 400 or answer.location.startswith(
                f"{shared.cognito}/logout?client_id=demo-client&"
            )
            assert "evil.example" not in answer.location


async def test_cve_2026_34454_every_way_out_clears_the_same_cookies(shared: Stand, browser: Browser) -> None:
    """Each deletion repeats the attributes; session, every piece of it, and all attempts go in the first answer."""
    tab = await browser.goto(f"{shared.app}/logged-out")
    assert tab.status == 200
    other = shared.browser()
    other.cookies = dict(browser.cookies)
    await other.navigate(f"{shared.app}/oauth2/start?rd=/")
    answer = await post(shared, browser)
    cleared = {line.partition("=")[0] for line in answer.set_cookies() if "Max-Age=0" in line}
    assert {"__Host-session", "__Host-session_1", "__Host-session_2"} <= cleared
    for line in answer.set_cookies():
        assert line.partition("; ")[2].startswith("Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=")


async def test_r02_attempts_go_with_the_session(shared: Stand, nobody: Browser) -> None:
    """Sign-ins that other tabs have begun are expired in the very answer that starts the logout."""
    await nobody.goto(f"{shared.app}/api/me", until=shared.cognito)
    await nobody.goto(f"{shared.app}/api/reports", until=shared.cognito)
    assert len(nobody.cookie_names(shared.app)) == 2
    await post(shared, nobody)
    assert nobody.cookie_names(shared.app) == {"__Host-logout"}


async def test_r02_a_callback_from_before_the_logout_signs_nobody_in(shared: Stand, browser: Browser) -> None:
    """Even with its attempt's cookie restored, during the logout and after it."""
    browser.cookies.pop((urlsplit(shared.app).netloc, "__Host-session"))
    page = await browser.goto(f"{shared.app}/api/me", until=f"{shared.app}/oauth2/callback")
    kept = dict(browser.cookies)
    answer = await post(shared, browser)
    for _ in range(2):
        browser.cookies = {**kept, **browser.cookies}
        late = await browser.navigate(page.location, site="cross-site")
        assert urlsplit(late.location).path == "/oauth2/start"
        assert "__Host-session" not in browser.cookie_names(shared.app)
        await browser.follow(answer, site="same-origin")
    assert not await alive(shared, browser)


async def test_r02_a_callback_under_way_when_the_logout_begins_signs_nobody_in(
    shared: Stand, browser: Browser
) -> None:
    """Its answer comes last and sets a session; the browser's logout supersedes it, and the next step ends it."""
    host = urlsplit(shared.app).netloc
    browser.cookies.pop((host, "__Host-session"))
    page = await browser.goto(f"{shared.app}/api/me", until=f"{shared.app}/oauth2/callback")
    other_tab = Browser(browser.session, browser.cookies, [page])
    with held(shared.gateway.provider, "redeem") as asked:
        late = asyncio.create_task(browser.navigate(page.location, site="cross-site"))
        await asked.wait()
        step = await post(shared, other_tab)
    answer = await late
    assert any(line.startswith("__Host-session=") for line in answer.set_cookies())
    assert {"__Host-session", "__Host-logout"} <= browser.cookie_names(shared.app)
    copied = "; ".join(
        f"{name}={value}" for (_, name), (value, _) in browser.cookies.items() if name == "__Host-session"
    )
    refused = await browser.fetch(f"{shared.app}/api/me")
    assert (refused.status, json.loads(refused.text)["code"]) == (401, "logout_in_progress")
    end = await other_tab.follow(step, site="same-origin")
    assert end.path == "/logged-out"
    assert "__Host-session" not in browser.cookie_names(shared.app)
    assert await replayed(shared, copied) == 401


async def test_a_logout_asked_for_twice_is_one(shared: Stand, browser: Browser) -> None:
    """Two tabs press the button: both walks end on a receipt that does not forget that there was a session."""
    first = await post(shared, browser)
    second = await post(shared, browser)
    end = await browser.follow(second, site="same-origin")
    assert end.path == "/logged-out"
    assert message("line.ended_outcome") in end.text
    assert message("line.nothing_outcome") not in end.text
    stray = await browser.follow(first, site="same-origin")
    assert stray.path == "/logged-out"
    assert statuses(await receipt(shared, browser)) == {"cognito": "returned", "okta_signout": "returned"}


async def test_r28_a_logout_without_a_session_says_so(shared: Stand, nobody: Browser) -> None:
    """The chain is walked all the same; the own line of the receipt claims nothing."""
    end = await nobody.follow(await post_as_guest(shared, nobody), site="same-origin")
    assert end.path == "/logged-out"
    assert message("line.nothing_outcome") in end.text
    assert message("line.ended_outcome") not in end.text


async def post_as_guest(shared: Stand, browser: Browser) -> Seen:
    await browser.navigate(f"{shared.app}/logged-out")
    return await post(shared, browser)


async def test_r28_only_the_tab_itself_confirms_a_hop(shared: Stand, browser: Browser) -> None:
    """An image, frame, fetch or prefetch of a return address counts for nothing, nor does another hop's return."""
    await post(shared, browser)
    done = f"{shared.app}/logout/done/cognito"
    for headers in (
        FETCH,
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {**NAVIGATION, "Sec-Fetch-Dest": "iframe"},
        {**NAVIGATION, "Sec-Purpose": "prefetch"},
    ):
        assert (await browser.send("GET", done, headers, None)).status == 403
    for _ in range(3):
        stray = await browser.navigate(f"{shared.app}/logout/done/okta_signout", site="cross-site")
        assert stray.status == 401
        assert 'id="continue"' in stray.text
    assert statuses(await receipt(shared, browser)) == {"cognito": "pending", "okta_signout": "pending"}


async def test_r28_another_site_cannot_push_a_chain(shared: Stand, browser: Browser) -> None:
    """A page that makes the browser "continue" gets the waiting page; the person's own click acts."""
    await post(shared, browser)
    for _ in range(4):
        answer = await browser.navigate(f"{shared.app}/logout/continue", site="cross-site")
        assert answer.status == 401
    assert statuses(await receipt(shared, browser)) == {"cognito": "pending", "okta_signout": "pending"}
    own = await browser.navigate(f"{shared.app}/logout/continue", site="same-origin")
    assert own.location.startswith(f"{shared.cognito}/logout")


async def test_r03_a_stranded_hop_is_retried_then_failed_and_nobody_is_locked_out(
    shared: Stand, browser: Browser
) -> None:
    """Cognito does not return: a navigation retries it after its deadline, gives it up after the second, goes on."""
    with switched(shared, logout_strands=True):
        stuck = await browser.follow(await post(shared, browser), site="same-origin")
        assert stuck.url.startswith(shared.cognito)
        waiting = await browser.goto(f"{shared.app}/api/me")
        assert waiting.status == 401
        assert message("signing_out.title") in waiting.text
        with later(31):
            retry = await browser.navigate(f"{shared.app}/api/me")
            assert retry.location.startswith(f"{shared.cognito}/logout")
            assert message("signing_out.title") in (await browser.navigate(f"{shared.app}/api/me")).text
        with later(62):
            end = await browser.goto(f"{shared.app}/api/me")
            assert end.path == "/logged-out"
            assert statuses(await receipt(shared, browser)) == {
                "cognito": "failed",
                "okta_signout": "returned",
            }
            assert "did not confirm" in end.text
            again = await browser.goto(f"{shared.app}/oauth2/start?rd=/api/me", until=shared.cognito)
            assert "prompt=login" in again.continue_url()
    kinds = shared.told()
    assert "hop_failed" in kinds


async def test_r03_continue_gives_a_hop_up(shared: Stand, browser: Browser) -> None:
    """Two clicks of the person, some seconds apart, lead past a broken hop; a double click does not."""
    with switched(shared, logout_strands=True):
        await post(shared, browser)
        go_on = f"{shared.app}/logout/continue"
        first = await browser.navigate(go_on, site="same-origin")
        double = await browser.navigate(go_on, site="same-origin")
        assert first.location == double.location
        with later(4):
            end = await browser.follow(await browser.navigate(go_on, site="same-origin"), site="same-origin")
            assert end.path == "/logged-out"
            assert statuses(await receipt(shared, browser)) == {
                "cognito": "failed",
                "okta_signout": "returned",
            }


async def test_r02_the_receipt_moves_nothing(shared: Stand, browser: Browser) -> None:
    """Looking at it neither advances nor clears an unfinished chain, whoever looks and however often."""
    await post(shared, browser)
    before = browser.cookie_header(shared.app)
    for path, status in (("/logged-out", 200), ("/logged-out?waiting", 401)):
        page = await browser.goto(shared.app + path)
        assert page.status == status
        assert page.set_cookies() == []
    assert browser.cookie_header(shared.app) == before
    page = await browser.goto(f"{shared.app}/logged-out")
    assert "not finished" in page.text
    assert urlsplit(page.continue_url()).path == "/logout/continue"


async def test_r35_a_waiting_tab_never_goes_to_the_provider_by_itself(
    shared: Stand, browser: Browser
) -> None:
    """It looks again at the public page only: while the chain is walked, after its deadline, and when it is over."""
    step = await post(shared, browser)
    waiting = await browser.goto(f"{shared.app}/reports/1")
    refresh = 'url=/logged-out?waiting"'
    assert refresh in waiting.text
    look = await browser.navigate(f"{shared.app}/logged-out?waiting", site="same-origin")
    assert refresh in look.text
    with later(40):
        look = await browser.navigate(f"{shared.app}/logged-out?waiting", site="same-origin")
        assert "http-equiv" not in look.text
        assert 'id="continue"' in look.text
    await browser.follow(step, site="same-origin")
    look = await browser.navigate(f"{shared.app}/logged-out?waiting", site="same-origin")
    assert message("headline.done") in look.text
    assert "http-equiv" not in look.text


async def test_r03_the_receipt_without_a_logout_claims_nothing(shared: Stand, nobody: Browser) -> None:
    """Anybody may look; there is nothing to tell."""
    page = await nobody.goto(f"{shared.app}/logged-out")
    assert (page.status, message("headline.none") in page.text) == (200, True)
    assert await receipt(shared, nobody) == {"hops": [], "durable": True, "finished": False}
    for path in ("/logout/done/cognito", "/logout/continue"):
        assert (await nobody.navigate(shared.app + path, site="same-origin")).location.endswith("/logged-out")


async def test_r01_the_next_sign_in_asks_for_credentials(shared: Stand, browser: Browser) -> None:
    """After the chain every provider's session is gone, and the hint is sent besides."""
    await browser.follow(await post(shared, browser), site="same-origin")
    start = await browser.goto(f"{shared.app}/api/me", until=shared.cognito)
    assert "prompt=login" in start.continue_url()
    form = await browser.follow(start, site="cross-site")
    assert form.asks_for_password
    page = await browser.submit(form, username="alice@example.com", password="demo")
    assert page.path == "/api/me"
    assert "__Host-logout" not in browser.cookie_names(shared.app)


async def test_signing_in_and_out_in_one_breath_works(shared: Stand, browser: Browser) -> None:
    """Four rounds as fast as they go: second-long clocks confuse no session with the logout before it."""
    for _ in range(4):
        await browser.follow(await post(shared, browser), site="same-origin")
        assert not await alive(shared, browser)
        await shared.sign_in(browser, "/api/me")
        assert await alive(shared, browser)
