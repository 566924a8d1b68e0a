"""An identity provider's metadata: written by Okta, read by Cognito."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from lxml import etree

from gateway.demo.saml.xml import (
    METADATA,
    NAMESPACES,
    POST_BINDING,
    REDIRECT_BINDING,
    SIGNATURE,
    only,
    parse,
    tag,
    text_of,
    to_bytes,
)

PROTOCOLS = "urn:oasis:names:tc:SAML:2.0:protocol"


@dataclass(frozen=True, slots=True)
class IdpMetadata:
    """Who the identity provider is, where it listens, and the certificate (PEM) of its signing key."""

    entity_id: str
    sso_url: str
    slo_url: str | None
    certificate: str


def write(idp: IdpMetadata) -> bytes:
    """Return the EntityDescriptor (SAML metadata 2.3.2)."""
    root = etree.Element(tag(METADATA, "EntityDescriptor"), nsmap={"md": METADATA, "ds": SIGNATURE})
    root.set("entityID", idp.entity_id)
    role = etree.SubElement(root, tag(METADATA, "IDPSSODescriptor"))
    role.set("WantAuthnRequestsSigned", "false")
    role.set("protocolSupportEnumeration", PROTOCOLS)
    key = etree.SubElement(role, tag(METADATA, "KeyDescriptor"), {"use": "signing"})
    data = etree.SubElement(etree.SubElement(key, tag(SIGNATURE, "KeyInfo")), tag(SIGNATURE, "X509Data"))
    etree.SubElement(data, tag(SIGNATURE, "X509Certificate")).text = "".join(
        idp.certificate.splitlines()[1:-1]
    )
    if idp.slo_url:
        _endpoint(role, "SingleLogoutService", REDIRECT_BINDING, idp.slo_url)
        _endpoint(role, "SingleLogoutService", POST_BINDING, idp.slo_url)
    _endpoint(role, "SingleSignOnService", REDIRECT_BINDING, idp.sso_url)
    _endpoint(role, "SingleSignOnService", POST_BINDING, idp.sso_url)
    return to_bytes(root)


def read(document: bytes) -> IdpMetadata:
    """Return what *document* says; SamlError when something is missing."""
    root = parse(document)
    role = only(root, "md:IDPSSODescriptor")
    certificate = text_of(
        only(role, "md:KeyDescriptor[@use='signing']/ds:KeyInfo/ds:X509Data/ds:X509Certificate")
    )
    slo = role.find(f"md:SingleLogoutService[@Binding='{REDIRECT_BINDING}']", NAMESPACES)
    return IdpMetadata(
        entity_id=root.get("entityID", ""),
        sso_url=only(role, f"md:SingleSignOnService[@Binding='{REDIRECT_BINDING}']").get("Location", ""),
        slo_url=None if slo is None else slo.get("Location"),
        certificate=_pem(certificate),
    )


def _endpoint(role: etree._Element, name: str, binding: str, location: str) -> None:
    etree.SubElement(role, tag(METADATA, name), {"Binding": binding, "Location": location})


def _pem(encoded: str) -> str:
    lines = textwrap.wrap("".join(encoded.split()), 64)
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])
