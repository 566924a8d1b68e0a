"""A sign-out that another site starts, where ``logout.cross_site: allow`` says that it may (rules R13, R23)."""

from __future__ import annotations

import pytest

from tests.fakes.browser import Browser
from tests.flows.conftest import Stand

ALLOWED = {"logout:\n": "logout:\n  cross_site: allow\n  targets: {home: 'https://www.example.com/'}\n"}
pytestmark = pytest.mark.parametrize("stand", [{"replaced": ALLOWED}], indirect=True)


async def signed_in(stand: Stand, browser: Browser) -> str:
    """A browser on another site's page; what somebody has copied out of it."""
    await stand.sign_in(browser, "/api/me")
    await browser.navigate(f"{stand.okta}/", site="none")
    return browser.cookie_header(stand.app)


async def refused(stand: Stand, copied: str) -> bool:
    answer = await stand.browser().fetch(f"{stand.app}/api/me", Cookie=copied)
    return answer.status == 401


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", "")])
async def test_r23_another_site_s_navigation_signs_out_without_a_question(
    stand: Stand, browser: Browser, method: str, body: str | None
) -> None:
    """A link and a form alike, the session itself included: with the form browsers send no cookie of ours."""
    copied = await signed_in(stand, browser)
    answer = await browser.navigate(
        f"{stand.app}/logout?to=home", method=method, body=body, site="cross-site"
    )
    end = await browser.follow(answer, site="cross-site")

    assert end.path == "/logged-out"
    assert "https://www.example.com/" in end.text
    assert await refused(stand, copied)
    assert "__Host-session" not in browser.cookie_names(stand.app)
    told = [kind for kind in stand.told() if kind != "token_revoked"]
    assert told[-4:] == ["logout_started", "hop_returned", "hop_returned", "logout_finished"]
    assert stand.audit[-4].session is not None


async def test_r13_what_is_no_person_s_navigation_still_starts_nothing(
    stand: Stand, browser: Browser
) -> None:
    """Frames, images, prefetches and fetches of the other site."""
    copied = await signed_in(stand, browser)
    url, site = f"{stand.app}/logout", {"Sec-Fetch-Site": "cross-site"}
    for method, headers in (
        ("GET", {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}),
        ("GET", {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}),
        ("GET", {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch"}),
        ("POST", {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty", "Origin": stand.okta}),
        ("POST", {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Origin": stand.okta}),
    ):
        answer = await browser.send(method, url, {**site, **headers}, None)
        assert answer.status in {403, 405}
        assert answer.set_cookies() == []
    assert not await refused(stand, copied)
