"""A browser opens its tabs of yesterday again, and all of them wait at the provider (pains P11 and P22)."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.session.attempt import LONGEST_IN_STATE, MAX_ATTEMPTS
from tests.browser.driver import BrowserDriver, Mode, sets_off, shows, visiting
from tests.browser.person import ALICE, Person
from tests.flows.conftest import standing

pytestmark = [pytest.mark.browser, pytest.mark.large, pytest.mark.asyncio(loop_scope="session")]

TABS = MAX_ATTEMPTS + 3
LONG = "&filter=" + "x" * LONGEST_IN_STATE


async def test_p22_eight_restored_tabs_end_at_their_own_addresses_with_their_fragments(
    tmp_path: Path, browser: BrowserDriver
) -> None:
    """The first is finished first, when later ones have pushed its attempt out: its code is not used, its place is kept.

    The others find a session. One of each kind has an address that is too long for anything but the tab itself.
    """
    links = [f"/reports/{n}?from=mail{LONG if n in {1, TABS} else ''}#figures{n}" for n in range(1, TABS + 1)]
    async with (
        standing(tmp_path, federation="okta") as stand,
        visiting(browser, Mode.BLOCKING) as profile,
    ):
        person = Person(stand, profile)
        tabs = []
        for link in links:
            tabs.append(await person.tab(link))
            await person.is_asked(tabs[-1])
        for n, (tab, link) in enumerate(zip(tabs, links, strict=True), start=1):
            if n == 1:
                await person.give_password(tab)
            else:
                await sets_off(
                    tab, "setTimeout(() => { location.reload(); }, 0)"
                )  # Okta knows the person by now
            await shows(tab, f"You are at /reports/{n}#figures{n}", ALICE)
            assert await tab.address() == stand.app + link
            assert await tab.run("return sessionStorage.length") == 0
            # A browser without windows shows all of its tabs, and six that stream hang the seventh.
            await tab.close()
        assert stand.told().count("login") == 1
