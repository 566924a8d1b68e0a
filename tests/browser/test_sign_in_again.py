""" "Sign in again" leads each tab back to where it was, whatever the application lets browsers say of that (P22)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.core import clock
from gateway.core.session.revocation_keys import email_key
from gateway.core.signout.revocation import NewEntry
from gateway.web.pages.catalogue import message
from gateway.web.reasons import BY_OPERATOR
from tests.browser.driver import Tab, arrives, eventually, reloads, shows
from tests.browser.person import ALICE, Person, press_sign_out
from tests.fakes.upstream import Call, FakeUpstream, reply
from tests.flows.conftest import later

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PAGE = b"""<!doctype html><html><head><title>x</title><script src="/oauth2/tab.js" async></script></head><body>
<h1>Fernway Parcels, tight-lipped</h1><iframe src="/quiet/framed"></iframe>
<form method="post" action="/logout"><button>Sign out</button></form></body></html>"""
"""What it has in a frame runs the tab script too, in the same tab."""
HELMET = (
    b"Content-Type: text/html; charset=utf-8", b"Referrer-Policy: no-referrer",
    b"Content-Security-Policy: default-src 'self'; frame-ancestors 'self'; script-src 'self'; script-src-attr 'none'",
    b"Cross-Origin-Opener-Policy: same-origin", b"Cross-Origin-Resource-Policy: same-origin", b"Origin-Agent-Cluster: ?1",
    b"X-Content-Type-Options: nosniff", b"X-Frame-Options: SAMEORIGIN",
)  # fmt: skip
"""What helmet says unasked, without `form-action 'self'`, in which a chain to another site cannot begin by a form. By the
opener policy a browser may take the page of another process for the next one.
"""
HERE, THERE = "/quiet/1?q=%2F&r=a+b#/inbox/7", "/quiet/2?mine#part"
RUNNING = """
const both = [window, frames[0]];
return both.every((one) => one?.gatewaySignOut && one.performance.getEntriesByName(location.origin + "/oauth2/session").length);
"""
LINK = "#sign-in"
FULL = """
let much = "x".repeat(1 << 24);
for (let n = 0; much; n++)
  try { sessionStorage["much" + n] = much; }
  catch { much = much.slice(0, much.length >> 1); }
"""
"""Not another letter has room in the tab's storage."""


async def application(call: Call) -> None:
    framed = call.request_line.split()[1].endswith(b"/framed")
    await call.send(reply(PAGE.replace(b"iframe", b"i") if framed else PAGE, *HELMET))


@pytest_asyncio.fixture(loop_scope="session")
async def quiet() -> AsyncIterator[FakeUpstream]:
    """An application behind helmet: no browser says where it was."""
    upstream = await FakeUpstream(application).start()
    yield upstream
    await upstream.close()


@pytest.fixture
def product(quiet: FakeUpstream) -> dict[str, str]:
    return {"upstreams:\n": f"upstreams:\n  - {{path: /quiet/, url: {quiet.url}}}\n"}


async def has_opened(person: Person, path: str = HERE) -> Tab:
    """A tab there, signed in, in which the tab script runs, and in its frame."""
    tab = await person.has_signed_in(path)
    await running(tab)
    return tab


async def running(tab: Tab) -> None:
    await eventually(lambda: tab.run(RUNNING), bool, what="tab.js has asked, in page and frame")


async def is_back(person: Person, tab: Tab, path: str = HERE) -> None:
    """The tab shows the application at ``path``, and keeps nothing of the way."""
    await eventually(tab.address, lambda url: url == person.stand.app + path, what=f"the tab is at {path}")
    await shows(tab, "tight-lipped")
    assert await tab.run("return Object.keys(sessionStorage)") == []


async def test_p22_after_a_sign_out_each_tab_goes_back_to_its_own_page(person: Person) -> None:
    """The one in which it was pressed, and one that has left by itself; no page says in words where that was."""
    left = await has_opened(person)
    pressed = await person.tab(THERE)
    await running(pressed)
    await press_sign_out(pressed)
    await person.receipt(pressed)
    assert "quiet" not in await shows(pressed, message("page.sign_in_again"))
    await arrives(left, f"{person.stand.app}/logged-out")
    assert "quiet" not in await shows(left, message("page.sign_in_again"))
    await reloads(pressed)
    await person.receipt(pressed)
    await pressed.click(LINK)
    await person.give_password(pressed)
    await is_back(person, pressed, THERE)
    await left.click(LINK)
    await eventually(left.address, lambda url: url == person.stand.app + HERE, what="the other is back too")


async def test_p22_an_idle_tab_goes_back(person: Person) -> None:
    tab = await has_opened(person)
    with later(1_801):
        await tab.run('dispatchEvent(new Event("visibilitychange"))')
        await shows(tab, message("session_over.idle_expired"))
        await tab.click(LINK)  # the provider's own session is no older than before
        await is_back(person, tab)


async def test_p22_after_a_revocation_the_tab_goes_back_from_the_receipt(person: Person) -> None:
    """The chain comes first, and the tab still knows behind it."""
    tab = await has_opened(person)
    entry = NewEntry(email_key(ALICE), clock.now() + 3_600, BY_OPERATOR)
    assert (await person.stand.gateway.log.append([entry])).durable
    await shows(tab, message("session_ended.title"))
    await tab.click(LINK)
    await person.receipt(tab)
    await tab.click(LINK)
    await person.give_password(tab)
    await is_back(person, tab)


async def test_a_tab_that_can_keep_nothing_leaves_all_the_same(person: Person) -> None:
    """And its link leads where the gateway knows."""
    tab = await has_opened(person)
    await tab.run(FULL)
    entry = NewEntry(email_key(ALICE), clock.now() + 3_600, BY_OPERATOR)
    assert (await person.stand.gateway.log.append([entry])).durable
    await shows(tab, message("session_ended.title"))
    leads_to = await tab.run(f"return document.querySelector('{LINK}').href")
    assert leads_to == f"{person.stand.app}/oauth2/start"
