"""/login/signout: what it ends and where it goes."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.demo.browser import Page
from tests.demo.lab import Lab

LOGIN = "/login/login.htm"


async def sign_out(lab: Lab, target: str = "") -> Page:
    query = f"?fromURI={quote(target, safe='')}" if target else ""
    return await lab.browser.get(f"{lab.options.okta}/login/signout{query}", source=lab.options.app)


async def test_trusted_target_gets_the_browser_back_unchanged(lab: Lab) -> None:
    """302 to fromURI with its query; idx and sid go, DT is not touched."""
    await lab.sign_in()
    target = f"{lab.options.app}/logout/done/oidc?a=%2F&b"

    page = await sign_out(lab, target)

    assert (page.status, page.header("Location")) == (302, target)
    assert [line.partition("=")[0] for line in page.cookie_lines()] == ["idx", "sid"]
    assert page.header("Cache-Control") == "no-store"
    assert lab.idp.okta.live_sessions() == []
    assert lab.events[-1].endswith(f"ended by /login/signout, returned to {target.partition('?')[0]}")


@pytest.mark.parametrize(
    "target",
    [
        "http://app.localhost:8099/",
        "https://app.localhost:8080/",
        "//app.localhost:8080",
        "javascript:x",
        "http://[",
    ],
)
async def test_untrusted_target_ends_the_session_and_keeps_the_browser(lab: Lab, target: str) -> None:
    """Another scheme, host or port is not followed: sign-in page, or an error page by switch."""
    await lab.sign_in()

    assert (await sign_out(lab, target)).header("Location") == LOGIN
    assert lab.idp.okta.live_sessions() == []
    lab.set(signout_untrusted="error_page")
    assert (await sign_out(lab, target)).status == 400


async def test_without_target_or_with_a_relative_one(lab: Lab) -> None:
    """No fromURI means the sign-in page; a path on Okta is accepted unless switched off."""
    assert (await sign_out(lab)).header("Location") == LOGIN
    assert (await sign_out(lab, "/app/UserHome")).header("Location") == "/app/UserHome"
    lab.set(signout_relative=False)
    assert (await sign_out(lab, "/app/UserHome")).header("Location") == LOGIN


async def test_unconfirmed_manners_are_switches(lab: Lab) -> None:
    """Query dropped, interstitial page, sign-in page for strangers, and a page that goes nowhere."""
    target = f"{lab.options.app}/logged-out"
    lab.set(signout_keeps_query=False)
    assert (await sign_out(lab, f"{target}?a=b")).header("Location") == target
    lab.set(signout_without_session="login_page")
    assert (await sign_out(lab, target)).header("Location") == LOGIN
    await lab.sign_in()
    lab.set(signout_interstitial=True)
    page = await sign_out(lab, target)
    assert (page.status, page.link("continue")) == (200, target)
    lab.set(signout_strands=True)
    assert "does not go on" in (await sign_out(lab, target)).text


async def test_tokens_survive_unless_switched(lab: Lab) -> None:
    """OAuth tokens of Okta live on after /login/signout."""
    await lab.okta_tokens("/oauth2/v1")
    await sign_out(lab)
    assert lab.idp.okta.common.issued
    assert not any(token.revoked for token in lab.idp.okta.common.issued)

    await lab.okta_tokens("/oauth2/v1")
    lab.set(signout_revokes_tokens=True)
    await sign_out(lab)
    assert all(token.revoked for token in lab.idp.okta.common.issued)
