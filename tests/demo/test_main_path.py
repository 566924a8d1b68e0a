"""The wire oracle: sign in through both emulators, sign out of both, and what is left afterwards."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.demo.lab import Lab

both = pytest.mark.parametrize("lab", ["oidc", "saml"], indirect=True)


@both
async def test_sign_in_goes_through_okta_and_comes_back_with_a_code(lab: Lab) -> None:
    """A first sign-in shows Okta's form, returns code and state, and sets cognito, idx and DT."""
    page = await lab.sign_in()

    assert page.location.startswith(f"{lab.callback}?code=")
    assert page.query()["state"] == "state-1"
    assert lab.browser.cookie(lab.options.cognito, "cognito")
    assert lab.browser.cookie(lab.options.okta, "idx")
    assert lab.browser.cookie(lab.options.okta, "DT")
    assert lab.browser.cookie(lab.options.cognito, "csrf-state") is None


@both
async def test_cognito_session_gives_a_code_without_asking_okta(lab: Lab) -> None:
    """While the cognito cookie lives, authorize answers with a code at once."""
    await lab.sign_in()
    before = len(lab.idp.okta.common.calls)

    page = await lab.browser.get(lab.authorize_url(), source=lab.options.app)

    assert page.query()["code"]
    assert len(lab.idp.okta.common.calls) == before


@both
async def test_hub_logout_ends_both_sessions(lab: Lab) -> None:
    """Oracle 1b: each hop returns to the exact address, DT stays, and the next sign-in needs the password."""
    tokens = await lab.tokens(await lab.sign_in())
    app, browser = lab.options.app, lab.browser
    device = browser.cookie(lab.options.okta, "DT")
    back, done = f"{app}/logout/done/cognito", f"{app}/logged-out"

    revoked = await lab.post_json(f"{lab.options.cognito}/oauth2/revoke", {"token": tokens["refresh_token"]})
    first = await browser.get(
        f"{lab.options.cognito}/logout?client_id=demo-client&logout_uri={quote(back, safe='')}", source=app
    )
    second = await browser.get(f"{lab.options.okta}/login/signout?fromURI={quote(done, safe='')}", source=app)

    assert revoked == (200, {})
    assert (first.status, first.header("Location")) == (302, back)
    assert (second.status, second.header("Location")) == (302, done)
    assert browser.cookie(lab.options.cognito, "cognito") is None
    assert browser.cookie(lab.options.okta, "idx") is None
    assert browser.cookie(lab.options.okta, "DT") == device
    assert "Okta (emulated)" in (await lab.to_okta_form()).text
    assert (await lab.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"]))[1][
        "error"
    ] == ("invalid_grant")
    assert lab.idp.cognito.live_sessions() == lab.idp.okta.live_sessions() == []


@both
async def test_cognito_logout_alone_leaves_okta_signed_in(lab: Lab) -> None:
    """Without the Okta hop one click signs in again, no password asked."""
    await lab.sign_in()
    back = quote(f"{lab.options.app}/logout/done/cognito", safe="")

    await lab.browser.get(f"{lab.options.cognito}/logout?client_id=demo-client&logout_uri={back}")
    page = await lab.silent(identity_provider=None)
    again = await lab.browser.follow(await lab.browser.get(page.link("provider-okta")), until=lab.options.app)

    assert again.query()["code"]


@both
async def test_okta_logout_alone_leaves_cognito_signed_in(lab: Lab) -> None:
    """Without the Cognito hop authorize still gives a code at once."""
    await lab.sign_in()

    await lab.browser.get(f"{lab.options.okta}/login/signout")
    page = await lab.silent()

    assert page.query()["code"]
