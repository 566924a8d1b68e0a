"""The main job over real sockets: sign in, gate everything, log out of all three."""

from __future__ import annotations

from tests.fakes.browser import Browser
from tests.flows.conftest import Stand
from tests.flows.stores import BOTH

STORES = BOTH


async def test_sign_in_restores_the_deep_link(stand: Stand, browser: Browser) -> None:
    """A navigation to a deep link ends there after the sign-in, with a session cookie that is locked down."""
    page = await stand.sign_in(browser, "/api/me")
    assert (page.status, page.path) == (200, "/api/me")
    assert '"alice@example.com"' in page.text
    assert browser.cookie_names(stand.app) >= {"__Host-session"}
    landing = next(seen for seen in browser.seen if "/oauth2/callback" in seen.url)
    session = next(line for line in landing.set_cookies() if line.startswith("__Host-session="))
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(session.split("; "))
    assert "Domain" not in session


async def test_logout_ends_all_three_sessions(stand: Stand, browser: Browser) -> None:
    """After /logout Cognito and Okta have no session, the receipt says so, and the next sign-in asks for a password."""
    await stand.sign_in(browser, "/api/me")
    copied = browser.cookie_header(stand.app)
    receipt = await stand.sign_out(browser)
    assert (receipt.status, receipt.path) == (200, "/logged-out")
    assert not stand.idp.control.okta.snapshot()["sessions"]
    assert not stand.idp.control.cognito.snapshot()["sessions"]
    data = await browser.fetch(f"{stand.app}/logged-out", Accept="application/json")
    assert '"cognito", "status": "returned"' in data.text
    assert '"okta_signout", "status": "returned"' in data.text
    replay = await stand.browser().send("GET", f"{stand.app}/api/me", {"Cookie": copied}, None)
    assert replay.status == 401
    again = await browser.goto(f"{stand.app}/api/me")
    assert again.asks_for_password
