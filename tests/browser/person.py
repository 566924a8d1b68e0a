"""What people do in a scenario: sign in, sign out, look who is still signed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.browser.driver import Profile, Tab, arrives, shows
from tests.flows.conftest import Stand

ALICE = "alice@example.com"
PASSWORD = "demo"
PASSWORD_FORM = ("User name", "Password")
SIGN_OUT = 'form[action="/logout"] button'
APPLICATION = "Fernway Parcels"
"""A word on every page of the application, and on no other."""


@dataclass(frozen=True)
class Person:
    """Somebody with one browser, in front of one running product."""

    stand: Stand
    profile: Profile

    async def tab(self, path: str = "") -> Tab:
        """A new tab, at ``path`` of the application if given."""
        tab = await self.profile.tab()
        if path:
            await tab.open(self.stand.app + path)
        return tab

    async def sign_in(self, path: str = "/") -> Tab:
        """A new tab at ``path``, through the password form at Okta, back in the application."""
        tab = await self.tab(path)
        await self.give_password(tab)
        await shows(tab, APPLICATION)
        return tab

    async def give_password(self, tab: Tab, user: str = ALICE) -> None:
        """Fill in Okta's form, which must be there."""
        await arrives(tab, f"{self.stand.okta}/login/")
        await shows(tab, *PASSWORD_FORM)
        await tab.fill("#username", user)
        await tab.fill("#password", PASSWORD)
        await tab.click("button[type=submit]")

    async def sign_out(self, tab: Tab) -> str:
        """Press the application's own button; the words of the receipt."""
        await tab.click(SIGN_OUT)
        await arrives(tab, f"{self.stand.app}/logged-out")
        return await shows(tab, "Sign-out receipt")

    async def receipt(self, tab: Tab) -> dict[str, str]:
        """What the receipt in ``tab`` says of each session: label -> chip."""
        body = (
            "return [...document.querySelectorAll('main li')].map((line) =>"
            " [line.querySelector('h3').innerText, line.querySelector('.chip').innerText])"
        )
        return dict(await tab.run(body))

    async def api(self, tab: Tab, path: str = "/api/me") -> tuple[int, Any]:
        """Status and JSON of a fetch by the page in ``tab``."""
        body = "const answer = await fetch(args[0]); return [answer.status, await answer.json().catch(() => null)]"
        status, data = await tab.run(body, path)
        return int(status), data


def sessions(stand: Stand) -> dict[str, int]:
    """How many browser sessions Okta and Cognito hold, as their /__control says."""
    okta = stand.idp.control.okta.snapshot()["sessions"]
    cognito = stand.idp.control.cognito.snapshot()["sessions"]
    assert isinstance(okta, list) and isinstance(cognito, list)
    return {"okta": len(okta), "cognito": len(cognito)}
