"""SAML metadata of the provider behind Cognito."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.doctor.saml import REDIRECT, single_logout_services
from tests.doctor.deployment import FAILED, OK, UNKNOWN, WARNING, Deployment
from tests.fakes.puppet import Puppet, Says

POST = REDIRECT.replace("Redirect", "POST")


def metadata(*services: str, descriptor: str = "IDPSSODescriptor") -> str:
    return (
        '<?xml version="1.0"?><md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="okta">'
        f"<md:{descriptor}>{''.join(services)}</md:{descriptor}></md:EntityDescriptor>"
    )


def service(binding: str) -> str:
    return f'<md:SingleLogoutService Binding="{binding}" Location="https://okta.example/slo"/>'


@pytest.mark.parametrize(
    ("answer", "verdicts", "said"),
    [
        (Says(body=metadata(service(REDIRECT)), kind="text/xml"), [OK, UNKNOWN], "https://okta.example/slo"),
        (Says(body=metadata(service(POST), service(REDIRECT))), [OK, UNKNOWN], "by redirect"),
        (Says(body=metadata(service(POST))), [WARNING], "without the redirect binding"),
        (Says(body=metadata()), [WARNING], "no SingleLogoutService"),
        (
            Says(body=metadata(service(REDIRECT), descriptor="SPSSODescriptor")),
            [FAILED],
            "without SAML metadata",
        ),
        (Says(404), [FAILED], "404"),
        (Says(body="<html>sign in</html>"), [FAILED], "without SAML metadata"),
        (Says(raw=b"?"), [FAILED], ""),
    ],
)
async def test_trap_10_single_logout_is_in_the_metadata_or_not(
    cognito: Deployment, idp: Puppet, answer: Says, verdicts: list[object], said: str
) -> None:
    """Cognito can call only what the metadata shows; the order of the settings is in the fix."""
    idp.lines["/metadata"] = answer
    seen = await cognito.seen("saml-slo", saml_metadata=f"{idp.origin('okta')}/metadata")
    assert [each.verdict for each in seen] == verdicts, seen
    assert said in seen[0].what
    if verdicts == [WARNING]:
        assert "enable Single Logout first" in seen[0].fix


async def test_trap_11_and_12_what_metadata_does_not_show_is_said(cognito: Deployment, idp: Puppet) -> None:
    """The certificate at Okta, and a session there that is over already."""
    idp.lines["/metadata"] = Says(body=metadata(service(REDIRECT)))
    _, rest = await cognito.seen("saml-slo", saml_metadata=f"{idp.origin('okta')}/metadata")
    assert "certificate" in rest.what
    assert "already over" in rest.what
    assert "okta_signout" in rest.fix


async def test_without_its_address_nothing_is_looked_at(cognito: Deployment, openid: Deployment) -> None:
    """It is not needed for the chain."""
    assert (await cognito.only("saml-slo")).verdict is UNKNOWN
    assert await openid.seen("saml-slo") == []


def test_nothing_in_it_is_expanded() -> None:
    """An entity stays as it stands, and an address in it is not fetched."""
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>'
    found = single_logout_services(
        bomb + metadata(f'<SingleLogoutService Binding="{REDIRECT}" Location="&b;&c;"/>')
    )
    assert found == {REDIRECT: "&b;&c;"}


@given(st.text())
def test_nothing_it_says_raises(text: str) -> None:
    """It is a stranger's document."""
    single_logout_services(text)
    single_logout_services(metadata(text))
