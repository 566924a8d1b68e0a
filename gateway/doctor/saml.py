"""SAML single logout behind Cognito: does the provider's metadata offer it?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from html.parser import HTMLParser

from gateway.app.options import relying_party
from gateway.doctor.check import check
from gateway.doctor.patient import Patient
from gateway.doctor.probe import NoAnswerError
from gateway.doctor.verdict import Observation, failed, ok, unknown, warning
from gateway.oidc.wire import printable

REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
_ORDER = (
    "at Okta enable Single Logout first (Single Logout URL, SP Issuer, Signature Certificate:"
    " `gateway doctor --register`),"
    " then refresh the metadata at Cognito; a pasted file must be replaced"
)


@check("saml-slo", "Could Cognito end the session of the SAML provider behind it?")
async def saml_slo(patient: Patient) -> AsyncIterator[Observation]:
    settings = patient.settings
    if not relying_party(settings).kind.broker or not settings.provider.identity_provider:
        return
    if not patient.saml_metadata:
        what = "whether Cognito uses SAML single logout is not needed for the chain, and was not looked at"
        yield unknown("SAML metadata", what, "name the metadata of your SAML app with --saml-metadata URL")
        return
    url = patient.saml_metadata
    try:
        seen = await patient.probe.get(url)
    except NoAnswerError as error:
        yield failed(url, str(error), "copy the metadata URL from Okta: your SAML app > Sign On")
        return
    services = single_logout_services(seen.body)
    if seen.status != 200 or services is None:
        what = f"it answers {seen.status} without SAML metadata"
        yield failed(url, what, "copy the metadata URL from Okta: your SAML app > Sign On")
    elif REDIRECT in services:
        yield ok(url, f"SingleLogoutService by redirect at {printable(services[REDIRECT], 120)}")
        what = (
            "whether Okta has Cognito's certificate, and whether Cognito's provider has Add sign-out"
            " flow, only a sign-out"
            " tells; where Okta's session is already over, its single logout fails unless Okta Support changes that"
        )
        yield unknown(url, what, "keep okta_signout in logout.chain: it works in either case")
    elif services:
        yield warning(url, "SingleLogoutService without the redirect binding, which Cognito needs", _ORDER)
    else:
        yield warning(
            url, "no SingleLogoutService, so Cognito cannot end this provider's session by SAML", _ORDER
        )


def single_logout_services(text: str) -> dict[str, str] | None:
    """Binding to address of each ``SingleLogoutService`` of an identity provider; None when it is no metadata.

    Read tag by tag and not as XML: nothing in a stranger's document is expanded or fetched.
    """
    reader = _Metadata()
    reader.feed(text)
    return reader.services if reader.described else None


class _Metadata(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.described = False
        self.services: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Names come in lower case, with whatever prefix the document has."""
        name = tag.rpartition(":")[2]
        found = {key: value or "" for key, value in attrs}
        if name == "idpssodescriptor":
            self.described = True
        elif name == "singlelogoutservice" and self.described:
            self.services.setdefault(found.get("binding", ""), found.get("location", ""))


CHECKS = (saml_slo,)
