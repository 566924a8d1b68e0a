"""What starts a sign-out in a real browser, and what only looks like it (rule R13)."""

from __future__ import annotations

import pytest

from gateway.web.pages.catalogue import message
from tests.browser.driver import sets_off, shows, stays_at
from tests.browser.person import (
    ALL_ENDED,
    EVERYBODY,
    NOBODY,
    SIGN_OUT,
    Person,
    fetched,
    sessions,
)
from tests.browser.world import OVER_TLS, taking_place

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ACCIDENTS = """
const settled = (element) => new Promise((resolve) => {
  element.onload = resolve;
  element.onerror = resolve;
  document.body.append(element);
  setTimeout(resolve, 500);
});
const made = (name, attributes) => Object.assign(document.createElement(name), attributes);
await settled(made('img', {src: '/logout'}));
await settled(made('iframe', {src: '/logout'}));
await settled(made('link', {rel: 'prefetch', href: '/logout'}));
await settled(made('script', {src: '/logout'}));
const answer = await fetch('/logout').catch(() => ({status: 0}));
return answer.status;
"""


async def test_r13_a_page_does_not_sign_out_by_accident_and_the_address_bar_does(person: Person) -> None:
    """An image, a frame, a prefetched link, a script and a fetch of /logout end nothing; typing it is one's own wish."""
    tab = await person.has_signed_in("/reports")
    assert await tab.run(ACCIDENTS) == 405
    assert (await fetched(tab))[0] == 200
    assert sessions(person.stand) == EVERYBODY
    await tab.open(f"{person.stand.app}/logout")
    assert await person.receipt(tab) == ALL_ENDED
    assert sessions(person.stand) == NOBODY


@taking_place(*OVER_TLS)
async def test_r13_a_link_on_another_site_only_asks(person: Person) -> None:
    """Such a link leads to a question; its button, whose answer leaves the site, walks the whole chain."""
    stand = person.stand
    tab = await person.has_signed_in("/reports")
    await tab.open(f"{stand.okta}/app/UserHome")
    await shows(tab, "You are signed in to Okta")
    await sets_off(tab, "setTimeout(() => { location.href = args[0]; }, 0)", f"{stand.app}/logout")
    await stays_at(tab, f"{stand.app}/logout")
    assert sessions(stand) == EVERYBODY
    await tab.click(SIGN_OUT)
    assert await person.receipt(tab) == ALL_ENDED
    assert sessions(stand) == NOBODY


async def test_r28_without_a_session_the_chain_is_walked_all_the_same(person: Person) -> None:
    """Whoever is signed in at Okta alone is signed out there, and the receipt claims no end of a session of ours."""
    stand = person.stand
    tab = await person.tab()
    await tab.open(f"{stand.okta}/login/login.htm")
    await person.give_password(tab)
    await shows(tab, "You are signed in to Okta")
    await tab.open(f"{stand.app}/logout")
    said = await person.receipt(tab)
    assert said == {
        message("page.this_application"): message("line.nothing"),
        "Cognito": message("line.confirmed"),
        "Okta": message("line.confirmed"),
    }
    assert sessions(stand) == NOBODY
