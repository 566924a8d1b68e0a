"""Sessions that were ended from outside stay ended (rule R1)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from gateway.core import clock
from gateway.core.session.revocation_keys import email_key
from gateway.core.signout.revocation import NewEntry
from gateway.web.pages.catalogue import message
from tests.flows.conftest import Stand
from tests.flows.revoked import nothing_waits
from tests.flows.stores import BOTH

STORES = BOTH


def killed() -> NewEntry:
    """What the operator, or somebody's event, writes into the log."""
    return NewEntry(email_key("bob@example.com"), clock.now() + 50_000, "admin")


async def test_r01_an_outside_kill_runs_the_chain_before_the_next_sign_in(stand: Stand) -> None:
    """Killed from outside, a browser is not let back in by Cognito's cookie: the chain first, then the password."""
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me", user="bob@example.com")
    await stand.gateway.log.append([killed()])
    assert (await browser.fetch(f"{stand.app}/api/me")).status == 401
    end = await browser.goto(f"{stand.app}/api/me?from=mail")
    visited = [urlsplit(seen.url).path for seen in browser.seen[-8:]]
    assert "/logout/done/cognito" in visited
    assert "/login/signout" in visited
    assert end.path == "/logged-out"
    assert message("ended.by_provider") in end.text
    link = re.search(r'id="sign-in" href="([^"]*)"', end.text)
    assert link
    form = await browser.goto(stand.app + link[1], source=stand.app)
    assert form.asks_for_password
    page = await browser.submit(form, username="bob@example.com", password="demo")
    assert (page.status, page.path) == (200, "/api/me?from=mail")


async def test_r01_a_kill_also_reaches_who_has_no_cookie_of_ours(stand: Stand) -> None:
    """With Cognito's session alone, the callback finds the entry: no session, the chain first, no token left."""
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me", user="bob@example.com")
    browser.cookies = {key: value for key, value in browser.cookies.items() if key[0] not in stand.app}
    await stand.gateway.log.append([killed()])
    form = await browser.goto(f"{stand.app}/api/me")
    assert form.asks_for_password
    assert "__Host-session" not in browser.cookie_names(stand.app)
    visited = [urlsplit(seen.url).path for seen in browser.seen]
    assert (
        visited.index("/oauth2/callback")
        < visited.index("/logout/done/cognito")
        < visited.index("/login/signout")
    )
    await nothing_waits(stand.gateway)
    tokens = stand.idp.control.cognito.snapshot()["tokens"]
    assert isinstance(tokens, list)
    assert [token["revoked"] for token in tokens if token["kind"] == "refresh"][-1] is True
