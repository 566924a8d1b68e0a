"""Signing out at LemonLDAP::NG in real browsers: its session cookie is Lax, and it asks the person."""

from __future__ import annotations

import pytest

from tests.browser.driver import Profile, arrives, shows
from tests.fakes.house import House
from tests.providers.conftest import Visit, arrived, signed_in
from tests.providers.lemonldap import PASSWORD, PERSON, LemonLdap

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]


async def enter(lemon: tuple[LemonLdap, House], window: Profile) -> Visit:
    """Sign in by its form."""
    running, house = lemon
    visit = await arrived(window, house)
    await arrives(visit.tab, running.address)
    await visit.tab.fill("input[name=user]", PERSON)
    await visit.tab.fill("input[name=password]", PASSWORD)
    await visit.tab.click("button[type=submit]")
    return await signed_in(visit)


async def test_a_sign_out_ends_the_session_there(lemon: tuple[LemonLdap, House], window: Profile) -> None:
    """Who agrees comes back, and has no session there any more; the receipt says no more than that they came back."""
    running, _ = lemon
    before = running.sessions()
    visit = await enter(lemon, window)
    assert running.sessions() == before + 1

    await visit.sign_out()
    await shows(visit.tab, "Do you want to logout?")
    await visit.tab.click("button.positive")

    assert await visit.receipt() == {"oidc": "came_back"}
    assert running.sessions() == before
    assert await visit.house.status(visit.copied) == 401
    await visit.come_back(running.address)
    await shows(visit.tab, "Authentication required")


async def test_whoever_refuses_is_out_here(lemon: tuple[LemonLdap, House], window: Profile) -> None:
    """What becomes of the browser then is the provider's affair; the session here has ended before it was asked."""
    running, _ = lemon
    before = running.sessions()
    visit = await enter(lemon, window)

    await visit.sign_out()
    await shows(visit.tab, "Do you want to logout?")
    assert await visit.house.status(visit.copied) == 401
    await visit.tab.click("#refuse")

    assert await visit.receipt() == {"oidc": "came_back"}
    assert running.sessions() == before + 1
