"""A user's own sessions: seen, and ended there (design section 7)."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote

import aiohttp
import pytest

from gateway.state.sqlite.sign_ins import SqliteSignIns
from gateway.web.pages.catalogue import message
from tests.fakes.browser import Browser, Loopback
from tests.fakes.patience import PATIENCE
from tests.flows.conftest import Stand
from tests.flows.stores import BOTH, of_files

STORES = BOTH


async def listed(stand: Stand, browser: Browser) -> list[dict[str, object]]:
    seen = await browser.fetch(f"{stand.app}/oauth2/sessions", Accept="application/json")
    assert seen.status == 200
    told = json.loads(seen.text)
    assert told["complete"] is True
    assert told["total"] == len(told["sessions"])
    sessions: list[dict[str, object]] = told["sessions"]
    return sessions


async def end(stand: Stand, browser: Browser, which: str, **headers: str) -> tuple[int, dict[str, object]]:
    headers = {"Accept": "application/json", **headers}
    seen = await browser.fetch(
        f"{stand.app}/oauth2/sessions?end={quote(which)}", method="POST", body="", **headers
    )
    return seen.status, json.loads(seen.text)


async def two(stand: Stand, browser: Browser) -> Browser:
    """The same person in a second browser."""
    await stand.sign_in(browser, "/api/me")
    other = stand.browser()
    await stand.sign_in(other, "/api/me")
    return other


async def test_every_browser_of_a_user_is_listed_and_nobody_elses(stand: Stand, browser: Browser) -> None:
    """The own one is marked; asking is no activity and sets no cookie."""
    await two(stand, browser)
    bob = stand.browser()
    await stand.sign_in(bob, "/api/me", user="bob@example.com")
    sessions = await listed(stand, browser)
    assert sorted(bool(one["current"]) for one in sessions) == [False, True]
    assert {one["client"] for one in sessions} == {"127.0.0.1"}
    assert [one["current"] for one in await listed(stand, bob)] == [True]


async def test_sign_out_there_ends_that_session_and_its_connections(stand: Stand, browser: Browser) -> None:
    """At once; the one that asked goes on."""
    other = await two(stand, browser)
    connector = aiohttp.TCPConnector(resolver=Loopback(), use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as client:
        headers = {"Cookie": other.cookie_header(stand.app), "Origin": stand.app}
        sock = await client.ws_connect(f"{stand.app}/api/live", headers=headers)
        (there,) = [one for one in await listed(stand, browser) if not one["current"]]
        assert await end(stand, browser, str(there["id"])) == (200, {"ended": 1, "durable": True})
        while (message := await sock.receive(PATIENCE)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert message.data == 4401
    assert (await other.fetch(f"{stand.app}/api/me")).status == 401
    assert (await browser.fetch(f"{stand.app}/api/me")).status == 200
    assert [one["current"] for one in await listed(stand, browser)] == [True]
    assert "revoked" in stand.told()


async def test_r01_who_was_ended_there_goes_through_the_chain(stand: Stand, browser: Browser) -> None:
    """A cookie that was ended from another browser is not anonymous."""
    other = await two(stand, browser)
    await end(stand, browser, "others")
    seen = await other.goto(f"{stand.app}/api/me", until=stand.cognito)
    assert "/logout" in seen.location


async def test_sign_out_everywhere_else_spares_this_browser(stand: Stand, browser: Browser) -> None:
    """However many there are, and none is no error."""
    others = [await two(stand, browser)]
    others.append(stand.browser())
    await stand.sign_in(others[1], "/api/me")
    assert await end(stand, browser, "others") == (200, {"ended": 2, "durable": True})
    assert await end(stand, browser, "others") == (200, {"ended": 0, "durable": True})
    assert [(await one.fetch(f"{stand.app}/api/me")).status for one in (*others, browser)] == [401, 401, 200]


async def test_sign_out_everywhere_ends_this_one_too_and_walks_the_chain(
    stand: Stand, browser: Browser
) -> None:
    """Also sessions that no list knows of: it goes by the user's name."""
    other = await two(stand, browser)
    for one in await listed(stand, browser):
        await stand.gateway.sign_ins.forget([str(one["id"])])
    status, told = await end(stand, browser, "all")
    assert status == 200
    assert str(told["location"]).startswith(stand.cognito)
    assert [(await one.fetch(f"{stand.app}/api/me")).status for one in (other, browser)] == [401, 401]


async def test_nobody_ends_what_is_not_theirs(stand: Stand, browser: Browser) -> None:
    """Another user's session, one that never was, none at all."""
    await stand.sign_in(browser, "/api/me")
    bob = stand.browser()
    await stand.sign_in(bob, "/api/me", user="bob@example.com")
    (of_bob,) = await listed(stand, bob)
    for which in (str(of_bob["id"]), "unknown", ""):
        status, told = await end(stand, browser, which)
        assert (status, told["code"]) == (400, "bad_parameter")
    assert (await bob.fetch(f"{stand.app}/api/me")).status == 200


async def test_r08_another_site_cannot_sign_anybody_out_there(stand: Stand, browser: Browser) -> None:
    """Neither a site of its own nor a sibling of ours."""
    other = await two(stand, browser)
    for headers in (
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://other.localhost"},
    ):
        status, told = await end(stand, browser, "all", **headers)
        assert (status, told["code"]) == (403, "cross_origin")
    assert (await other.fetch(f"{stand.app}/api/me")).status == 200


async def test_the_page_says_it_in_words_and_its_buttons_work(stand: Stand, browser: Browser) -> None:
    """Device and address, a button for each other session, and no sid or script to be tricked with."""
    other = stand.browser()
    await stand.sign_in(browser, "/api/me")
    await stand.sign_in(other, "/api/me")
    page = await browser.goto(f"{stand.app}/oauth2/sessions")
    assert page.status == 200
    assert message("sessions.this_browser") in page.text
    assert page.text.count(message("sessions.end")) == 2  # its label and its words
    assert "no-store" in page.header("Cache-Control")
    after = await browser.submit(page)
    assert after.path == "/oauth2/sessions"
    assert after.text.count(message("sessions.end")) == 0
    assert (await other.fetch(f"{stand.app}/api/me")).status == 401


async def test_a_user_agent_is_only_words(stand: Stand, browser: Browser) -> None:
    """Whatever was sent at sign-in, the page shows a device and runs nothing."""
    await stand.sign_in(browser, "/api/me")
    (one,) = (await stand.gateway.sign_ins.all(limit=5)).sign_ins
    await stand.gateway.sign_ins.record(replace(one, agent="<script>alert(1)</script>", client="<b>"))
    text = (await browser.goto(f"{stand.app}/oauth2/sessions")).text
    assert "<script>alert" not in text
    assert "<b>" not in text


async def test_without_a_session_there_is_no_list(stand: Stand, browser: Browser) -> None:
    """People are sent to sign in and come back to it; programs hear 401."""
    assert (await browser.fetch(f"{stand.app}/oauth2/sessions")).status == 401
    await browser.goto(f"{stand.app}/oauth2/sessions")
    assert f"{stand.app}/oauth2/start?rd=/oauth2/sessions" in [seen.url for seen in browser.seen]
    assert (await end(stand, browser, "all"))[0] == 401


@of_files
@pytest.mark.parametrize("wanted", ["page", "json"])
async def test_a_list_that_cannot_be_read_says_so(stand: Stand, browser: Browser, wanted: str) -> None:
    """It must not look as if nobody else were signed in."""
    await two(stand, browser)
    await stand.gateway.sign_ins.close()
    await stand.gateway.sign_ins.open()
    sign_ins = stand.gateway.sign_ins
    assert isinstance(sign_ins, SqliteSignIns)
    sign_ins._table._path = sign_ins._table._path.with_name("gone")
    if wanted == "page":
        assert message("sessions.incomplete") in (await browser.goto(f"{stand.app}/oauth2/sessions")).text
    else:
        seen = await browser.fetch(f"{stand.app}/oauth2/sessions", Accept="application/json")
        assert json.loads(seen.text)["complete"] is False
