"""Open tabs leave when their session ends, in real browsers (rules R15, R16, R23, R30 and R35)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import pytest
import pytest_asyncio

from gateway.core import clock
from gateway.core.session.revocation_keys import email_key
from gateway.core.signout.revocation import NewEntry
from gateway.web.pages.catalogue import message
from tests.browser.driver import Mode, Tab, arrives, eventually, sets_off, shows
from tests.browser.matrix_walk import press
from tests.browser.person import (
    ALICE,
    ALL_ENDED,
    APPLICATION,
    BOB,
    EVERYBODY,
    NOBODY,
    SIGN_OUT,
    SIGN_OUT_UNSEEN,
    UNCACHED,
    UNHURRIED,
    Person,
    asked_cognito,
    fetched,
    press_sign_out,
    running,
    sessions,
)
from tests.browser.world import OVER_TLS, World, taking_place
from tests.fakes.door import eventually as soon
from tests.fakes.upstream import Call, FakeUpstream, reply
from tests.flows.conftest import later

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SIGNED_OUT = "/logged-out"
TABS = 12
LOAD = """
const script = document.createElement("script");
script.src = "/oauth2/tab.js";
document.head.append(script);
"""
ASKED = "return performance.getEntriesByName(location.origin + '/oauth2/session').length"
NO_LUCK = "window.Math.random = () => 1e5"
"""Whoever has to ask again waits for days, so only who is told leaves."""
FREEZE = 'dispatchEvent(new PageTransitionEvent("pagehide", {persisted: true}))'
THAW = 'dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}))'
"""What a page hears that goes into the back-forward cache and comes back."""


async def opened(person: Person) -> Tab:
    """A further tab of the application in which the tab script runs, and nothing else.

    To Chromium under a driver every tab is a visible one, so the demo's own pages would each hold their clock's stream.
    """
    tab = await person.tab(UNCACHED)
    await shows(tab, "All reports")
    await tab.run(LOAD)
    await running(tab)
    return tab


async def left(person: Person, tab: Tab) -> None:
    """Wait until the tab is at the signed-out page."""
    await eventually(tab.address, lambda url: url.startswith(person.stand.app + SIGNED_OUT))


async def streaming(person: Person, streams: int = 1) -> None:
    """Wait until the gateway holds so many streams."""
    await soon(lambda: person.stand.gateway.live.counts["tabs"] == streams)


@taking_place(*OVER_TLS)
async def test_r15_twelve_tabs_leave_together(person: Person) -> None:
    """They share one stream, so none of them hangs; sign out in one, and all others are told.

    How soon they leave is measured by ``make bench-logout``.
    """
    stand = person.stand
    first = await person.has_signed_in("/reports")
    await running(first)
    others = [await opened(person) for _ in range(1, TABS)]
    assert (await fetched(others[-1]))[0] == 200
    await streaming(person)
    for tab in (first, *others):
        await tab.run(NO_LUCK)
    await press_sign_out(first)
    await asyncio.gather(*(left(person, tab) for tab in others))
    assert await person.receipt(first) == ALL_ENDED
    assert sessions(stand) == NOBODY


@taking_place(*OVER_TLS)
async def test_r30_r35_a_session_ended_elsewhere_takes_its_tabs_along(person: Person) -> None:
    """They go to a public page with a button, and none of them to the provider."""
    stand = person.stand
    tabs = [await person.has_signed_in("/reports"), await opened(person)]
    await running(tabs[0])
    asked = asked_cognito(stand, "/oauth2/authorize")
    await stand.gateway.log.append([NewEntry(email_key(ALICE), clock.now() + 3_600, "admin")])
    for tab in tabs:
        await left(person, tab)
        assert ALICE not in await shows(tab, message("session_ended.title"), message("page.sign_in_again"))
    await asyncio.sleep(1)
    assert asked_cognito(stand, "/oauth2/authorize") == asked
    assert sessions(stand) == EVERYBODY
    await tabs[0].click("main a.button")
    await arrives(tabs[0], f"{stand.app}{SIGNED_OUT}")
    await shows(tabs[0], message("headline.done"))
    assert sessions(stand) == NOBODY


async def test_r30_a_single_tab_leaves_at_once_too(person: Person) -> None:
    """It hears the event itself; it need not ask first."""
    tab = await opened_after_sign_in(person)
    await streaming(person)
    await tab.run(NO_LUCK)
    await person.stand.gateway.log.append([NewEntry(email_key(ALICE), clock.now() + 3_600, "admin")])
    await left(person, tab)


@taking_place((World.LOCALHOST, Mode.PRIVATE), (World.TLS_SAML, Mode.BLOCKING))
async def test_signing_out_from_a_script(person: Person) -> None:
    """``gatewaySignOut()`` walks the whole chain in its own tab, while the other tabs leave."""
    tab = await person.has_signed_in("/reports")
    await running(tab)
    other = await opened(person)
    await sets_off(tab, f"{UNHURRIED}; gatewaySignOut()")
    assert await person.receipt(tab) == ALL_ENDED
    await left(person, other)
    assert sessions(person.stand) == NOBODY


async def test_the_tab_that_is_looked_at_leads_and_hands_the_stream_on(person: Person) -> None:
    """A browser may freeze the others, and a frozen tab could neither hear of the end nor pass it on. Whichever tab
    held the stream and closes, the others still hear.
    """
    first = await person.has_signed_in("/reports")
    await running(first)
    leader = await eventually(lambda: first.run(LEADER), bool)
    others = [await opened(person)]
    await eventually(lambda: others[0].run(LEADER), lambda found: bool(found) and found != leader)
    others += [await opened(person) for _ in range(2)]
    await streaming(person)
    await others.pop().close()
    await first.close()
    await streaming(person)
    await others[0].run(SIGN_OUT_UNSEEN)
    for tab in others:
        await left(person, tab)


LEADER = """
const {held} = await navigator.locks.query();
return held.filter(({name}) => name == "gateway").map(({clientId}) => clientId).join();
"""


async def test_the_channel_tells_whoever_listens(person: Person) -> None:
    """Who is signed in, and then that nobody is: the other tabs, and the application's own workers. The script twice,
    imported by the application and put in by somebody else, is the script once.
    """
    await person.has_signed_in("/reports")
    tab = await opened(person)
    await streaming(person)
    asked = await tab.run(ASKED)
    await tab.run(f"{LOAD}; await import('/oauth2/tab.js'); await new Promise((go) => setTimeout(go, 500))")
    assert await tab.run(ASKED) == asked
    await streaming(person)
    listening = await person.tab("/favicon.svg")
    await listening.run(
        "window.told = []; new BroadcastChannel('gateway').onmessage = (said) => told.push(said.data)"
    )
    tab = await opened(person)
    await eventually(lambda: listening.run("return told"), lambda told: set(told) == {f"={ALICE}"})
    await tab.run(SIGN_OUT_UNSEEN)
    await eventually(lambda: listening.run("return told"), lambda told: told[-1] == "")


async def test_p08_a_page_from_memory_asks_before_it_is_seen(person: Person) -> None:
    """It goes into the back-forward cache unseen, holding nothing, and comes back to sight when the session lives."""
    tab = await person.has_signed_in("/reports")
    await running(tab)
    await streaming(person)
    await tab.run(FREEZE)
    await streaming(person, 0)
    assert await tab.run("return document.documentElement.style.opacity") == "0"
    await tab.run(THAW)
    await eventually(
        lambda: tab.run("return document.documentElement.style.opacity"), lambda seen: seen == ""
    )
    await streaming(person)


@pytest.mark.parametrize("then", ["nobody", BOB])
async def test_p08_a_page_from_memory_leaves_unseen(person: Person, then: str) -> None:
    """Nobody is signed in any more, or somebody else is."""
    tab = await opened_after_sign_in(person)
    await tab.run(f"dispatchEvent(new Event('beforeunload')); {WATCH}; {FREEZE}")
    other = await person.tab("/reports")
    await shows(other, ALICE)
    assert await person.sign_out(other) == ALL_ENDED
    if then == BOB:
        await other.open(f"{person.stand.app}/reports")
        await person.give_password(other, BOB)
        await shows(other, APPLICATION, BOB)
    assert (await tab.address()).endswith(UNCACHED)
    await sets_off(tab, THAW)
    await left(person, tab)
    seen = await eventually(lambda: tab.run("return sessionStorage.seen"), bool)
    assert set(seen.split(",")) == {"0"}


WATCH = """
// A page in memory runs no timers: if it has lost the lead just before, one of them would wake it.
for (let at = setTimeout(() => 0); at > 0; at--) clearTimeout(at);
// A page in memory hears nothing, whichever tab a driver puts in front.
addEventListener("visibilitychange", (event) => event.stopImmediatePropagation(), true);
// The page itself notes how visible it is: whoever asks from outside may already be answered by the next page.
const look = () => (sessionStorage.seen = [...(sessionStorage.seen?.split(",") ?? []), document.documentElement.style.opacity]);
// Its own first showing may still be to come, and is none of this.
addEventListener("pageshow", ({persisted}) => {
  if (!persisted) return;
  look();
  new MutationObserver(look).observe(document.documentElement, {attributes: true});
});
addEventListener("pagehide", ({isTrusted}) => isTrusted && look());
"""


async def opened_after_sign_in(person: Person) -> Tab:
    """The only tab, in which the tab script runs and nothing else."""
    first = await person.has_signed_in("/reports")
    tab = await opened(person)
    await first.close()
    return tab


class TestByInput:
    """``session.activity: input`` (rule R16)."""

    @pytest.fixture
    def product(self) -> dict[str, str]:
        return {"key_files: [session-key]": "key_files: [session-key]\n  activity: input\n  idle: 10m"}

    async def test_r16_a_click_keeps_the_session_alive_and_an_idle_tab_leaves(self, person: Person) -> None:
        """A click, not what the page does by itself, also not an event that a script made. Whoever comes back to the
        screen finds the signed-out page; the tab asks at the deadline.
        """
        tab = await person.has_signed_in("/reports")
        await running(tab)
        with later(300):
            await tab.run("document.body.dispatchEvent(new PointerEvent('pointerdown', {bubbles: true}))")
            await fetched(tab)
            assert (await fetched(tab, "/oauth2/session"))[1]["idle_in"] <= 300
            await tab.click("h1")
            found = await eventually(
                lambda: fetched(tab, "/oauth2/session"), lambda answer: answer[1]["idle_in"] > 300
            )
            assert found[0] == 200
        await streaming(person)
        with later(300 + 598):
            await tab.run(f"{FREEZE}; {THAW}")  # it asks, and hears how little is left
            await left(person, tab)
            await shows(tab, message("session_ended.title"), message("session_over.idle_expired"))


class TestStorage:
    """``browser.clear_storage`` (rule R23)."""

    @pytest.fixture
    def product(self) -> dict[str, str]:
        return {"log: {": "browser: {clear_storage: true, spa_has_own_tokens: true}\nlog: {"}

    @taking_place(*OVER_TLS)
    async def test_r23_the_next_user_never_begins_with_the_last_one_s_tokens(self, person: Person) -> None:
        """What the application kept is gone from every tab, and cookies of other applications are not."""
        tab = await person.has_signed_in("/reports")
        await tab.run("localStorage.token = 'of alice'; document.cookie = 'other=kept; path=/'")
        assert await person.sign_out(tab) == ALL_ENDED
        await tab.open(f"{person.stand.app}/reports")
        await person.give_password(tab, BOB)
        await shows(tab, APPLICATION, BOB)
        assert await tab.run("return [localStorage.token || '', document.cookie]") == ["", "other=kept"]


SLOW_ANSWERS = """
const prompt = window.fetch;
window.fetch = async (...asked) => {
  const answer = await prompt(...asked);
  if (String(asked[0]).startsWith("/logout")) await new Promise((go) => setTimeout(go, 1000));
  return answer;
}
"""


class TestSlowProvider:
    """A provider that takes longer than the other tabs need to leave."""

    @pytest.fixture
    def others(self) -> asyncio.Event:
        """They have left."""
        return asyncio.Event()

    @pytest_asyncio.fixture(loop_scope="session")
    async def slow(self, others: asyncio.Event) -> AsyncIterator[FakeUpstream]:
        """Signs out after that, and sends the browser back."""

        async def provider(call: Call) -> None:
            await others.wait()
            back = parse_qs(call.request_line.split()[1].decode().partition("?")[2])["fromURI"][0]
            await call.send(reply(b"", b"Location: " + back.encode(), status=b"302 Found"))

        upstream = await FakeUpstream(provider).start()
        yield upstream
        await upstream.close()

    @pytest.fixture
    def product(self, slow: FakeUpstream) -> dict[str, str]:
        return {"chain: [cognito": f'chain: [{{okta_signout: "{slow.url}"}}]  # [cognito'}

    @pytest.mark.parametrize("way", ["form", "script"])
    async def test_the_tab_that_signs_out_is_not_called_back(
        self, person: Person, way: str, others: asyncio.Event
    ) -> None:
        """It hears of the end of its session like any other, but is on its way already."""
        tab = await person.has_signed_in("/reports")
        await running(tab)
        other = await opened(person)
        await (
            press(tab, SIGN_OUT)
            if way == "form"
            else sets_off(tab, f"{UNHURRIED}; {SLOW_ANSWERS}; gatewaySignOut()")
        )
        await left(person, other)
        others.set()
        assert await person.receipt(tab) == {
            message("page.this_application"): message("line.ended"),
            "Okta": message("line.confirmed"),
        }
