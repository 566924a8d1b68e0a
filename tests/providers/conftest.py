"""Providers as large as those that people have, and an application behind a gateway for each way to sign in there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from tests import programs as known
from tests.browser.conftest import authority, browser, programs
from tests.browser.driver import BrowserDriver, Mode, Profile, Tab, arrives, sets_off, shows
from tests.fakes.house import IN, PAGE, SIGN_OUT, House, address, client, header, house
from tests.flows.conftest import free_socket
from tests.providers.keycloak import Keycloak, keycloak
from tests.providers.lemonldap import LemonLdap, lemonldap

known.only("tests", "providers")
__all__ = ["authority", "browser", "programs"]
PEOPLE = ("alice", "bob", "carol", "dave", "erin", "frank")
"""Somebody else for each test and browser, so that none meets the sessions of another."""
HOUSES: dict[str, dict[str, Any]] = {
    "alone": {"kind": "keycloak", "hop": "keycloak"},
    "generic": {"kind": "oidc", "hop": "oidc"},
    "hub": {"kind": "keycloak", "hop": "keycloak", "more": {"identity_provider": "corp"}},
    "quiet": {"kind": "keycloak", "hop": "keycloak", "more": {"identity_provider": "silent"}},
}
"""At Keycloak, by the name of the application and of its realm. ``hub`` has another realm behind it, with single logout;
``quiet`` has one without."""
BEHIND = {"hub": "corp", "quiet": "silent"}


@dataclass
class Visit:
    """A tab of somebody who is signed in to the application.

    :ivar copied: the cookies of the session, as a header.
    """

    house: House
    tab: Tab
    copied: str

    async def sign_out(self) -> None:
        """Press the application's button."""
        await self.tab.open(self.house.app + PAGE)
        await shows(self.tab, IN)
        await sets_off(self.tab, SIGN_OUT)

    async def receipt(self) -> dict[str, str]:
        """Wait until the tab has come to the receipt: hop to evidence."""
        await arrives(self.tab, f"{self.house.app}/logged-out")
        return await self.house.receipt(header(await self.tab.cookies()))

    async def come_back(self, place: str) -> None:
        """Go to the application again, and arrive at ``place`` instead."""
        await self.tab.open(self.house.app + PAGE)
        await arrives(self.tab, place)


async def arrived(window: Profile, place: House) -> Visit:
    """A new tab on its way to the application."""
    tab = await window.tab()
    await tab.open(place.app + PAGE)
    return Visit(place, tab, "")


async def signed_in(visit: Visit) -> Visit:
    """The same, when the application is there."""
    await arrives(visit.tab, visit.house.app + PAGE)
    await shows(visit.tab, IN)
    visit.copied = header(await visit.tab.cookies())
    assert await visit.house.status(visit.copied) == 200
    return visit


@dataclass
class Town:
    """Keycloak with its realms, and the applications."""

    keycloak: Keycloak
    houses: dict[str, House]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """Started once for all tests."""
    directory = tmp_path_factory.mktemp("keycloak")
    async with AsyncExitStack() as stack:
        doors = {name: stack.enter_context(free_socket()) for name in HOUSES}
        running = await stack.enter_async_context(
            keycloak(directory, [*HOUSES, *(f"app-{name}" for name in HOUSES), *BEHIND.values()])
        )
        for behind in BEHIND.values():
            await running.make_realm(behind, PEOPLE)
        for name, door in doors.items():
            app = address(f"app-{name}", door)
            returns = str(HOUSES[name]["hop"])
            await running.make_realm(name, PEOPLE, [client(f"app-{name}", app, returns)])
        await running.broker("hub", "corp", PEOPLE, single_logout=True)
        await running.broker("quiet", "silent", PEOPLE, single_logout=False)
        houses = {
            name: await stack.enter_async_context(
                house(directory / name, door, name=f"app-{name}", issuer=running.realm(name), **HOUSES[name])
            )
            for name, door in doors.items()
        }
        yield Town(running, houses)


@dataclass
class Grove:
    """LemonLDAP::NG, and applications that sign people in there."""

    provider: LemonLdap
    houses: dict[str, House]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def grove(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Grove]:
    """Started once for all tests."""
    directory = tmp_path_factory.mktemp("lemonldap")
    hops = {"app": "oidc", "form": "{oidc: form}"}
    async with AsyncExitStack() as stack:
        doors = {name: stack.enter_context(free_socket()) for name in hops}
        clients = [client(name, address(name, door)) for name, door in doors.items()]
        provider = await stack.enter_async_context(lemonldap(directory / "provider", clients))
        houses = {
            name: await stack.enter_async_context(
                house(directory / name, door, name=name, issuer=provider.address, hop=hops[name])
            )
            for name, door in doors.items()
        }
        yield Grove(provider, houses)


@pytest_asyncio.fixture(loop_scope="session")
async def window(browser: BrowserDriver) -> AsyncIterator[Profile]:
    """A window that has never been anywhere."""
    opened = await browser.profile(Mode.BLOCKING)
    yield opened
    await opened.close()
