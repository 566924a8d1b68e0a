"""Signing out at Keycloak in real browsers: alone, and as a hub with another realm behind it by SAML."""

from __future__ import annotations

import pytest

from tests.browser.driver import BrowserDriver, Profile, arrives, eventually, shows
from tests.providers.conftest import BEHIND, Town, Visit, arrived, signed_in
from tests.providers.keycloak import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]
ENDED = {"session_ended", "ended_address_reached"}
"""What a receipt says of a session that is over."""


async def enter(town: Town, window: Profile, name: str, user: str) -> Visit:
    """Sign in by the form of the realm, or of the one behind it."""
    visit = await arrived(window, town.houses[name])
    await arrives(visit.tab, town.keycloak.realm(BEHIND.get(name, name)))
    await visit.tab.fill("#username", user)
    await visit.tab.fill("#password", PASSWORD)
    await visit.tab.click("[type=submit]")
    return await signed_in(visit)


def somebody(browser: BrowserDriver, *people: str) -> str:
    """Another for each browser."""
    return people[browser.name == "firefox"]


@pytest.mark.parametrize("name", ["alone", "generic"])
async def test_a_sign_out_ends_the_session_there(
    town: Town, browser: BrowserDriver, window: Profile, name: str
) -> None:
    """Nothing is asked; the receipt says that it has ended where the kind of provider is known, and it has."""
    user = somebody(browser, "alice", "bob")
    visit = await enter(town, window, name, user)
    assert await town.keycloak.sessions(name, user) == 1

    await visit.sign_out()

    said = await visit.receipt()
    assert said == ({"keycloak": "session_ended"} if name == "alone" else {"oidc": "came_back"})
    assert await town.keycloak.sessions(name, user) == 0
    assert await visit.house.status(visit.copied) == 401
    await visit.come_back(town.keycloak.realm(name))
    await shows(visit.tab, "Password")


async def test_its_single_logout_ends_the_session_behind_it(
    town: Town, browser: BrowserDriver, window: Profile
) -> None:
    """The hub leads the browser on to the realm behind it, and back: neither has a session left."""
    user = somebody(browser, "carol", "dave")
    visit = await enter(town, window, "hub", user)
    assert [await town.keycloak.sessions(realm, user) for realm in ("hub", "corp")] == [1, 1]

    await visit.sign_out()

    assert await visit.receipt() == {"keycloak": "session_ended"}
    assert [await town.keycloak.sessions(realm, user) for realm in ("hub", "corp")] == [0, 0]
    assert await visit.house.status(visit.copied) == 401
    await visit.come_back(town.keycloak.realm("corp"))
    await shows(visit.tab, "Password")


async def test_without_single_logout_the_session_behind_it_lives_on(
    town: Town, browser: BrowserDriver, window: Profile
) -> None:
    """The receipt speaks of the hub alone, whose session has ended."""
    user = somebody(browser, "carol", "dave")
    visit = await enter(town, window, "quiet", user)

    await visit.sign_out()

    assert await visit.receipt() == {"keycloak": "session_ended"}
    assert [await town.keycloak.sessions(realm, user) for realm in ("quiet", "silent")] == [0, 1]
    assert await visit.house.status(visit.copied) == 401


async def test_its_own_word_ends_the_session_here(
    town: Town, browser: BrowserDriver, window: Profile
) -> None:
    """An administrator signs somebody out there: its logout token does so here."""
    user = somebody(browser, "erin", "frank")
    visit = await enter(town, window, "alone", user)

    await town.keycloak.ask("POST", f"/alone/users/{await town.keycloak.user('alone', user)}/logout")

    await eventually(lambda: visit.house.status(visit.copied), lambda status: status == 401)
