"""Front-channel single logout: iframes to the other applications of this browser."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import quote

from tests.demo.browser import Page
from tests.demo.lab import Lab


def framed(page: Page) -> list[str]:
    return [unescape(url) for url in re.findall(r'<iframe [^>]*src="([^"]*)"', page.text)]


async def signed_in(lab: Lab, base: str = "/oauth2/v1") -> str:
    """The ID token of alice's sign-in, and the address that her application is called at."""
    lab.set(front_channel_logout=True)
    return (await lab.okta_tokens(base))["id_token"]


def expected(lab: Lab, issuer: str) -> str:
    index = next(iter(lab.idp.okta.sessions.values())).index
    quoted = quote(issuer, safe="")
    return f"{lab.options.app}/oauth2/frontchannel-logout?iss={quoted}&sid={index}"


async def test_sid_is_in_id_tokens_only_with_front_channel_logout(lab: Lab) -> None:
    """And it is the same for all tokens of one session."""
    plain = await lab.okta_tokens("/oauth2/v1")
    lab.set(front_channel_logout=True)
    first, second = await lab.okta_tokens("/oauth2/v1"), await lab.okta_tokens("/oauth2/default/v1")

    assert "sid" not in lab.claims(plain, "id_token")
    assert lab.claims(first, "id_token")["sid"] == lab.claims(second, "id_token")["sid"]


async def test_the_application_that_asked_is_not_called(lab: Lab) -> None:
    """It knows already; with nobody else to call the answer is a redirect."""
    token = await signed_in(lab)
    page = await lab.browser.get(f"{lab.options.okta}/oauth2/v1/logout?id_token_hint={token}")

    assert (page.status, page.header("Location")) == (302, "/login/login.htm")


async def test_single_logout_of_another_application_calls_this_one(lab: Lab) -> None:
    """Cognito ends the session by SAML; the page that leads back to Cognito frames the other application."""
    await lab.sign_in()
    await signed_in(lab)
    lab.set(idp_signout=True, okta_slo=True)
    address = expected(lab, lab.options.okta)
    back = f"{lab.options.app}/logout/done/cognito"

    first = await lab.browser.get(f"{lab.options.cognito}/logout?client_id=demo-client&logout_uri={back}")
    page = await lab.browser.get(first.location, source=first.url)

    assert framed(page) == [address]
    assert f"; frame-src {lab.options.app};" in page.header("Content-Security-Policy")
    assert "setTimeout(go, 3000)" in page.text
    assert page.form()[0] == f"{lab.options.cognito}/saml2/logout"
    assert lab.idp.okta.live_sessions() == []


async def test_login_signout_calls_applications_only_when_switched(lab: Lab) -> None:
    """Each issuer once; the page leads on to where the sign-out would."""
    await signed_in(lab)
    await signed_in(lab, "/oauth2/default/v1")
    await signed_in(lab)
    addresses = [expected(lab, lab.options.okta), expected(lab, f"{lab.options.okta}/oauth2/default")]
    lab.set(signout_fans_out=True)
    url = f"{lab.options.okta}/login/signout?fromURI={lab.options.app}/logged-out"

    page = await lab.browser.get(url)

    assert framed(page) == addresses
    assert page.link("continue") == f"{lab.options.app}/logged-out"
    lab.set(signout_fans_out=False)
    await signed_in(lab)
    assert (await lab.browser.get(url)).status == 302


async def test_login_signout_without_an_address_calls_them_too(lab: Lab) -> None:
    """Then the page leads to Okta's form."""
    await signed_in(lab)
    lab.set(signout_fans_out=True)

    page = await lab.browser.get(f"{lab.options.okta}/login/signout")

    assert len(framed(page)) == 1
    assert page.link("continue") == f"{lab.options.okta}/login/login.htm"
