"""Chains that do not go as they should, at a hop that needs the hint (rules R2, R3, R18, R28)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt
import pytest

from gateway.core.session.revocation_keys import sid_key
from gateway.core.signout.revocation import NewEntry
from gateway.web.pages.catalogue import message
from tests.fakes.browser import Browser, Seen
from tests.fakes.sso import Sso, running
from tests.flows.conftest import later
from tests.flows.provided import House, house, opened

pytestmark = pytest.mark.usefixtures("the_clock_stands")
HINT = "__Secure-session-hint"
FALLBACK = '[oidc, {okta_signout: "http://sso.localhost:PORT"}]'


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, Sso("oidc")) as running_house:
        yield running_house


@pytest.fixture
async def browser(here: House) -> Browser:
    """Somebody signed in."""
    made = here.browser()
    await here.sign_in(made)
    return made


def tab_of(browser: Browser) -> Browser:
    """Another tab of the same browser: it shares the cookies."""
    return Browser(browser.session, browser.cookies, list(browser.seen[-1:]), browser.paths)


async def at_provider(here: House, browser: Browser) -> Seen:
    """Sign out up to the page that leads to the provider."""
    return await here.sign_out(browser, until=here.sso.origin)


def asked_in(page: Seen) -> dict[str, str]:
    """What the provider will be asked by the address on the page."""
    return dict(parse_qsl(urlsplit(page.continue_url()).query))


def state_in(page: Seen) -> str:
    return asked_in(page)["state"]


async def come_back(here: House, browser: Browser, state: str) -> Seen:
    address = f"{here.app}/logout/done/oidc?state={state}"
    return await browser.follow(
        await browser.navigate(address, site="cross-site"), site="cross-site", until=here.sso.origin
    )


async def test_two_tabs_sign_out_at_once(here: House, browser: Browser) -> None:
    """Each has a chain of its own state; the later one is the browser's, and the first one's return moves nothing."""
    other = tab_of(browser)
    first, second = await at_provider(here, browser), await at_provider(here, other)
    assert state_in(first) != state_in(second)
    stray = await come_back(here, browser, state_in(first))
    assert message("signing_out.title") in stray.text
    assert await here.receipt(browser) == {"oidc": "pending"}
    end = await come_back(here, other, state_in(second))
    assert end.path == "/logged-out"
    looks_again = await browser.navigate(f"{here.app}/logged-out?waiting", site="same-origin")
    assert message("headline.done") in looks_again.text


@pytest.mark.parametrize("state", ["", "wrong", "%FF%00", "a" * 8_000])
async def test_r28_a_return_with_the_wrong_state_is_none(here: House, browser: Browser, state: str) -> None:
    """Whoever makes the browser visit the return address confirms nothing."""
    page = await at_provider(here, browser)
    answer = await come_back(here, browser, state)
    assert message("signing_out.title") in answer.text or answer.status in {400, 414, 431}
    for path in ("/logout/done/oidc", f"/logout/done/oidc/{state_in(page)}", "/logout/done/oidc?State=x"):
        await browser.navigate(here.app + path, site="cross-site")
    assert await here.receipt(browser) == {"oidc": "pending"}
    assert (await come_back(here, browser, state_in(page))).path == "/logged-out"


async def test_r28_the_state_of_an_older_chain_is_none(here: House, browser: Browser) -> None:
    """It was good once, for the sign-out before this one."""
    old = state_in(await at_provider(here, browser))
    await come_back(here, browser, old)
    await here.sign_in(browser)
    page = await at_provider(here, browser)
    await come_back(here, browser, old)
    assert await here.receipt(browser) == {"oidc": "pending"}
    twice = await browser.navigate(
        f"{here.app}/logout/done/oidc?state={state_in(page)}&state={old}", site="cross-site"
    )
    assert twice.status == 400
    assert await here.receipt(browser) == {"oidc": "pending"}


async def test_looking_at_the_page_counts_as_no_try(here: House, browser: Browser) -> None:
    """Reload, Back and a script that asks for the address: the same address with the same state, as often as one likes."""
    page = await at_provider(here, browser)
    before = browser.cookie_header(f"{here.app}/logout/hop")
    for site in ("same-origin", "none", "cross-site"):
        again = await browser.navigate(f"{here.app}/logout/hop", site=site)
        assert state_in(again) == state_in(page)
        assert again.set_cookies() == []
    assert browser.cookie_header(f"{here.app}/logout/hop") == before


async def test_back_in_mid_chain_goes_on_where_the_chain_is(tmp_path: Path) -> None:
    """The page belongs to a hop that is over: Back leads to the current one, and then to the receipt."""
    asked = "post_logout_redirect_uri={return_to}&client_id={client_id}&state={state}"
    chain = f'[oidc, {{url: "http://sso.localhost:PORT/session/end?{asked}"}}]'
    async with house(tmp_path, Sso("oidc"), chain=chain) as here:
        browser = here.browser()
        await here.sign_in(browser)
        page = await at_provider(here, browser)
        step = await come_back(here, browser, state_in(page))
        assert step.location.startswith(f"{here.sso.origin}/session/end?")
        back = await browser.navigate(f"{here.app}/logout/hop", site="none")
        assert back.location == step.location
        assert await here.receipt(browser) == {"oidc": "returned", "url": "pending"}
        end = await browser.submit(await browser.follow(back, site="none"))
        assert end.path == "/logged-out"
        over = await browser.navigate(f"{here.app}/logout/hop", site="none")
        assert over.location == f"{here.app}/logged-out"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch"},
    ],
)
async def test_r34_no_script_and_no_frame_reads_the_page(
    here: House, browser: Browser, headers: dict[str, str]
) -> None:
    """An ID token stands in it: only the tab itself is shown it."""
    await at_provider(here, browser)
    answer = await browser.send("GET", f"{here.app}/logout/hop", headers, None)
    assert answer.status == 403
    assert "id_token_hint" not in answer.text


async def test_a_script_is_sent_to_our_own_address(here: House, browser: Browser) -> None:
    """POST /logout for JSON, and the waiting page's "continue": our own address, never the provider's."""
    answer = await browser.fetch(f"{here.app}/logout", method="POST", Accept="application/json")
    assert json.loads(answer.text) == {"location": "/logout/hop"}
    page = await browser.navigate(f"{here.app}/logout/hop", site="same-origin")
    pushed = await browser.navigate(f"{here.app}/logout/continue", site="same-origin")
    assert pushed.location == f"{here.app}/logout/hop"
    again = await browser.navigate(pushed.location, site="same-origin")
    assert state_in(again) == state_in(page)


async def test_r03_a_provider_that_strands_the_browser_locks_nobody_out(
    here: House, browser: Browser
) -> None:
    """The provider keeps the browser; navigations to the application retry the hop, then give it up."""
    here.sso.strands = True
    stuck = await here.sign_out(browser)
    assert "You have signed out" in stuck.text
    assert message("signing_out.title") in (await browser.goto(f"{here.app}/")).text
    with later(31):
        retry = await browser.navigate(f"{here.app}/")
        assert retry.location == f"{here.app}/logout/hop"
        page = await browser.navigate(retry.location, site="none")
        assert "id_token_hint" in asked_in(page)  # its key is still there, and the provider may want one
    with later(62):
        end = await browser.goto(f"{here.app}/")
        assert end.path == "/logged-out"
        assert await here.receipt(browser) == {"oidc": "failed"}
        assert HINT in browser.cookie_names(here.app)  # what failed can be tried again
        here.sso.strands = False
        end = await browser.follow(await here.press_sign_out(browser), site="same-origin")
        assert await here.receipt(browser) == {"oidc": "returned"}
        assert "id_token_hint" in here.sso.sign_outs[-1][1]
        assert HINT not in browser.cookie_names(here.app)


async def test_r03_a_tab_closed_on_the_way_is_resumed(here: House, browser: Browser) -> None:
    """Hours later somebody comes back: the provider again, then the receipt; nobody was signed in meanwhile."""
    await at_provider(here, browser)
    with later(2 * 3_600):
        assert (await browser.goto(f"{here.app}/")).path == "/logged-out"
        assert await here.receipt(browser) == {"oidc": "returned"}
    assert here.sso.sessions == {}


async def test_r02_nobody_signs_in_in_mid_chain(here: House, browser: Browser) -> None:
    """A second person at the same browser waits for the first one's sign-out, and signs in after it, as themselves."""
    page = await at_provider(here, browser)
    for path in ("/", "/oauth2/start?rd=/"):
        answer = await browser.goto(here.app + path)
        assert message("signing_out.title") in answer.text
    await come_back(here, browser, state_in(page))
    here.sso.sessions.clear()
    assert "the application" in (await here.sign_in(browser, user="bob")).text
    who = json.loads((await browser.fetch(f"{here.app}/oauth2/session")).text)
    assert who["email"] == "bob@example.com"
    second = await at_provider(here, browser)
    assert _subject(second) == "bob-sub"


async def test_r18_the_hint_of_another_sign_in_is_not_used(here: House, browser: Browser) -> None:
    """A sibling site plants the cookie of its own sign-in: the provider would then keep this person signed in."""
    mallory = here.browser()
    await here.sign_in(mallory, user="mallory")
    host = urlsplit(here.app).netloc
    browser.cookies[host, HINT] = mallory.cookies[host, HINT]
    asked = await here.sign_out(browser)
    assert message("confirm_logout.question") in asked.text
    assert "id_token_hint" not in here.sso.sign_outs[-1][1]


async def test_r01_a_session_ended_from_outside_takes_its_hint_along(here: House, browser: Browser) -> None:
    """Its next navigation is to the application, where the hint is not seen; the hop's address sees it."""
    sid = next(event.sid for event in here.audit if event.kind.value == "login")
    await here.gateway.log.append([NewEntry(sid_key(sid or ""), 9_999_999_999, "operator")])
    end = await browser.goto(f"{here.app}/")
    assert end.path == "/logged-out"
    assert "id_token_hint" in here.sso.sign_outs[-1][1]
    assert await here.receipt(browser) == {"oidc": "returned"}


async def test_r02_a_sign_in_that_came_too_late_brings_its_own_hint(here: House, browser: Browser) -> None:
    """Its callback was under way when the logout began; the chain ends that session, so it is that one's hint."""
    host = urlsplit(here.app).netloc
    browser.cookies.pop((host, "__Host-session"))
    page = await browser.goto(f"{here.app}/", until=f"{here.app}/oauth2/callback")
    with_attempt, first = dict(browser.cookies), browser.cookies[host, HINT]
    with later(2):
        await here.press_sign_out(tab_of(browser))
    chain = browser.cookies[host, "__Host-logout"]
    browser.cookies.clear()
    browser.cookies |= with_attempt
    await browser.navigate(page.location, site="cross-site")
    browser.cookies[host, "__Host-logout"] = chain
    assert browser.cookies[host, HINT] != first
    found = await browser.navigate(f"{here.app}/logout/hop", site="same-origin")
    assert "id_token_hint" in asked_in(found)
    assert (host, "__Host-session") not in browser.cookies
    assert (await come_back(here, browser, state_in(found))).path == "/logged-out"


async def test_a_chain_of_an_older_deployment_goes_on(tmp_path: Path) -> None:
    """Its hop was taken out meanwhile: not confirmed at once, nobody waits for it, the rest is walked."""
    asked = "post_logout_redirect_uri={return_to}&client_id={client_id}&state={state}"
    url = f'{{url: "http://sso.localhost:PORT/session/end?{asked}"}}'
    sso = Sso("oidc")
    async with running(sso):
        async with opened(tmp_path, sso, chain=f"[oidc, {url}]") as before:
            browser = before.browser()
            await before.sign_in(browser)
            await before.press_sign_out(browser)
            before.browsers.clear()
        async with opened(tmp_path, sso, chain=f"[{url}]") as after:
            after.browsers.append(browser)
            step = await browser.navigate(f"{after.app}/")
            assert step.location.startswith(f"{sso.origin}/session/end?")
            state = parse_qs(urlsplit(step.location).query)["state"][0]
            await browser.navigate(f"{after.app}/logout/done/url?state={state}", site="cross-site")
            assert await after.receipt(browser) == {"oidc": "failed", "url": "returned"}
            assert (await after.evidence(browser))["oidc"] == "not_configured"


@pytest.mark.parametrize(
    ("kind", "chain", "receipt"),
    [
        ("oidc", "[oidc]", {"oidc": "skipped"}),
        ("okta", FALLBACK, {"oidc": "skipped", "okta_signout": "returned"}),
    ],
)
async def test_p18_the_provider_was_never_reached(
    tmp_path: Path, kind: str, chain: str, receipt: dict[str, str]
) -> None:
    """The gateway has started without it: the hop is skipped with that reason, or stood in for, never guessed."""
    sso = Sso(kind)
    async with running(sso):
        async with opened(tmp_path, sso, chain=chain) as before:
            browser = before.browser()
            await before.sign_in(browser)
            before.browsers.clear()
        sso.unlisted = True
        async with opened(tmp_path, sso, chain=chain) as after:
            after.browsers.append(browser)
            page = await after.sign_out(browser)
            assert await after.receipt(browser) == receipt
            if kind == "oidc":
                assert "sso.localhost could not be asked where to sign out" in page.text


async def test_p18_keycloaks_address_is_known_without_asking(tmp_path: Path) -> None:
    """It follows from the issuer."""
    sso = Sso("keycloak")
    async with running(sso):
        async with opened(tmp_path, sso) as before:
            browser = before.browser()
            await before.sign_in(browser)
            before.browsers.clear()
        sso.unlisted = True
        async with opened(tmp_path, sso) as after:
            after.browsers.append(browser)
            await after.sign_out(browser)
            assert await after.receipt(browser) == {"keycloak": "returned"}


def _subject(page: Seen) -> str:
    token = asked_in(page)["id_token_hint"]
    return str(jwt.decode(token, options={"verify_signature": False})["sub"])
