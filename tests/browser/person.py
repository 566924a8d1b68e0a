"""What people do in a scenario: sign in, sign out, look who is still signed in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import ClientSession, DummyCookieJar, TCPConnector

from gateway.web.pages.catalogue import message
from tests.browser.driver import POLL, LeavingError, Profile, Tab, arrives, eventually, shows
from tests.fakes.browser import Browser, Loopback
from tests.flows.conftest import Stand

ALICE = "alice@example.com"
BOB = "bob@example.com"
PASSWORD = "demo"
SIGN_OUT = 'form[action^="/logout"] button'
APPLICATION = "Fernway Parcels"
"""Words on every page of the application, and on no other."""
UNCACHED = "/api/uncached"
"""A page of the application whose upstream says nothing about caching."""
OF_THE_APPLICATION = ("Fernway", "All reports")
SIGN_IN_PATH = "/login/"
"""Where Okta's password form is."""
ALL_ENDED = {
    message("page.this_application"): message("line.ended"),
    "Cognito": message("line.confirmed"),
    "Okta": message("line.confirmed"),
}
SESSION_COOKIE = "__Host-session"
UNHURRIED = "const begun = Date.now(); window.Date.now = () => begun"
"""The page's clock stands still. A tab that is on its way to sign out is called back after ten seconds, however slow the
machine is on which all others walk with it.
"""
HAS_ASKED = """
return Boolean(window.gatewaySignOut) && performance.getEntriesByName(location.origin + "/oauth2/session").length > 0;
"""
SIGN_OUT_UNSEEN = """
fetch("/logout", {method: "POST", headers: {accept: "application/json"}, keepalive: true}).catch(() => 0);
return 0;
"""
"""Signs out from the page that is open, which may leave before the answer has come: so nobody waits for that."""


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

    async def sign_in(self, path: str = "/", user: str = ALICE) -> Tab:
        """A new tab at ``path``, through the password form at Okta, back in the application."""
        tab = await self.tab(path)
        await self.give_password(tab, user)
        await shows(tab, APPLICATION)
        return tab

    async def has_signed_in(self, path: str = "/", user: str = ALICE) -> Tab:
        """A new tab at ``path``, in a browser that keeps the cookies of a sign-in and has seen none of its pages.

        Where a sign-in is not what is tried, that costs half: whatever a test of it needs, `sign_in` does.
        """
        connector = TCPConnector(resolver=Loopback(), use_dns_cache=False, ssl=False)
        async with ClientSession(connector=connector, cookie_jar=DummyCookieJar()) as session:
            elsewhere = Browser(session)
            await self.stand.sign_in(elsewhere, path, user=user)
            await self.profile.take(elsewhere.kept())
        tab = await self.tab(path)
        await shows(tab, APPLICATION)
        return tab

    async def give_password(self, tab: Tab, user: str = ALICE) -> None:
        """Fill in Okta's form, which must be there."""
        await self.is_asked(tab)
        await tab.fill("#username", user)
        await tab.fill("#password", PASSWORD)
        await tab.click("button[type=submit]")

    async def is_asked(self, tab: Tab) -> None:
        """Okta asks for the password in ``tab``."""
        await arrives(tab, self.stand.okta + SIGN_IN_PATH)
        await shows(tab, "User name", "Password")

    async def sign_out(self, tab: Tab) -> dict[str, str]:
        """Press the application's own button; what the receipt says."""
        await press_sign_out(tab)
        return await self.receipt(tab)

    async def receipt(self, tab: Tab) -> dict[str, str]:
        """What the receipt, which ``tab`` must come to, says of each session: label -> chip."""
        await arrives(tab, f"{self.stand.app}/logged-out")
        await shows(tab, message("receipt.heading"))
        body = (
            "return [...document.querySelectorAll('main li')].map((line) =>"
            " [line.querySelector('h3').innerText, line.querySelector('.chip').innerText])"
        )
        return dict(await eventually(lambda: tab.run(body), bool, what="the receipt has its lines"))


async def press_sign_out(tab: Tab) -> None:
    """The application's own button, in a page that then goes all the way, however long that takes."""
    await tab.run(UNHURRIED)
    await tab.click(SIGN_OUT)


async def running(tab: Tab) -> None:
    """Wait until the tab script runs in ``tab`` and has heard who is signed in."""
    await eventually(lambda: tab.run(HAS_ASKED), bool, what="tab.js has asked")


async def fetched(tab: Tab, path: str = "/api/me") -> tuple[int, Any]:
    """Status and JSON of a fetch by the page in ``tab``."""
    body = (
        "const answer = await fetch(args[0]); return [answer.status, await answer.json().catch(() => null)]"
    )
    status, data = await tab.run(body, path)
    return int(status), data


async def never_shows_the_application(tab: Tab, *, during: float = 0.5) -> None:
    """Watch the whole document for ``during`` seconds: nothing of the application is in it."""
    end = time.monotonic() + during
    while time.monotonic() < end:
        try:
            everything = str(await tab.run("return document.documentElement?.outerHTML || ''"))
        except LeavingError:
            everything = ""
        assert not [word for word in OF_THE_APPLICATION if word in everything], await tab.address()
        await asyncio.sleep(2 * POLL)


async def replayed(stand: Stand, cookies: Mapping[str, str], path: str = "/api/me") -> int:
    """The status of a request to the gateway by somebody else who has copied ``cookies``."""
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    connector = TCPConnector(resolver=Loopback(), use_dns_cache=False, ssl=False)
    async with ClientSession(connector=connector, cookie_jar=DummyCookieJar()) as session:
        headers = {"Cookie": header, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
        async with session.get(stand.app + path, headers=headers, allow_redirects=False) as answer:
            return answer.status


def sessions(stand: Stand) -> dict[str, int]:
    """How many browser sessions Okta and Cognito hold, as their /__control says."""
    okta = stand.idp.control.okta.snapshot()["sessions"]
    cognito = stand.idp.control.cognito.snapshot()["sessions"]
    assert isinstance(okta, list) and isinstance(cognito, list)
    return {"okta": len(okta), "cognito": len(cognito)}


NOBODY = {"okta": 0, "cognito": 0}
EVERYBODY = {"okta": 1, "cognito": 1}


def asked_cognito(stand: Stand, path: str) -> int:
    """How often a browser has asked for ``path`` at Cognito."""
    return sum(call.path == path for call in stand.idp.cognito.common.calls)


def unregister_at_okta(stand: Stand) -> None:
    """Take the application off Okta's trusted origins."""
    okta = stand.idp.okta.common
    okta.options = replace(okta.options, app="http://elsewhere.localhost")


def unregister_at_cognito(stand: Stand) -> None:
    """Take the gateway's return address off Cognito's allowed sign-out URLs."""
    cognito = stand.idp.cognito.common
    callback = f"{stand.app}/oauth2/callback"
    cognito.options = replace(cognito.options, app="http://elsewhere.localhost", callback_urls=(callback,))
