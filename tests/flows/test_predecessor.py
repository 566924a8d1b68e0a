"""``logout.expire_cookies``: what the gateway's predecessor has left in the browser (protocol facts A.13)."""

from __future__ import annotations

import pytest

from tests.flows.conftest import Stand

LEFT = ("_oauth2_proxy", "AWSELBAuthSessionCookie-0", "AWSELBAuthSessionCookie-1")
EXPIRING = {"logout:\n": "logout:\n  expire_cookies: [_oauth2_proxy, AWSELBAuthSessionCookie-*]\n"}


@pytest.mark.parametrize("stand", [{"replaced": EXPIRING}], indirect=True)
@pytest.mark.parametrize("way", ["/logout", "/oauth2/sessions?end=all"])
async def test_the_predecessor_s_cookies_go_with_the_first_answer(stand: Stand, way: str) -> None:
    """A proxy that is put back, or still runs for another path, would let the person in by them; others stay."""
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    host = stand.app.partition("//")[2]
    for name in (*LEFT, "theme"):
        browser.cookies[host, name] = ("x", "")
    await browser.navigate(stand.app + way, method="POST", body="", site="same-origin")

    assert browser.cookie_names(stand.app) == {"__Host-logout", "theme"}
    expired = [line for line in browser.seen[-1].set_cookies() if line.startswith("_oauth2_proxy=;")]
    assert [line.partition("Domain=")[2] for line in expired] == ["", "app.localhost"]
