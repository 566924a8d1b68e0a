"""Sessions of the application ended from Okta's side, as somebody sees it who runs the demo."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from tests.flows.conftest import standing

FRAME = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"}


async def test_a_sign_out_at_okta_reaches_the_application_through_an_iframe(tmp_path: Path) -> None:
    """The frame is cross-site and carries no cookie of ours; the session is dead all the same."""
    async with standing(tmp_path, federation="okta") as stand:
        stand.set(signout_fans_out=True)
        browser = stand.browser()
        await stand.sign_in(browser, "/api/me")
        copied = browser.cookie_header(stand.app)

        page = await browser.goto(f"{stand.okta}/login/signout")
        [address] = re.findall(r'<iframe [^>]*src="([^"]*)"', page.text)
        thief = stand.browser()
        framed = await thief.send("GET", unescape(address), FRAME, None)

        assert (framed.status, framed.header("X-Frame-Options")) == (200, "")
        assert (await thief.fetch(f"{stand.app}/api/me", Cookie=copied)).status == 401
