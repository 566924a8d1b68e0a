"""What people used to do to sign out, beside what the gateway does, in the same browsers.

An application that ends the Okta session by a call from its page needs Okta's cookie in a request to another site. With
third-party cookies blocked that cookie stays at home: Okta hears of a stranger and answers that there is no session.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.driver import Mode, Tab, eventually, shows, stays_at
from tests.browser.person import (
    ALICE,
    ALL_ENDED,
    APPLICATION,
    EVERYBODY,
    NOBODY,
    Person,
    fetched,
    never_shows_the_application,
    sessions,
)
from tests.browser.world import OVER_TLS, World, taking_place

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HERE = Path(__file__).parent

DELETE = "return (await fetch(args[0], {method: 'DELETE', credentials: 'include'})).status"
CLOSE_SESSION = """
const script = document.createElement('script');
script.textContent = args[0] + '\\n;' +
  `new OktaAuth({issuer: ${JSON.stringify(args[1])}, clientId: 'demo-client', redirectUri: location.origin})` +
  '.closeSession().then((said) => { document.documentElement.dataset.closed = String(said); },' +
  '(error) => { document.documentElement.dataset.closed = "failed: " + error; });';
document.head.append(script);
"""


@pytest.fixture(scope="session")
def okta_auth_js(node_modules: Path) -> str:
    """Okta's own library as a script for pages."""
    return (node_modules / "@okta/okta-auth-js/dist/okta-auth-js.min.js").read_text("utf-8")


async def close_session(person: Person, tab: Tab, library: str) -> str:
    """Let the page load okta-auth-js and call ``closeSession()``; what that said."""
    await tab.run(CLOSE_SESSION, library, f"{person.stand.okta}/oauth2/default")
    said = "return document.documentElement.dataset.closed || ''"
    return str(await eventually(lambda: tab.run(said), bool))


async def is_still_known_to_okta(person: Person) -> None:
    """Okta itself shows who is signed in."""
    visit = await person.profile.tab()
    await visit.open(f"{person.stand.okta}/app/UserHome")
    await shows(visit, "You are signed in to Okta as", ALICE)
    await visit.close()


@taking_place(*OVER_TLS)
async def test_deleting_the_okta_session_from_the_page(person: Person, okta_auth_js: str) -> None:
    """By fetch or by okta-auth-js, Okta's session outlives it, and so do the other two; /logout ends all three."""
    stand = person.stand
    tab = await person.sign_in("/reports")
    assert await tab.run(DELETE, f"{stand.okta}/api/v1/sessions/me") == 404
    assert sessions(stand) == EVERYBODY
    assert await close_session(person, tab, okta_auth_js) == "false"
    assert sessions(stand) == EVERYBODY
    await is_still_known_to_okta(person)
    await tab.open(f"{stand.app}/reports")
    await shows(tab, APPLICATION, ALICE)
    assert await person.sign_out(tab) == ALL_ENDED
    assert sessions(stand) == NOBODY
    await tab.open(f"{stand.app}/reports")
    await person.is_asked(tab)


@taking_place((World.TLS_SAML, Mode.PERMISSIVE))
async def test_where_third_party_cookies_are_allowed(person: Person, okta_auth_js: str) -> None:
    """The same two calls do end Okta's session there, so the tests above would notice; Cognito's is never reached."""
    stand = person.stand
    tab = await person.sign_in("/reports")
    assert await tab.run(DELETE, f"{stand.okta}/api/v1/sessions/me") == 204
    assert sessions(stand) == {"okta": 0, "cognito": 1}
    visit = await person.profile.tab()
    await visit.open(f"{stand.okta}/login/login.htm")
    await person.give_password(visit)
    await shows(visit, "You are signed in to Okta as")
    assert await close_session(person, tab, okta_auth_js) == "true"
    assert sessions(stand) == {"okta": 0, "cognito": 1}
    await tab.open(f"{stand.app}/reports")
    await shows(tab, APPLICATION, ALICE)


@taking_place(*OVER_TLS)
async def test_okta_sign_out_alone(person: Person) -> None:
    """``/login/signout?fromURI=`` ends Okta's session and brings people back into the open application."""
    stand = person.stand
    tab = await person.sign_in("/reports")
    await tab.open(f"{stand.okta}/login/signout?fromURI={stand.app}/")
    await stays_at(tab, f"{stand.app}/")
    await shows(tab, "Overview", ALICE)
    assert (await fetched(tab))[0] == 200
    assert sessions(stand) == {"okta": 0, "cognito": 1}
    assert await person.sign_out(tab) == ALL_ENDED
    assert sessions(stand) == NOBODY
    await tab.open(f"{stand.app}/")
    await never_shows_the_application(tab)
    await person.is_asked(tab)
