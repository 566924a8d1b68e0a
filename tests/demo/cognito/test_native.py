"""Cognito's own people: a form at Cognito, and tokens that name no identity provider."""

from __future__ import annotations

import pytest

from tests.demo.browser import Page
from tests.demo.lab import Lab

pytestmark = pytest.mark.parametrize("lab", ["cognito"], indirect=True)


async def to_form(lab: Lab, **changes: str | None) -> Page:
    page = await lab.browser.get(lab.authorize_url(identity_provider=None, **changes), source=lab.options.app)
    page = await lab.browser.follow(page, until=lab.options.app)
    assert page.url.startswith(f"{lab.options.cognito}/login?")
    return page


async def submit(lab: Lab, form: Page, **fields: str) -> Page:
    action, hidden = form.form()
    page = await lab.browser.post(action, hidden | fields, source=form.url)
    return await lab.browser.follow(page, until=lab.options.app)


async def test_sign_in_without_okta(lab: Lab) -> None:
    """The form is Cognito's, Okta hears nothing, and the next sign-in is silent."""
    page = await submit(lab, await to_form(lab), username="alice@example.com", password="demo")

    assert page.query()["code"]
    assert [user for user, _ in lab.idp.cognito.live_sessions()] == ["alice@example.com"]
    assert (await lab.silent(identity_provider=None)).query()["code"]
    assert list(lab.idp.okta.common.calls) == []
    assert lab.events == ["Cognito: alice@example.com signed in with a password", *lab.events[1:]]


async def test_tokens_name_no_provider(lab: Lab) -> None:
    """No identities and no nonce that nobody sent; the user name is the sub."""
    page = await submit(lab, await to_form(lab, nonce=None), username="bob", password="demo")
    tokens = await lab.tokens(page)
    claims = lab.claims(tokens, "id_token")

    assert {"identities", "nonce"} & set(claims) == set()
    assert claims["cognito:username"] == claims["sub"]
    assert (claims["email"], claims["cognito:groups"]) == ("bob@example.com", ["staff"])
    lab.set(automatic_group=True, step_up=True)
    refreshed = await lab.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert lab.claims(refreshed[1], "id_token")["cognito:groups"] == ["staff"]
    assert lab.claims(refreshed[1], "id_token")["amr"] == ["pwd"]


async def test_password_and_browser_must_be_right(lab: Lab) -> None:
    """A wrong password, or a form that another site fills in, shows the form again."""
    form = await to_form(lab)

    wrong = await submit(lab, form, username="alice@example.com", password="guess")
    forged = await lab.browser.post(
        form.url, {"username": "alice", "password": "demo"}, source="http://evil.test"
    )

    assert (wrong.status, forged.status) == (400, 400)
    assert 'role="alert"' in wrong.text
    assert lab.idp.cognito.live_sessions() == []


async def test_prompt_login_shows_the_form_again(lab: Lab) -> None:
    """A living session is not asked then."""
    await submit(lab, await to_form(lab), username="alice", password="demo")

    await to_form(lab, prompt="login", login_hint="alice@example.com")

    assert 'value="alice@example.com"' in lab.browser.visited[-1].text


async def test_okta_is_not_offered(lab: Lab) -> None:
    """Its name is unknown here, and with Okta in use the form is not taken."""
    assert (await lab.browser.get(lab.authorize_url())).query()["error"] == "invalid_request"
    form = await to_form(lab)
    lab.set(federation="saml")

    assert (await submit(lab, form, username="alice", password="demo")).status == 405


async def test_sign_out_returns_at_once(lab: Lab) -> None:
    """No single logout for people whom Okta does not know, even where it is set up."""
    await submit(lab, await to_form(lab), username="alice", password="demo")
    lab.set(idp_signout=True, okta_slo=True)
    back = f"{lab.options.app}/logout/done/cognito"

    page = await lab.browser.get(f"{lab.options.cognito}/logout?client_id=demo-client&logout_uri={back}")

    assert page.header("Location") == back
    assert lab.idp.cognito.live_sessions() == []
