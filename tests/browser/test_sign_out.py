"""Sign in, sign out, in real browsers: afterwards nobody is signed in anywhere."""

from __future__ import annotations

import pytest

from tests.browser.driver import Mode, arrives, shows
from tests.browser.person import ALICE, APPLICATION, Person, sessions

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

EVERYWHERE = pytest.mark.parametrize("mode", [Mode.BLOCKING, Mode.PRIVATE], ids=["blocking", "private"])


@EVERYWHERE
async def test_sign_in_and_out_of_all_three(person: Person) -> None:
    """Sign in with the deep link restored, sign out by the application's own button; all three sessions are gone."""
    stand = person.stand
    tab = await person.sign_in("/reports/3?from=mail#figures")
    assert await arrives(tab, f"{stand.app}/reports/3?from=mail#figures")
    await shows(tab, "You are at /reports/3#figures", "Parcels handled", ALICE)
    assert sessions(stand) == {"okta": 1, "cognito": 1}
    text = await person.sign_out(tab)
    assert "Okta" in text
    assert sessions(stand) == {"okta": 0, "cognito": 0}
    assert await person.receipt(tab) == {
        "This application": "Ended",
        "Cognito": "Confirmed",
        "Okta": "Confirmed",
    }
    await tab.open(f"{stand.app}/reports/3")
    await arrives(tab, f"{stand.okta}/login/")
    assert APPLICATION not in await shows(tab, "Password")
