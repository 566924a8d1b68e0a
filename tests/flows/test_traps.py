"""The known ways to get a sign-out wrong (facts E.1), each shown closed over real sockets. docs/traps.md lists them all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
import pytest_asyncio

from gateway.core import clock
from gateway.core.session.revocation_keys import email_key
from gateway.core.signout.revocation import NewEntry
from tests.corpus.read import lines
from tests.fakes.browser import Browser, Seen
from tests.fakes.door import eventually
from tests.flows.conftest import Stand, later, standing, switched
from tests.flows.revoked import of_tokens

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("the_clock_stands")]
ALICE = "alice@example.com"


@pytest_asyncio.fixture(loop_scope="module")
async def browser(shared: Stand) -> AsyncIterator[Browser]:
    """Somebody signed in."""
    made = Browser.open()
    await shared.sign_in(made, "/api/me")
    yield made
    await made.close()


async def press(stand: Stand, browser: Browser) -> Seen:
    """The sign-out form, its redirect not followed."""
    return await browser.navigate(f"{stand.app}/logout", method="POST", body="", site="same-origin")


def calls(stand: Stand, party: str) -> list[dict[str, Any]]:
    found = getattr(stand.idp.control, party).snapshot()["calls"]
    assert isinstance(found, list)
    return found


def sessions(stand: Stand, party: str) -> list[object]:
    found = getattr(stand.idp.control, party).snapshot()["sessions"]
    assert isinstance(found, list)
    return found


async def receipt(stand: Stand, browser: Browser) -> dict[str, str]:
    answer = await browser.fetch(f"{stand.app}/logged-out", Accept="application/json")
    return {hop["hop"]: hop["status"] for hop in json.loads(answer.text)["hops"]}


async def test_trap_01_and_02_no_session_behind_ours_signs_anybody_in_again(
    shared: Stand, browser: Browser
) -> None:
    """One session fewer here, one at Cognito, one at Okta; the next visit ends at a form that asks for the password."""
    before = len(sessions(shared, "cognito")), len(sessions(shared, "okta"))
    await shared.sign_out(browser)
    after = len(sessions(shared, "cognito")), len(sessions(shared, "okta"))
    assert after == (before[0] - 1, before[1] - 1)
    assert (await browser.goto(f"{shared.app}/api/me")).asks_for_password


async def test_trap_03_and_27_cognito_comes_first_and_in_the_form_that_leaves(
    shared: Stand, browser: Browser
) -> None:
    """Never the form of its sign-out that leads back to a sign-in."""
    first = await press(shared, browser)
    assert first.location.startswith(f"{shared.cognito}/logout?")
    assert {name for name, _ in parse_qsl(urlsplit(first.location).query)} == {"client_id", "logout_uri"}


async def test_trap_04_and_06_cognito_gets_what_it_understands_and_no_state(
    shared: Stand, browser: Browser
) -> None:
    """No parameter of OpenID Connect, nothing in the return address; how far the chain is stands in a cookie."""
    first = await press(shared, browser)
    query = dict(parse_qsl(urlsplit(first.location).query))
    assert query == {"client_id": "demo-client", "logout_uri": f"{shared.app}/logout/done/cognito"}
    back = await browser.follow(first, site="same-origin", until=f"{shared.okta}/login/signout")
    assert back.path == "/logout/done/cognito"
    assert back.location.startswith(f"{shared.okta}/login/signout?fromURI=")


@pytest.mark.parametrize(
    "header",
    [
        {"X-Forwarded-Proto": "https"},
        {"X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-Port": "443"},
        {"Forwarded": "host=evil.example;proto=https"},
        {"X-Original-URL": "http://evil.example/logout"},
    ],
)
async def test_trap_05_no_header_of_a_request_changes_the_return_address(
    shared: Stand, browser: Browser, header: dict[str, str]
) -> None:
    """It is built from public_url alone; Cognito compares it to the byte."""
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html", **header}
    first = await browser.send("POST", f"{shared.app}/logout", headers, None)
    query = dict(parse_qsl(urlsplit(first.location).query))
    assert query["logout_uri"] == f"{shared.app}/logout/done/cognito"


async def test_trap_07_a_script_is_told_where_to_go_and_goes_nowhere_itself(
    shared: Stand, browser: Browser
) -> None:
    """A fetch by GET is refused; a POST is answered with the address for `location.assign`, and not redirected."""
    refused = await browser.fetch(f"{shared.app}/logout")
    assert (refused.status, refused.set_cookies()) == (405, [])
    answer = await browser.fetch(f"{shared.app}/logout", method="POST", Accept="application/json")
    assert (answer.status, answer.header("Location")) == (200, "")
    assert json.loads(answer.text)["location"].startswith(f"{shared.cognito}/logout?")


async def test_trap_08_and_09_tokens_and_cookies_end_both(shared: Stand, browser: Browser) -> None:
    """The refresh token is revoked, and the copied cookie is dead although its access token would be good for an hour."""
    copied = browser.cookie_header(shared.app)
    await shared.sign_out(browser)
    await eventually(lambda: of_tokens(shared)[-1])
    assert (await shared.browser().fetch(f"{shared.app}/api/me", Cookie=copied)).status == 401
    assert "/logout" in [call["path"] for call in calls(shared, "cognito")]


@pytest.mark.parametrize("session_is_over", [False, True])
async def test_trap_11_and_12_single_logout_that_strands_is_not_the_end(
    tmp_path: Path, session_is_over: bool
) -> None:
    """Okta refuses the request, or has no session any more: ours is dead all the same, and nobody is locked out."""
    async with standing(tmp_path, federation="slo") as stand:
        browser = stand.browser()
        await stand.sign_in(browser, "/api/me")
        copied = browser.cookie_header(stand.app)
        if session_is_over:
            stand.idp.control.okta._emulator.forget()
        else:
            stand.set(slo_wrong_certificate=True)
        end = await browser.follow(await press(stand, browser), site="same-origin")
        assert not end.url.startswith(stand.app)
        assert (await stand.browser().fetch(f"{stand.app}/api/me", Cookie=copied)).status == 401
        for wait in (31, 62):
            with later(wait):
                await browser.goto(f"{stand.app}/api/me")
        assert await receipt(stand, browser) == {"cognito": "failed"}


async def test_trap_13_an_origin_that_okta_does_not_trust_strands_nobody_for_ever(
    shared: Stand, browser: Browser
) -> None:
    """Okta keeps the browser; its session is over, and the receipt says that nobody saw the way back."""
    with switched(shared, signout_strands=True):
        end = await shared.sign_out(browser)
        assert end.url.startswith(shared.okta)
        for wait in (31, 62):
            with later(wait):
                await browser.goto(f"{shared.app}/api/me")
    assert await receipt(shared, browser) == {"cognito": "returned", "okta_signout": "failed"}


async def test_trap_14_a_lost_hint_falls_back_to_the_sign_out_without_one(tmp_path: Path) -> None:
    """Okta's own sign-out would end on an error page, its session alive."""
    async with standing(tmp_path, federation="okta") as stand:
        browser = stand.browser()
        await stand.sign_in(browser, "/api/me")
        browser.cookies = {key: kept for key, kept in browser.cookies.items() if "hint" not in key[1]}
        assert (await stand.sign_out(browser)).path == "/logged-out"
        assert sessions(stand, "okta") == []
        assert "/oauth2/v1/logout" not in [call["path"] for call in calls(stand, "okta")]


async def test_trap_16_and_17_behind_cognito_okta_is_asked_where_no_token_is_needed(
    shared: Stand, browser: Browser
) -> None:
    """`/login/signout`, by the browser: no OpenID sign-out without its ID token, no sessions API."""
    shared.idp.control.okta._common.calls.clear()
    await shared.sign_out(browser)
    asked = {call["path"] for call in calls(shared, "okta")}
    assert "/login/signout" in asked
    assert not any("/v1/logout" in path or "/sessions/me" in path for path in asked)


async def test_trap_18_the_last_page_is_public(shared: Stand, browser: Browser) -> None:
    """Nobody is sent to sign in from it, signed in or not."""
    end = await shared.sign_out(browser)
    assert (end.path, end.status) == ("/logged-out", 200)
    assert (await shared.browser().navigate(f"{shared.app}/logged-out")).status == 200


async def test_trap_19_what_is_answered_after_the_sign_out_revives_nothing(
    shared: Stand, browser: Browser
) -> None:
    """Another tab's request with the old cookie, while the chain is under way: refused, and no session comes with it."""
    copied = browser.cookie_header(shared.app)
    await press(shared, browser)
    for path in ("/api/me", "/oauth2/session", "/oauth2/start?rd=/"):
        answer = await shared.browser().fetch(f"{shared.app}{path}", Cookie=copied)
        assert answer.status in {401, 403}
        assert not any(
            line.startswith("__Host-session") and "Max-Age=0" not in line for line in answer.set_cookies()
        )


async def test_trap_20_and_21_every_piece_is_deleted_as_it_was_set(shared: Stand, browser: Browser) -> None:
    """Every name there can be, left-overs of longer sessions too, with path and flags of the setting, no domain."""
    set_ = [
        line for seen in browser.seen for line in seen.set_cookies() if line.startswith("__Host-session=")
    ]
    browser.cookies[shared.app.partition("//")[2], "__Host-session_2"] = ("left-over", "Lax")
    cleared = (await press(shared, browser)).set_cookies()
    ours = {line.partition("=")[0]: line for line in cleared if line.startswith("__Host-session")}
    assert {"__Host-session", "__Host-session_1", "__Host-session_2"} <= set(ours)
    attributes = {part for part in set_[-1].split("; ")[1:] if not part.startswith("Max-Age")}
    for line in ours.values():
        assert {
            part for part in line.split("; ")[1:] if not part.startswith(("Max-Age", "Expires"))
        } == attributes
    assert not any(name.startswith("__Host-session") for name in browser.cookie_names(shared.app))


async def test_trap_22_no_cookie_is_strict_or_unsaid(shared: Stand, browser: Browser) -> None:
    """A cookie that is not sent on the way back from the provider is an endless loop."""
    await shared.sign_out(browser)
    ours = [line for seen in browser.seen if seen.url.startswith(shared.app) for line in seen.set_cookies()]
    assert ours
    assert all("SameSite=Lax" in line for line in ours)


async def test_trap_23_site_data_is_never_cleared_before_the_last_page(tmp_path: Path) -> None:
    """It would take the chain's own cookie along, and a neighbour's."""
    async with standing(tmp_path, extra="browser: {clear_storage: true}\n") as stand:
        browser = stand.browser()
        await stand.sign_in(browser, "/api/me")
        await stand.sign_out(browser)
        sent = [
            (seen.path, seen.header("Clear-Site-Data"))
            for seen in browser.seen
            if seen.header("Clear-Site-Data")
        ]
    assert sent == [("/logged-out", '"storage"')]


async def test_trap_24_no_document_is_kept_in_a_cache(shared: Stand, browser: Browser) -> None:
    """Of the application, of the gateway, and every redirect between them."""
    await browser.navigate(f"{shared.app}/reports/3")
    await shared.sign_out(browser)
    ours = [seen for seen in browser.seen if seen.url.startswith(shared.app) and "/api/" not in seen.url]
    assert {seen.header("Cache-Control") for seen in ours} == {"no-store"}


async def test_trap_28_people_sign_out_where_they_signed_in(shared: Stand, browser: Browser) -> None:
    """One domain of Cognito's for both, from one setting."""
    first = await press(shared, browser)
    started = [seen.location for seen in browser.seen if "/oauth2/authorize" in seen.location]
    assert {urlsplit(url).netloc for url in (*started, first.location)} == {urlsplit(shared.cognito).netloc}


@pytest.mark.parametrize("query", ["code=stolen", "code=stolen&state=made-up", "error=login_required", ""])
async def test_trap_29_an_answer_that_nobody_asked_for_signs_nobody_in(shared: Stand, query: str) -> None:
    """A sign-in that began at the provider has no attempt of this browser behind it."""
    answer = await shared.browser().navigate(f"{shared.app}/oauth2/callback?{query}", site="cross-site")
    assert answer.status in {302, 400}
    assert not any(line.startswith("__Host-session=") for line in answer.set_cookies())


@pytest.mark.parametrize("trouble", ["429", "500", "503"])
async def test_trap_30_a_provider_that_has_too_much_to_do_signs_nobody_out(
    tmp_path: Path, trouble: str
) -> None:
    """A refresh that fails is tried again later, and the session lives."""
    async with standing(tmp_path) as stand:
        browser = stand.browser()
        stand.set(token_seconds=10)
        await stand.sign_in(browser, "/api/me")
        stand.set(token_answer=trouble)
        with later(9):
            for _ in range(2):
                assert (await browser.fetch(f"{stand.app}/api/me")).status == 200
                await stand.gateway.refresher.close()
        asked = [call for call in calls(stand, "cognito") if call["path"] == "/oauth2/token"]
        assert asked[-1]["status"] == int(trouble)  # whatever else is asked of it beside
        assert (await browser.fetch(f"{stand.app}/api/me")).status == 200


async def test_trap_31_what_the_provider_says_of_a_refusal_is_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether a token was revoked, or an attribute may not be read, only its description tells."""
    async with standing(tmp_path) as stand:
        browser = stand.browser()
        stand.set(token_seconds=10)
        await stand.sign_in(browser, "/api/me")
        for token in stand.idp.cognito.common.issued:
            token.revoked = True
        with later(9):
            await browser.fetch(f"{stand.app}/api/me")
            await stand.gateway.refresher.close()
    (said,) = [line for line in capsys.readouterr().out.splitlines() if "refresh_refusal" in line]
    assert "answered 400 invalid_grant" in said


@pytest.mark.parametrize("destination", ["image", "iframe", "script", "empty"])
async def test_trap_33_no_picture_signs_anybody_out(
    shared: Stand, browser: Browser, destination: str
) -> None:
    """Nor a frame, a script or a fetch, from this site or another; a link elsewhere leads to a question."""
    for site in ("same-origin", "cross-site"):
        headers = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": destination, "Sec-Fetch-Site": site}
        assert (await browser.send("GET", f"{shared.app}/logout", headers, None)).set_cookies() == []
    asked = await browser.navigate(f"{shared.app}/logout", site="cross-site")
    assert (asked.status, asked.set_cookies(), 'method="post"' in asked.text) == (200, [], True)
    assert (await browser.fetch(f"{shared.app}/api/me")).status == 200


async def test_trap_34_no_address_of_a_request_is_ever_gone_to(shared: Stand, browser: Browser) -> None:
    """Whatever stands in `rd`, `to` and their like: every redirect leads to ourselves or to the configured providers."""
    known = {urlsplit(url).netloc for url in (shared.app, shared.cognito, shared.okta)}
    for evil in lines("open_redirects.txt"):
        for path in (
            "/oauth2/start?rd=",
            "/logout?to=",
            "/logged-out?returnTo=",
            "/logout?post_logout_redirect_uri=",
        ):
            answer = await shared.browser().navigate(f"{shared.app}{path}{quote(evil, safe='')}")
            where = answer.location or answer.continue_url()
            assert not where or urlsplit(where).netloc in known, (path, evil)


async def test_trap_35_prompt_login_is_asked_for_and_not_relied_on(shared: Stand, browser: Browser) -> None:
    """Classic pages ignore it: the password is asked for because Okta's session is over."""
    with switched(shared, branding="classic"):
        await shared.sign_out(browser)
        form = await browser.goto(f"{shared.app}/api/me")
    assert any("prompt=login" in seen.url for seen in browser.seen)
    assert form.asks_for_password


async def test_trap_36_the_server_never_signs_out_in_the_browsers_stead(
    shared: Stand, browser: Browser
) -> None:
    """Cognito hears of the refresh token, and of nothing else but what the browser itself asks for."""
    shared.idp.control.cognito._common.calls.clear()
    answer = await press(shared, browser)
    await browser.follow(answer, site="same-origin")
    await eventually(lambda: of_tokens(shared)[-1])
    asked = {call["path"] for call in calls(shared, "cognito") if "/.well-known/" not in call["path"]}
    assert asked == {"/logout", "/oauth2/revoke"}


async def test_trap_37_what_ends_a_session_from_outside_kills_the_cookie(
    shared: Stand, browser: Browser
) -> None:
    """Every inbound way writes such an entry; the very next request with the sealed cookie is refused."""
    copied = browser.cookie_header(shared.app)
    assert (await browser.fetch(f"{shared.app}/api/me")).status == 200
    await shared.gateway.log.append([NewEntry(email_key(ALICE), clock.now() + 50_000, "admin")])
    assert (await browser.fetch(f"{shared.app}/api/me")).status == 401
    assert (await shared.browser().fetch(f"{shared.app}/api/me", Cookie=copied)).status == 401
