"""Sign-outs that break on the way: the local session is dead, nobody is signed back in, nobody is locked out.

The receipt claims only what was seen: a hop that did not return is "Not confirmed", whatever the provider has done.
"""

from __future__ import annotations

import asyncio

import pytest

from gateway.web.pages.catalogue import message
from tests.browser.driver import Tab, arrives, eventually, sets_off, shows
from tests.browser.person import (
    ALL_ENDED,
    NOBODY,
    SESSION_COOKIE,
    SIGN_OUT,
    Person,
    asked_cognito,
    fetched,
    never_shows_the_application,
    press_sign_out,
    replayed,
    sessions,
    unregister_at_cognito,
    unregister_at_okta,
)
from tests.browser.world import OVER_TLS, taking_place
from tests.fakes.patience import PATIENCE
from tests.flows.conftest import later as ahead

SOON = "logout:\n  hop_deadline: 2s\n"
WAITING = message("signing_out.title")

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
IN_TURN = True


@pytest.fixture
def product() -> dict[str, str]:
    """A gateway that gives a hop two seconds, so that nobody has to wait for long; or five minutes."""
    return {"logout:\n": SOON}


LONG = "logout:\n  hop_deadline: 5m\n  barrier: 10m\n"
STANDING = pytest.mark.parametrize("product", [{"logout:\n": LONG}], ids=["long-deadline"])
"""The chain goes on when somebody says so, however slow the browser is."""


async def stuck(person: Person, tab: Tab, at: str, words: str) -> None:
    """Press the button in ``tab`` and be left at a provider's page; the copied cookie is dead by then."""
    copied = await tab.cookies()
    assert SESSION_COOKIE in copied
    await press_sign_out(tab)
    await arrives(tab, at)
    await shows(tab, words)
    assert await replayed(person.stand, copied) == 401


async def walked(person: Person, tab: Tab) -> dict[str, str]:
    """Come back to the application until the sign-out is over, never seeing the application; what the receipt says.

    Where a page of the gateway offers to continue, do so: the first time comes too early and is only a double click.
    Nobody comes back once it is over: that would be another sign-in.
    """
    finished = f"{person.stand.app}/logged-out"
    async with asyncio.timeout(PATIENCE):
        while True:
            await tab.open(f"{person.stand.app}/reports")
            await never_shows_the_application(tab, during=0.2)
            url, offered = await at_rest(tab)
            if offered:
                await sets_off(tab, GO_ON)
                url, offered = await at_rest(tab)
            if url.startswith(finished) and not offered:
                return await person.receipt(tab)


GO_ON = "window.left = true; setTimeout(() => document.querySelector('#continue').click())"


async def at_rest(tab: Tab) -> tuple[str, bool]:
    """Where the tab is, once it is loaded and is not the document that was just left, and whether it offers to continue."""
    body = (
        "return [location.href, !!document.querySelector('#continue'), !window.left && document.readyState]"
    )
    url, offered, _ = await eventually(lambda: tab.run(body), lambda found: found[2] == "complete")
    return str(url), bool(offered)


async def signs_in_again(person: Person, tab: Tab) -> None:
    """The receipt's button leads to Okta's password form, and from there into the application."""
    await tab.click("#sign-in")
    await person.give_password(tab)
    await shows(tab, "Overview")
    assert (await fetched(tab))[0] == 200


@taking_place(*OVER_TLS)
async def test_an_unregistered_logout_uri(person: Person) -> None:
    """Cognito keeps the browser on its error page; the sign-out goes on without it, and says so."""
    stand = person.stand
    unregister_at_cognito(stand)
    tab = await person.has_signed_in("/reports")
    await stuck(person, tab, f"{stand.cognito}/error", "An error was encountered")
    said = await walked(person, tab)
    assert said == {
        message("page.this_application"): message("line.ended"),
        "Cognito": message("line.not_confirmed"),
        "Okta": message("line.confirmed"),
    }
    assert sessions(stand) == NOBODY
    await signs_in_again(person, tab)


@taking_place(*OVER_TLS)
@pytest.mark.parametrize(
    ("answer", "words"), [("login_page", "Password"), ("error_page", "not a trusted origin")]
)
async def test_an_untrusted_from_uri(person: Person, answer: str, words: str) -> None:
    """Okta ends its session and keeps the browser, on either page it may show; the receipt does not claim a return."""
    stand = person.stand
    stand.set(signout_untrusted=answer)
    unregister_at_okta(stand)
    tab = await person.has_signed_in("/reports")
    await stuck(person, tab, f"{stand.okta}/login/", words)
    said = await walked(person, tab)
    assert said == {
        message("page.this_application"): message("line.ended"),
        "Cognito": message("line.confirmed"),
        "Okta": message("line.not_confirmed"),
    }
    assert sessions(stand) == NOBODY
    await signs_in_again(person, tab)


@STANDING
@taking_place(*OVER_TLS)
async def test_a_tab_closed_in_mid_chain(person: Person) -> None:
    """The tab is closed at Cognito: the next one waits and says so, finishes the sign-out, and only then signs in."""
    stand = person.stand
    stand.set(logout_strands=True)
    tab = await person.has_signed_in("/reports")
    await stuck(person, tab, f"{stand.cognito}/logout", "This page does not go on")
    await tab.close()
    stand.set(logout_strands=False)
    later = await person.tab("/reports/3")
    await shows(later, WAITING, "Cognito")
    with ahead(301):  # the hop has had its time
        said = await person.receipt(later)
        assert said == {
            message("page.this_application"): message("line.ended"),
            "Cognito": message("line.waiting"),
            "Okta": message("line.waiting"),
        }
        assert sessions(stand) == {"okta": 1, "cognito": 0}
        await later.open(f"{stand.app}/reports/3")
        assert await person.receipt(later) == ALL_ENDED
    assert sessions(stand) == NOBODY
    await later.open(f"{stand.app}/reports/3")
    await person.give_password(later)
    await shows(later, "You are at /reports/3")


@STANDING
async def test_an_impatient_person(person: Person) -> None:
    """ "Continue signing out" does not wait for the deadline: a second try, then on without the broken hop."""
    stand = person.stand
    stand.set(logout_strands=True)
    tab = await person.has_signed_in("/reports")
    await stuck(person, tab, f"{stand.cognito}/logout", "This page does not go on")
    await tab.open(f"{stand.app}/")
    await shows(tab, WAITING, "Cognito")
    said = await walked(person, tab)
    assert said == {
        message("page.this_application"): message("line.ended"),
        "Cognito": message("line.not_confirmed"),
        "Okta": message("line.confirmed"),
    }


@STANDING
@taking_place(*OVER_TLS)
async def test_a_background_tab_during_the_chain(person: Person) -> None:
    """While the chain stands at Okta, a polling tab hears 401 and a navigating one waits; none starts a sign-in."""
    stand = person.stand
    stand.set(signout_strands=True)
    tab = await person.has_signed_in("/reports")
    polling = await person.tab("/favicon.svg")
    await stuck(person, tab, f"{stand.okta}/login/signout", "This page does not go on")
    begun = asked_cognito(stand, "/oauth2/authorize")
    status, problem = await fetched(polling)
    assert (status, problem["code"]) == (401, "logout_in_progress")
    navigating = await person.tab("/reports/3")
    await shows(navigating, WAITING, "Okta")
    await navigating.open(f"{stand.app}/oauth2/start?rd=/reports/3")
    await shows(navigating, WAITING)
    assert asked_cognito(stand, "/oauth2/authorize") == begun
    assert SESSION_COOKIE not in await navigating.cookies()
    stand.set(signout_strands=False)
    await navigating.click("#continue")
    assert await person.receipt(navigating) == ALL_ENDED
    await tab.back()
    await never_shows_the_application(tab)
    assert sessions(stand) == NOBODY


async def test_okta_moves_on_by_script(person: Person) -> None:
    """A page between the hops that moves on by script is a return like any other."""
    person.stand.set(signout_interstitial=True)
    tab = await person.has_signed_in("/reports")
    assert await person.sign_out(tab) == ALL_ENDED


async def test_providers_that_never_return(person: Person) -> None:
    """Both hops fail: the receipt says so, its retry button begins anew, and a sign-in is still possible."""
    stand = person.stand
    stand.set(logout_strands=True, signout_strands=True)
    tab = await person.has_signed_in("/reports")
    await stuck(person, tab, f"{stand.cognito}/logout", "This page does not go on")
    said = await walked(person, tab)
    assert said == {
        message("page.this_application"): message("line.ended"),
        "Cognito": message("line.not_confirmed"),
        "Okta": message("line.not_confirmed"),
    }
    stand.set(logout_strands=False, signout_strands=False)
    await tab.click(SIGN_OUT)
    assert (await person.receipt(tab))["Okta"] == message("line.confirmed")
    await signs_in_again(person, tab)
