"""Sign in, sign out, in real browsers: afterwards nobody is signed in anywhere."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import quote

import pytest

from gateway.web.pages.catalogue import message
from tests.browser.driver import arrives, eventually, sets_off, shows, stays_at
from tests.browser.person import (
    ALICE,
    ALL_ENDED,
    BOB,
    EVERYBODY,
    NOBODY,
    SESSION_COOKIE,
    SIGN_OUT,
    UNCACHED,
    UNHURRIED,
    Person,
    fetched,
    never_shows_the_application,
    replayed,
    sessions,
)
from tests.browser.world import MAIN, OVER_TLS, taking_place

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@taking_place(*MAIN)
async def test_sign_in_and_out_of_all_three(person: Person) -> None:
    """The deep link is restored; the application's own button ends all three sessions, and each of them says so."""
    stand = person.stand
    tab = await person.sign_in("/reports/3?from=mail#figures")
    await stays_at(tab, f"{stand.app}/reports/3?from=mail#figures")
    await shows(tab, "You are at /reports/3#figures", "Parcels handled", ALICE)
    assert sessions(stand) == EVERYBODY
    assert await person.sign_out(tab) == ALL_ENDED
    assert sessions(stand) == NOBODY
    assert await replayed(stand, await tab.cookies(), "/oauth2/session") == 401
    await tab.open(f"{stand.okta}/")
    await person.is_asked(tab)
    await tab.open(stand.cognito + _authorize(stand.app))
    await shows(tab, "Continue with Okta")
    await tab.open(f"{stand.app}/reports/3")
    await never_shows_the_application(tab)
    await person.give_password(tab, BOB)
    await shows(tab, "You are at /reports/3", BOB)


def _authorize(app: str) -> str:
    """Cognito's own door, where a living Cognito session gives a code without a question."""
    callback = quote(f"{app}/oauth2/callback", safe="")
    return f"/oauth2/authorize?client_id=demo-client&response_type=code&scope=openid&state=x&redirect_uri={callback}"


async def test_the_application_works_behind_the_gateway(person: Person) -> None:
    """Routes, lazy chunks, reads, writes, the stream and the WebSocket work, and the server knows who calls."""
    tab = await person.has_signed_in()
    await shows(tab, "Connected", "Server time", "UTC", "What the server was told", ALICE, "none arrived")
    await tab.fill("#echo-text", "hello")
    await tab.click("form:has(#echo-text) button")
    await shows(tab, "The server heard: hello")
    await tab.fill("#note-text", "from a browser")
    await tab.click("form:has(#note-text) button")
    await shows(tab, f"from a browser by {ALICE}")
    await tab.click('nav a[href="/admin"]')
    await shows(tab, "dinesh@example.com")
    status, me = await fetched(tab)
    assert (status, me["email"], me["cookies"]) == (200, ALICE, [])


@taking_place(*OVER_TLS)
async def test_back_from_an_uncached_page(person: Person) -> None:
    """Sign-out in another tab, then Back and Forward in this one: the browser asks the gateway, and gets nothing."""
    tab = await person.sign_in("/reports")
    await tab.open(person.stand.app + UNCACHED)
    await shows(tab, "All reports")
    await tab.open(f"{person.stand.okta}/")
    other = await person.tab("/reports")
    await shows(other, ALICE)
    assert await person.sign_out(other) == ALL_ENDED
    await tab.back()
    await never_shows_the_application(tab)
    await person.is_asked(tab)


@taking_place(*OVER_TLS)
async def test_nothing_of_the_application_is_left_anywhere(person: Person) -> None:
    """Not in its other tabs, not on the way back, and not for whoever has copied the cookies.

    Other tabs are cut off at once: a WebSocket is closed with 4401, a stream breaks off, a fetch gets 401. One that runs
    the tab script leaves by itself; what is opened in it and in a new one leads to Okta's form and shows nothing else. Back
    shows no page of the application, not even one sent without Cache-Control (rule R27).
    """
    stand = person.stand
    tab = await person.sign_in("/reports")
    await tab.open(stand.app + UNCACHED)
    await shows(tab, "All reports")
    await tab.open(f"{stand.app}/reports/3")
    await shows(tab, "Parcels handled")
    other = await person.tab("/")
    await shows(other, "Connected", "Server time")
    bare = await person.tab("/favicon.svg")
    await bare.run(LISTENING)
    await eventually(lambda: bare.run("return window.told"), lambda told: "tick" in told and "line" in told)
    copied = await tab.cookies()
    assert SESSION_COOKIE in copied
    assert await replayed(stand, copied) == 200
    assert await person.sign_out(tab) == ALL_ENDED
    assert await replayed(stand, copied) == 401
    assert SESSION_COOKIE not in await tab.cookies()
    told = await eventually(
        lambda: bare.run("return window.told"), lambda told: {"ended", "closed"} <= set(told)
    )
    assert told["closed"] == 4401
    status, problem = await fetched(bare)
    assert (status, problem["code"]) == (401, "login_required")
    await arrives(other, f"{stand.app}/logged-out")
    text = await shows(other, message("headline.done"))
    assert ALICE not in text
    assert "Live feed" not in text
    for _ in range(4):
        await tab.back()
        await never_shows_the_application(tab)
    for opened in (other, await person.tab()):
        await opened.open(f"{stand.app}/reports/4")
        await never_shows_the_application(opened)
        await person.is_asked(opened)


LISTENING = """
const told = {};
window.told = told;
const socket = new WebSocket('/api/live');
socket.onmessage = () => { told.tick = true; };
socket.onclose = (event) => { told.closed = event.code; };
const answer = await fetch('/api/clock');
const reader = answer.body.getReader();
(async () => {
  try {
    for (;;) {
      const {done} = await reader.read();
      if (done) { told.ended = 'complete'; return; }
      told.line = true;
    }
  } catch (error) { told.ended = String(error); }
})();
"""


async def test_polling_through_a_sign_out_revives_nothing(person: Person) -> None:
    """A background tab that polls all the while gets 200, then 401, and never a session back."""
    tab = await person.has_signed_in("/reports")
    busy = await person.tab("/favicon.svg")
    await busy.run(POLLING)
    await eventually(lambda: busy.run("return window.seen"), lambda seen: seen.count(200) > 3)
    assert await person.sign_out(tab) == ALL_ENDED
    before = await busy.run("return window.seen.length")
    await eventually(lambda: busy.run("return window.seen.length"), lambda count: count > before + 3)
    seen = await busy.run("return window.seen")
    first = seen.index(401)
    assert set(seen[:first]) == {200}
    assert set(seen[first:]) == {401}
    assert SESSION_COOKIE not in await tab.cookies()
    assert sessions(person.stand) == NOBODY


POLLING = """
window.seen = [];
(async () => {
  for (;;) {
    window.seen.push((await fetch('/api/me')).status);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
})();
"""


async def test_two_tabs_sign_out_at_the_same_time(person: Person) -> None:
    """Both tabs come to a receipt; afterwards nobody is signed in anywhere, and signing in works."""
    first = await person.has_signed_in("/reports")
    second = await person.tab("/reports")
    await shows(second, ALICE)
    at_once = (
        f"{UNHURRIED}; "
        "const at = args[1] - begun; setTimeout(() => document.querySelector(args[0]).click(), at)"
    )
    soon = int(1000 * time.time()) + 1000
    await asyncio.gather(*(sets_off(tab, at_once, SIGN_OUT, soon) for tab in (first, second)))
    said = [(await person.receipt(tab))[message("page.this_application")] for tab in (first, second)]
    assert set(said) <= {
        message("line.ended"),
        message("line.nothing"),
    }  # the latter where the other tab was quicker
    assert message("line.ended") in said
    assert sessions(person.stand) == NOBODY
    await second.open(f"{person.stand.app}/reports/3")
    await person.give_password(second)
    await shows(second, "You are at /reports/3")
