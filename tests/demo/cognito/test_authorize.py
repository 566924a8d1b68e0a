"""/oauth2/authorize and /login by the rules of the fact sheet."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.demo.lab import Lab


@pytest.mark.parametrize(
    "changes", [{"client_id": "somebody"}, {"redirect_uri": "http://app.localhost:8080/other"}]
)
async def test_unknown_client_or_redirect_stays_on_cognitos_error_page(
    lab: Lab, changes: dict[str, str]
) -> None:
    """An unknown client or redirect_uri never goes back to the application."""
    page = await lab.browser.get(lab.authorize_url(**changes))
    error = await lab.browser.follow(page)

    assert urlsplit(page.header("Location")).path == "/error"
    assert page.query()["error"] == "redirect_mismatch"
    assert error.status == 400
    assert error.header("Cache-Control") == "no-store"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unauthorized_client"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"scope": "unheard-of"}, "invalid_scope"),
        ({"scope": "email"}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"identity_provider": "Nobody"}, "invalid_request"),
    ],
)
async def test_malformed_request_goes_back_with_an_error(
    lab: Lab, changes: dict[str, str], error: str
) -> None:
    """A valid client gets the error as a redirect, with its state."""
    page = await lab.browser.get(lab.authorize_url(**changes))

    assert page.location.startswith(lab.callback)
    assert (page.query()["error"], page.query()["state"]) == (error, "state-1")


async def test_json_state_is_refused_and_not_returned(lab: Lab) -> None:
    """State that is JSON is an invalid request."""
    page = await lab.browser.get(lab.authorize_url(state='{"a":1}'))

    assert page.query()["error"] == "invalid_request"
    assert "state" not in page.query()


async def test_picker_is_shown_and_leads_to_okta(lab: Lab) -> None:
    """Without identity_provider the browser lands on /login, whose button goes to Okta."""
    page = await lab.silent(identity_provider=None, lang="de")

    assert urlsplit(page.url).path == "/login"
    assert "Cognito hosted UI (emulated)" in page.text
    assert lab.browser.cookie(lab.options.cognito, "lang") == "de"
    assert (
        'name="password"'
        in (await lab.browser.follow(await lab.browser.get(page.link("provider-okta")))).text
    )


async def test_idp_identifier_skips_the_picker(lab: Lab) -> None:
    """The e-mail domain of the provider works like its name."""
    await lab.to_okta_form(identity_provider=None, idp_identifier="example.com")


async def test_prompt_login_asks_again_only_as_far_as_the_switches_say(lab: Lab) -> None:
    """Managed login drops its own session on prompt=login; without ForceAuthn Okta lets the person in anyway."""
    await lab.sign_in()
    calls = len(lab.idp.okta.common.calls)

    page = await lab.silent(prompt="login")

    assert page.query()["code"]
    assert len(lab.idp.okta.common.calls) > calls


async def test_prompt_login_is_ignored_by_classic_branding(lab: Lab) -> None:
    """The older pages give the silent code."""
    await lab.sign_in()
    lab.set(branding="classic")
    calls = len(lab.idp.okta.common.calls)

    page = await lab.silent(prompt="login")

    assert page.query()["code"]
    assert len(lab.idp.okta.common.calls) == calls


async def test_force_authn_makes_okta_ask_for_the_password(lab: Lab) -> None:
    """With ForceAuthn on, prompt=login reaches Okta's form, and the password leads back."""
    await lab.sign_in()
    lab.set(saml_force_authn=True)

    assert (await lab.sign_in(prompt="login")).query()["code"]

    lab.set(honor_force_authn=False)
    assert (await lab.silent(prompt="login")).query()["code"]


@pytest.mark.parametrize("lab", ["oidc"], indirect=True)
async def test_prompt_login_and_login_hint_are_forwarded_by_openid_connect(lab: Lab) -> None:
    """Okta asks for the password again and the form has the hint in it."""
    await lab.sign_in()

    form = await lab.to_okta_form(prompt="login", login_hint="bob@example.com")

    assert 'value="bob@example.com"' in form.text
    assert (await lab.sign_in("bob@example.com", prompt="login")).query()["code"]


async def test_session_is_an_hour_and_does_not_slide_unless_switched(lab: Lab) -> None:
    """The cookie's life is fixed at sign-in; 0 minutes means no silent sign-in."""
    page = await lab.sign_in()
    lines = [line for line in page.cookie_lines() if line.startswith("cognito=")]

    assert "Max-Age=3600" in lines[0]
    assert lines[0].endswith("Secure; HttpOnly; SameSite=Lax")
    assert (await lab.silent()).cookie_lines() == []

    lab.set(cognito_session_sliding=True)
    assert (await lab.silent()).cookie_lines()[0].startswith("cognito=")

    lab.set(cognito_session_minutes=0)
    assert (await lab.silent(prompt="none")).query()["error"] == "login_required"


async def test_cookie_attributes_follow_their_switches(lab: Lab) -> None:
    """SameSite of cognito and csrf-state can be anything a browser knows."""
    lab.set(cognito_cookie_same_site="Strict", csrf_state_same_site="Lax")

    begun = await lab.browser.get(lab.authorize_url())
    done = await lab.sign_in()

    assert begun.cookie_lines()[0].startswith("csrf-state=")
    assert begun.cookie_lines()[0].endswith("SameSite=Lax")
    assert any(
        line.startswith("cognito=") and line.endswith("SameSite=Strict") for line in done.cookie_lines()
    )


async def test_max_age_counts_only_with_step_up(lab: Lab) -> None:
    """max_age is honoured, and acr and amr appear, only where the 2026 feature is on."""
    await lab.sign_in()
    assert (await lab.silent(max_age="0", prompt="none")).query()["code"]

    lab.set(step_up=True)
    lab.idp.cognito.sessions[next(iter(lab.idp.cognito.sessions))].created -= 10

    assert (await lab.silent(max_age="5", prompt="none")).query()["error"] == "login_required"
    assert lab.claims(await lab.tokens(await lab.silent()), "id_token")["acr"] == "urn:cognito:loa:1"


async def test_response_carries_iss_when_switched(lab: Lab) -> None:
    """RFC 9207's iss is there on demand."""
    assert "iss" not in (await lab.sign_in()).query()

    lab.set(authorize_iss=True)

    assert (await lab.silent()).query()["iss"] == lab.options.issuer


async def test_every_sign_in_can_be_made_to_fail(lab: Lab) -> None:
    """The application sees the error and a free text it should not show."""
    lab.set(authorize_error="server_error")

    page = await lab.sign_in()

    assert (page.query()["error"], page.query()["state"]) == ("server_error", "state-1")
    assert lab.idp.cognito.live_sessions() == []


async def test_sign_in_that_takes_too_long_never_reaches_the_application(lab: Lab) -> None:
    """After five minutes Cognito shows "Something went wrong"."""
    form = await lab.to_okta_form()
    lab.set(sign_in_seconds=0)

    page = await lab.browser.post(form.form()[0], {"username": "alice", "password": "demo"})
    page = await lab.browser.follow(page, until=lab.options.app)

    assert page.status == 400
    assert "Something went wrong" in page.text


async def test_sign_in_begun_in_another_browser_is_refused(lab: Lab) -> None:
    """The csrf-state cookie ties the way back to the browser that left."""
    form = await lab.to_okta_form()
    lab.browser.cookies = {key: value for key, value in lab.browser.cookies.items() if "csrf" not in key[1]}

    page = await lab.browser.post(form.form()[0], {"username": "alice", "password": "demo"})

    assert "Something went wrong" in (await lab.browser.follow(page, until=lab.options.app)).text
