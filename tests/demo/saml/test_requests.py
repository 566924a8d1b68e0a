"""AuthnRequests at Okta: signed or not, whole or broken, by redirect and by POST."""

from __future__ import annotations

import base64

import pytest

from gateway.demo import clock
from gateway.demo.okta.saml_app import SSO_PATH, acs_url, sp_entity_id
from gateway.demo.saml import messages, redirect
from gateway.demo.saml.metadata import read
from gateway.demo.saml.xml import SamlError, to_bytes
from tests.demo.lab import Lab


async def test_signed_requests_are_checked_over_the_raw_query(lab: Lab) -> None:
    """Cognito signs when switched; Okta refuses a signature that does not fit, and no signature if it wants one."""
    unsigned = await lab.browser.get(lab.authorize_url())
    lab.set(saml_sign_request=True, okta_signed_requests=True)
    signed = await lab.browser.get(lab.authorize_url())

    assert "Signature=" not in unsigned.location
    assert "Signature=" in signed.location
    assert len(signed.query()["RelayState"]) > 80
    assert (await lab.browser.get(unsigned.location)).status == 400
    assert (await lab.browser.get(signed.location)).status == 302
    assert (await lab.browser.get(signed.location.replace("RelayState=", "RelayState=x"))).status == 400
    lab.set(slo_wrong_certificate=True)
    assert (await lab.browser.get(signed.location)).status == 400


async def test_request_by_post_works_too(lab: Lab) -> None:
    """The POST binding leads to the form, unless signatures are required."""
    target = f"{lab.options.okta}{SSO_PATH}"
    envelope = messages.Envelope("_1", sp_entity_id(lab.options), target, clock.now())
    message = messages.authn_request(envelope, acs=acs_url(lab.options), force=False)
    fields = {"SAMLRequest": base64.b64encode(to_bytes(message)).decode(), "RelayState": "r"}

    assert (await lab.browser.post(target, fields)).header("Location").startswith("/login/login.htm")
    assert (await lab.browser.post(target, {"SAMLRequest": "x"})).status == 400
    lab.set(okta_signed_requests=True)
    assert (await lab.browser.post(target, fields)).status == 400


@pytest.mark.parametrize("part", ["issuer", "acs", "kind"])
async def test_request_of_another_application_is_refused(lab: Lab, part: str) -> None:
    """Another issuer, another address for the answer, another message: a page at Okta."""
    target = f"{lab.options.okta}{SSO_PATH}"
    issuer = "urn:another" if part == "issuer" else sp_entity_id(lab.options)
    envelope = messages.Envelope("_1", issuer, target, clock.now())
    if part == "kind":
        message = messages.logout_request(envelope, name_id="n", session_index="i")
    else:
        acs = "https://evil.example/" if part == "acs" else acs_url(lab.options)
        message = messages.authn_request(envelope, acs=acs, force=False)

    page = await lab.browser.get(f"{target}?{redirect.to_query(message, 'r', None)}")

    assert page.status == 400


async def test_metadata_shows_single_logout_only_when_it_is_set_up(lab: Lab) -> None:
    """Okta lists SingleLogoutService after its switch is on, and Cognito reads the same document."""
    url = f"{lab.options.okta}/app/exkdemocognito0d7/sso/saml/metadata"
    before = read((await lab.browser.get(url)).text.encode())
    lab.set(okta_slo=True)
    after = read((await lab.browser.get(url)).text.encode())

    assert before.slo_url is None
    assert after.slo_url == f"{lab.options.okta}/app/demo_cognito/exkdemocognito0d7/slo/saml"
    assert before.certificate == after.certificate
    with pytest.raises(SamlError):
        read(b"<EntityDescriptor xmlns='urn:oasis:names:tc:SAML:2.0:metadata'/>")


@pytest.mark.parametrize("query", ["", "SAMLRequest=%21", "SAMLRequest=AAAA", "SAMLRequest=x&SAMLRequest=y"])
def test_broken_queries_are_refused(query: str) -> None:
    """Nothing, no base64, no deflate, or a parameter twice."""
    with pytest.raises(SamlError):
        redirect.from_query(query)
