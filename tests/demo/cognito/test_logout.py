"""/logout by the rules of the fact sheet, single logout included (oracle 1a)."""

from __future__ import annotations

import base64
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from gateway.demo import clock, keys
from gateway.demo.okta.saml_app import ENTITY_ID, signer
from gateway.demo.saml import messages, redirect
from gateway.demo.saml.signing import Signer, signed
from gateway.demo.saml.xml import to_bytes
from tests.demo.browser import Page
from tests.demo.lab import Lab


def address(lab: Lab, **parameters: str) -> str:
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
    return f"{lab.options.cognito}/logout?{query}"


def back(lab: Lab) -> str:
    return f"{lab.options.app}/logout/done/cognito"


async def leave(lab: Lab) -> Page:
    """Sign out at Cognito and go on until the application or a page."""
    url = address(lab, client_id="demo-client", logout_uri=back(lab))
    return await lab.browser.follow(await lab.browser.get(url, source=lab.options.app), until=lab.options.app)


async def test_returns_to_the_registered_address_and_nothing_is_appended(lab: Lab) -> None:
    """State and every other parameter are ignored; no CORS header; the cookie goes."""
    await lab.sign_in()

    page = await lab.browser.get(
        address(lab, client_id="demo-client", logout_uri=back(lab), state="s", nonce="n")
    )

    assert page.header("Location") == back(lab)
    assert page.header("Access-Control-Allow-Origin") == ""
    assert page.cookie_lines()[0].startswith("cognito=; Path=/; Max-Age=0")
    assert lab.idp.cognito.live_sessions() == []
    assert (
        lab.events[-1] == f"Cognito: session of alice@example.com ended by /logout, returned to {back(lab)}"
    )


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "OPTIONS"])
async def test_only_get_is_allowed(lab: Lab, method: str) -> None:
    """Any other method is 405."""
    async with lab.browser.session.request(method, f"{lab.options.cognito}/logout") as response:
        assert response.status == 405


@pytest.mark.parametrize("tail", ["/", "?a=b", "x"])
async def test_logout_uri_is_compared_to_the_byte_and_the_session_ends_all_the_same(
    lab: Lab, tail: str
) -> None:
    """A trailing slash, a query or another path count as absent: error page, session gone, chain stopped."""
    await lab.sign_in()

    page = await lab.browser.get(address(lab, client_id="demo-client", logout_uri=back(lab) + tail))

    assert page.header("Location") == "/error?error=Required+parameters+missing&client_id=demo-client"
    assert lab.idp.cognito.live_sessions() == []
    assert (await lab.browser.follow(page)).status == 400


async def test_normalised_comparison_forgives_a_slash(lab: Lab) -> None:
    """The unconfirmed possibility that Cognito normalises can be switched on."""
    lab.set(logout_uri_match="normalised")

    page = await lab.browser.get(address(lab, client_id="demo-client", logout_uri=f"{back(lab)}/"))

    assert page.header("Location") == f"{back(lab)}/"


async def test_a_callback_url_also_serves(lab: Lab) -> None:
    """A registered callback URL is allowed as logout_uri."""
    page = await lab.browser.get(address(lab, client_id="demo-client", logout_uri=lab.callback))

    assert page.header("Location") == lab.callback


async def test_error_can_be_text_with_another_status_and_may_keep_the_session(lab: Lab) -> None:
    """The other error wording, status 200, and a session that survives are switches."""
    await lab.sign_in()
    lab.set(logout_error="text", error_page_status="200", logout_error_keeps_session=True)

    page = await lab.browser.get(address(lab, client_id="demo-client"))

    assert page.status == 200
    assert "Required String parameter &#x27;redirect_uri&#x27; is not present" in page.text
    assert lab.idp.cognito.live_sessions()


async def test_openid_connect_parameters_end_on_an_error_page(lab: Lab) -> None:
    """id_token_hint and post_logout_redirect_uri are not understood, but the session ends."""
    await lab.sign_in()
    url = address(lab, id_token_hint="x", post_logout_redirect_uri=back(lab))

    page = await lab.browser.get(url)

    assert page.header("Location").startswith("/error?error=Missing+required+parameter+client_id")
    assert lab.idp.cognito.live_sessions() == []
    lab.set(logout_oidc_style="login")
    assert (await lab.browser.get(url)).header("Location").startswith("/login?id_token_hint=x")


async def test_form_two_leads_to_the_sign_in_page(lab: Lab) -> None:
    """With redirect_uri the browser goes to /login with state; identity_provider is dropped."""
    await lab.sign_in()
    given = {"client_id": "demo-client", "redirect_uri": lab.callback, "response_type": "code", "state": "s"}

    page = await lab.browser.get(address(lab, **given, identity_provider="Okta"))

    assert urlsplit(page.header("Location")).path == "/login"
    assert dict(parse_qsl(urlsplit(page.header("Location")).query)) == given
    assert "provider-okta" in (await lab.browser.follow(page)).text
    assert lab.idp.cognito.live_sessions() == []


async def test_logout_can_strand_the_browser(lab: Lab) -> None:
    """The session ends but the browser does not come back."""
    await lab.sign_in()
    lab.set(logout_strands=True)

    page = await leave(lab)

    assert page.status == 400
    assert lab.idp.cognito.live_sessions() == []


async def test_single_logout_ends_both(lab: Lab) -> None:
    """Oracle 1a: signed redirect to Okta, POST back, on to logout_uri; both sessions are over."""
    lab.set(idp_signout=True, okta_slo=True)
    await lab.sign_in()
    device = lab.browser.cookie(lab.options.okta, "DT")

    first = await lab.browser.get(address(lab, client_id="demo-client", logout_uri=back(lab)))
    names = [name for name, _ in parse_qsl(urlsplit(first.location).query)]
    second = await lab.browser.get(first.location, source=first.url)
    action, fields = second.form()
    third = await lab.browser.post(action, fields, source=second.url)

    assert first.location.startswith(f"{lab.options.okta}/app/demo_cognito/")
    assert names == ["SAMLRequest", "RelayState", "SigAlg", "Signature"]
    assert len(fields["RelayState"]) > 80
    assert (second.status, action) == (200, f"{lab.options.cognito}/saml2/logout")
    assert (third.status, third.header("Location")) == (302, back(lab))
    assert lab.idp.cognito.live_sessions() == lab.idp.okta.live_sessions() == []
    assert lab.browser.cookie(lab.options.cognito, "cognito") is None
    assert lab.browser.cookie(lab.options.okta, "DT") == device
    again = await lab.browser.post(action, fields, source=second.url)
    assert "Something went wrong" in again.text


async def test_single_logout_needs_both_sides_and_fresh_metadata(lab: Lab) -> None:
    """Set up at Cognito alone, or with metadata read too early, Okta is not asked."""
    lab.set(idp_signout=True, stale_metadata=True)
    await lab.sign_in()
    lab.set(okta_slo=True)

    page = await leave(lab)

    assert page.header("Location") == back(lab)
    assert lab.idp.okta.live_sessions()


@pytest.mark.parametrize("lab", ["oidc"], indirect=True)
async def test_openid_connect_federation_has_no_single_logout(lab: Lab) -> None:
    """Cognito never calls Okta's end-session for an OpenID Connect provider."""
    lab.set(idp_signout=True, okta_slo=True)
    await lab.sign_in()

    assert (await leave(lab)).header("Location") == back(lab)
    assert lab.idp.okta.live_sessions()


async def test_okta_that_never_answers_leaves_cognito_unfinished(lab: Lab) -> None:
    """By default Cognito's session ends after the trip, so a lost browser stays signed in there."""
    lab.set(idp_signout=True, okta_slo=True, slo_answer="never")
    await lab.sign_in()

    page = await leave(lab)

    assert "Okta (emulated)" in page.text
    assert (len(lab.idp.cognito.live_sessions()), len(lab.idp.okta.live_sessions())) == (1, 0)


async def test_session_may_end_before_the_trip(lab: Lab) -> None:
    """The other order is a switch."""
    lab.set(idp_signout=True, okta_slo=True, slo_answer="never", slo_session_ends="before")
    await lab.sign_in()

    await leave(lab)

    assert lab.idp.cognito.live_sessions() == []


async def test_failed_status_stops_on_an_error_page_or_goes_on(lab: Lab) -> None:
    """A LogoutResponse that is not Success is an error, unless switched."""
    lab.set(idp_signout=True, okta_slo=True, slo_answer="failed")
    await lab.sign_in()

    assert (await leave(lab)).status == 400
    assert lab.idp.cognito.live_sessions()
    lab.set(slo_failed_status="finish")
    assert (await leave(lab)).header("Location") == back(lab)


async def test_single_logout_fails_when_oktas_session_is_over(lab: Lab) -> None:
    """Okta shows an error page and the browser never returns, unless its flag is off."""
    lab.set(idp_signout=True, okta_slo=True)
    await lab.sign_in()
    await lab.browser.get(f"{lab.options.okta}/login/signout")

    page = await leave(lab)

    assert page.status == 403
    lab.set(slo_needs_session=False)
    assert (await leave(lab)).header("Location") == back(lab)


async def test_wrong_certificate_is_authn_failed_or_a_bare_page(lab: Lab) -> None:
    """A LogoutRequest that Okta cannot verify is answered with AuthnFailed, or 403."""
    lab.set(idp_signout=True, okta_slo=True, slo_wrong_certificate=True)
    await lab.sign_in()

    assert (await leave(lab)).url == f"{lab.options.cognito}/saml2/logout"
    assert lab.idp.okta.live_sessions()
    lab.set(slo_bad_signature="error_page")
    assert (await leave(lab)).status == 403


async def test_logout_request_with_re_encoded_query_is_a_bad_signature(lab: Lab) -> None:
    """The signature covers the raw bytes: lower-case percent-encoding breaks it."""
    lab.set(idp_signout=True, okta_slo=True, slo_bad_signature="error_page")
    await lab.sign_in()
    url = (await lab.browser.get(address(lab, client_id="demo-client", logout_uri=back(lab)))).location
    head, _, query = url.partition("?")
    assert redirect.from_query(query).message.tag.endswith("LogoutRequest")

    page = await lab.browser.get(
        f"{head}?{query.replace('%2B', '%2b').replace('%3D', '%3d').replace('%2F', '%2f')}"
    )

    assert page.status == 403
    assert (await lab.browser.get(f"{head}?SAMLRequest=%21")).status == 400
    assert (await lab.browser.get(f"{head}?{query}&RelayState=x")).status == 400
    lab.set(okta_slo=False)
    assert (await lab.browser.get(url)).status == 404


@pytest.mark.parametrize("forge", ["unsigned", "stranger", "another", "rubbish"])
async def test_forged_logout_response_never_finishes(lab: Lab, forge: str) -> None:
    """Unsigned, signed by a stranger, answering another request or no message at all: an error page."""
    lab.set(idp_signout=True, okta_slo=True, slo_failed_status="finish")
    await lab.sign_in()
    away = (await lab.browser.get(address(lab, client_id="demo-client", logout_uri=back(lab)))).location
    fields = (await lab.browser.get(away)).form()[1]
    trip = next(iter(lab.idp.cognito.trips.values()))
    target = f"{lab.options.cognito}/saml2/logout"
    answers = "_another" if forge == "another" else trip.message_id
    envelope = messages.Envelope("l1", ENTITY_ID, target, clock.now(), answers)
    response = messages.status_response("LogoutResponse", envelope, messages.SUCCESS)
    if forge != "unsigned":
        stranger = Signer(keys.signing_key("stranger").private, keys.certificate("stranger"))
        response = signed(response, signer() if forge == "another" else stranger)
    encoded = "***" if forge == "rubbish" else base64.b64encode(to_bytes(response)).decode()

    page = await lab.browser.post(target, fields | {"SAMLResponse": encoded}, source=lab.options.okta)

    assert page.status == 400
    assert lab.idp.cognito.live_sessions()


async def test_single_logout_in_form_two_ends_on_the_sign_in_page(lab: Lab) -> None:
    """After the trip to Okta the browser lands on /login."""
    lab.set(idp_signout=True, okta_slo=True)
    await lab.sign_in()
    url = address(lab, client_id="demo-client", redirect_uri=lab.callback, response_type="code")

    page = await lab.browser.follow(await lab.browser.get(url), until=lab.options.app)

    assert page.url.startswith(f"{lab.options.cognito}/login?")
    assert lab.idp.cognito.live_sessions() == lab.idp.okta.live_sessions() == []


async def test_signing_out_twice_is_told_but_harmless(lab: Lab) -> None:
    """Without a session both logouts still return, and the event line says that nobody was signed in."""
    assert (await leave(lab)).header("Location") == back(lab)
    assert lab.events[-1] == f"Cognito: nobody was signed in at /logout, returned to {back(lab)}"
