"""Signing in after a revocation, in real browsers: how often the password is asked for, and where it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core import clock
from gateway.core.session.revocation_keys import email_key
from gateway.core.signout.revocation import NewEntry
from gateway.web.pages import pages
from gateway.web.pages.catalogue import message
from gateway.web.reasons import BY_OPERATOR
from tests.browser.driver import BrowserDriver, Mode, shows, visiting
from tests.browser.person import ALICE, Person
from tests.browser.world import OVER_TLS, taking_place
from tests.flows.conftest import Stand, standing

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LINK = "/reports/3?from=mail#figures"
SHOWN = "You are at /reports/3#figures"


async def revoked(stand: Stand) -> None:
    """What `gateway sessions revoke --email` writes."""
    entry = NewEntry(email_key(ALICE), clock.now() + 43_260, BY_OPERATOR)
    assert (await stand.gateway.log.append([entry])).durable


def given(stand: Stand) -> int:
    """How many passwords Okta was given."""
    calls = stand.idp.okta.common.calls
    return sum((call.method, call.path) == ("POST", "/login/login.htm") for call in calls)


async def test_r01_where_auth_time_proves_it_one_password_is_enough(
    tmp_path: Path, browser: BrowserDriver
) -> None:
    """Okta is the provider itself; a browser that was never here."""
    async with (
        standing(tmp_path, federation="okta") as stand,
        visiting(browser, Mode.BLOCKING) as profile,
    ):
        await revoked(stand)
        tab = await Person(stand, profile).sign_in(LINK)
        await shows(tab, SHOWN, ALICE)
        assert await tab.address() == stand.app + LINK
        assert given(stand) == 1


@taking_place(*OVER_TLS)
async def test_r01_elsewhere_one_round_says_why_and_leads_back_by_itself(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind Cognito: the page with the reason moves on unasked, and path, query and fragment are those of the link."""
    monkeypatch.setattr(
        pages, "READ_WITHIN", 15
    )  # seconds: people need fewer, a browser on a busy machine more
    stand = person.stand
    await revoked(stand)
    tab = await person.tab(LINK)
    await person.give_password(tab)
    await shows(tab, message("once_more.title"), message("ended.operator"))
    await person.give_password(tab)
    await shows(tab, SHOWN, ALICE)
    assert await tab.address() == stand.app + LINK
    assert given(stand) == 2
    assert await tab.run("return sessionStorage.length") == 0
