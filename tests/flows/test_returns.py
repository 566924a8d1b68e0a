"""What counts as a return, and what a sign-out is not kept from."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.fakes.browser import Browser
from tests.flows.conftest import Stand, standing

NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}


async def begun(stand: Stand, browser: Browser) -> str:
    """Sign out up to Okta's hop; the return address given to it."""
    await stand.sign_in(browser, "/api/me")
    page = await stand.sign_out(browser, until=f"{stand.okta}/login/signout")
    return parse_qs(urlsplit(page.location).query)["fromURI"][0]


async def test_r28_nobody_else_knows_the_return_address(stand: Stand, browser: Browser) -> None:
    """Okta's return address has a nonce of this chain; the bare address and a guess confirm nothing."""
    address = await begun(stand, browser)
    bare = f"{stand.app}/logout/done/okta_signout"
    assert address.startswith(f"{bare}/")
    for wrong in (bare, f"{bare}/guess", f"{bare}/*"):
        await browser.navigate(wrong, site="cross-site")
        receipt = await browser.fetch(f"{stand.app}/logged-out", Accept="application/json")
        assert '"okta_signout", "status": "pending"' in receipt.text
    await browser.navigate(address, site="cross-site")
    receipt = await browser.fetch(f"{stand.app}/logged-out", Accept="application/json")
    assert '"okta_signout", "status": "returned"' in receipt.text


async def test_r28_a_page_of_ours_returns_from_nowhere(stand: Stand, browser: Browser) -> None:
    """A link on the application to the return address confirms nothing: a provider is another origin."""
    address = await begun(stand, browser)
    await browser.navigate(address, site="same-origin")
    receipt = await browser.fetch(f"{stand.app}/logged-out", Accept="application/json")
    assert '"okta_signout", "status": "pending"' in receipt.text


async def test_an_unknown_target_keeps_nobody_signed_in(stand: Stand, browser: Browser) -> None:
    """The sign-out goes on without the target that is not configured."""
    await stand.sign_in(browser, "/api/me")
    answer = await browser.navigate(f"{stand.app}/logout?to=elsewhere", site="same-origin")
    assert answer.status == 302
    assert (await browser.fetch(f"{stand.app}/api/me")).status == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({}, 201),
    ],
)
async def test_r08_a_public_route_is_no_target_for_other_sites(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    """A route open to Anonymous refuses what a browser sends for another site, and takes what is no browser's."""
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "open.cedar").write_text('@id("open") permit (principal is Anonymous, action, resource);')
    async with standing(tmp_path, replaced={"builtin:groups": str(policies)}) as stand:
        sent = {"Content-Type": "application/json", **headers}
        answer = await stand.browser().send("POST", f"{stand.app}/api/notes", sent, '{"text": "hello"}')
        assert answer.status == status, answer.text
