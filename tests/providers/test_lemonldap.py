"""Signing out at LemonLDAP::NG in real browsers: its session cookie is Lax, and it asks the person."""

from __future__ import annotations

import pytest

from tests.browser.driver import Profile, arrives, shows
from tests.providers.conftest import Grove, Visit, arrived, signed_in
from tests.providers.lemonldap import PASSWORD, PERSON

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]
QUESTION = "Do you want to logout?"
HINT = "__Secure-session-hint"


async def enter(grove: Grove, window: Profile, name: str = "app") -> Visit:
    """Sign in by its form."""
    visit = await arrived(window, grove.houses[name])
    await arrives(visit.tab, grove.provider.address)
    await visit.tab.fill("input[name=user]", PERSON)
    await visit.tab.fill("input[name=password]", PASSWORD)
    await visit.tab.click("button[type=submit]")
    return await signed_in(visit)


@pytest.mark.parametrize("hint", [True, False], ids=["hint", "no-hint"])
async def test_a_sign_out_ends_the_session_there(grove: Grove, window: Profile, hint: bool) -> None:
    """Who agrees comes back, and has no session there any more; the receipt says no more than that they came back."""
    before = grove.provider.sessions()
    visit = await enter(grove, window)
    assert grove.provider.sessions() == before + 1
    if not hint:
        await window.lose_cookie(visit.house.app, HINT)

    await visit.sign_out()
    await shows(visit.tab, QUESTION)
    await visit.tab.click("button.positive")

    assert await visit.receipt() == {"oidc": "came_back"}
    assert grove.provider.sessions() == before
    assert await visit.house.status(visit.copied) == 401
    await visit.come_back(grove.provider.address)
    await shows(visit.tab, "Authentication required")


async def test_whoever_refuses_is_out_here(grove: Grove, window: Profile) -> None:
    """And comes back as well, with the session there alive: the session here had ended before anything was asked."""
    before = grove.provider.sessions()
    visit = await enter(grove, window)

    await visit.sign_out()
    await shows(visit.tab, QUESTION)
    assert await visit.house.status(visit.copied) == 401
    await visit.tab.click("#refuse")

    assert await visit.receipt() == {"oidc": "came_back"}
    assert grove.provider.sessions() == before + 1


async def test_a_form_leaves_its_cookie_behind(grove: Grove, window: Profile) -> None:
    """It leads back at once and keeps its session, which is why an address is the default; the receipt claims nothing."""
    before = grove.provider.sessions()
    visit = await enter(grove, window, "form")

    await visit.sign_out()

    assert await visit.receipt() == {"oidc": "came_back"}
    assert grove.provider.sessions() == before + 1
    assert await visit.house.status(visit.copied) == 401
