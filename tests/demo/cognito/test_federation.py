"""What Cognito does when Okta says no, says nonsense, or is not there."""

from __future__ import annotations

import pytest

from gateway.demo.listeners import close
from tests.demo.lab import Lab

oidc = pytest.mark.parametrize("lab", ["oidc"], indirect=True)


def came_back(lab: Lab, query: str) -> str:
    handle = next(iter(lab.idp.cognito.attempts))
    return f"{lab.options.cognito}/oauth2/idpresponse?state={handle}&{query}"


@oidc
@pytest.mark.parametrize(
    ("query", "error"),
    [("error=access_denied", "invalid_request"), ("code=made-up", "server_error")],
)
async def test_a_refusal_or_a_bad_code_goes_back_as_an_error(lab: Lab, query: str, error: str) -> None:
    """Okta's error is an invalid_request, a code Okta does not know a server_error; both name the provider."""
    await lab.to_okta_form()

    page = await lab.browser.get(came_back(lab, query), source=lab.options.okta)

    assert (page.query()["error"], page.query()["state"]) == (error, "state-1")
    assert page.query()["error_description"].startswith("Okta: ")
    assert lab.idp.cognito.live_sessions() == []


@oidc
async def test_way_back_is_good_once_and_only_with_its_cookie(lab: Lab) -> None:
    """An unknown state, or one used before, shows Cognito's own page."""
    await lab.to_okta_form()
    url = came_back(lab, "error=access_denied")

    assert (await lab.browser.get(url)).status == 302
    assert "Something went wrong" in (await lab.browser.get(url)).text
    assert (await lab.browser.get(f"{lab.options.cognito}/oauth2/idpresponse")).status == 400


@oidc
async def test_id_token_for_another_attempt_is_refused(lab: Lab) -> None:
    """The nonce ties Okta's ID token to the attempt it was made for."""
    form = await lab.to_okta_form()
    handle, attempt = next(iter(lab.idp.cognito.attempts.items()))
    changed = {name: getattr(attempt, name) for name in attempt.__slots__} | {"nonce": "another"}
    lab.idp.cognito.attempts[handle] = type(attempt)(**changed)

    page = await lab.browser.post(form.form()[0], {"username": "bob", "password": "demo"}, source=form.url)
    page = await lab.browser.follow(page, until=lab.options.app)

    assert (page.query()["error"], page.query()["error_description"]) == ("server_error", "Okta: nonce")


async def test_unreachable_okta_is_a_server_error_or_no_single_logout(lab: Lab) -> None:
    """Without metadata no sign-in can begin, and a sign-out goes on without Okta."""
    await lab.sign_in()
    lab.set(idp_signout=True, okta_slo=True)
    await close(lab.idp.runners[1:])
    back = f"{lab.options.app}/logout/done/cognito"

    left = await lab.browser.get(f"{lab.options.cognito}/logout?client_id=demo-client&logout_uri={back}")
    page = await lab.browser.get(lab.authorize_url())

    assert left.header("Location") == back
    assert page.query()["error"] == "server_error"
