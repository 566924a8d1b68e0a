"""Checking what an identity provider sent: Response with an Assertion, and LogoutResponse."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from gateway.demo.saml.messages import BEARER, SUCCESS
from gateway.demo.saml.signing import has_signature, verified
from gateway.demo.saml.xml import (
    ASSERTION,
    MOST_BYTES,
    NAMESPACES,
    PROTOCOL,
    SamlError,
    only,
    parse,
    tag,
    text_of,
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What an answer must agree with; *now* is UTC seconds."""

    issuer: str
    certificate: str
    destination: str
    in_response_to: str
    audience: str
    now: int


@dataclass(frozen=True, slots=True)
class Asserted:
    """What a good assertion says."""

    assertion_id: str
    expires: int
    name_id: str
    session_index: str
    signed_in: int
    attributes: dict[str, tuple[str, ...]]


def read_response(encoded: str, expected: Expected) -> Asserted:
    """Return what the Response in *encoded* (base64, POST binding) asserts; SamlError unless all of it holds."""
    response = parse(_decoded(encoded))
    if response.tag != tag(PROTOCOL, "Response"):
        raise SamlError("the message is not a Response")
    if has_signature(response):
        response = verified(response, expected.certificate)
        _check_envelope(response, expected)
        trusted = only(response, "saml:Assertion")
    else:
        _check_envelope(response, expected)
        trusted = verified(only(response, "saml:Assertion"), expected.certificate)
    _check_assertion(trusted, expected)
    return _asserted(trusted)


def read_logout_response(encoded: str, expected: Expected) -> bool:
    """Return whether the LogoutResponse in *encoded* says Success; SamlError when it cannot be trusted."""
    response = parse(_decoded(encoded))
    if response.tag != tag(PROTOCOL, "LogoutResponse"):
        raise SamlError("the message is not a LogoutResponse")
    response = verified(response, expected.certificate)
    _check_origin(response, expected)
    return _status(response) == SUCCESS


def _decoded(encoded: str) -> bytes:
    if len(encoded) > MOST_BYTES:
        raise SamlError("the message is too long")
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SamlError("the message is not base64") from error


def _check_envelope(response: etree._Element, expected: Expected) -> None:
    _check_origin(response, expected)
    if _status(response) != SUCCESS:
        raise SamlError("the status is not Success")


def _check_origin(message: etree._Element, expected: Expected) -> None:
    if text_of(only(message, "saml:Issuer")) != expected.issuer:
        raise SamlError("the issuer is another one")
    if message.get("Destination") != expected.destination:
        raise SamlError("the message is meant for another address")
    if message.get("InResponseTo") != expected.in_response_to:
        raise SamlError("the message answers another request")


def _status(message: etree._Element) -> str | None:
    value: str | None = only(message, "samlp:Status/samlp:StatusCode").get("Value")
    return value


def _check_assertion(assertion: etree._Element, expected: Expected) -> None:
    if text_of(only(assertion, "saml:Issuer")) != expected.issuer:
        raise SamlError("the assertion's issuer is another one")
    conditions = only(assertion, "saml:Conditions")
    if text_of(only(conditions, "saml:AudienceRestriction/saml:Audience")) != expected.audience:
        raise SamlError("the assertion is for another audience")
    if not _moment(conditions, "NotBefore") <= expected.now < _moment(conditions, "NotOnOrAfter"):
        raise SamlError("the assertion is not valid now")
    confirmation = only(assertion, f"saml:Subject/saml:SubjectConfirmation[@Method='{BEARER}']")
    proof = only(confirmation, "saml:SubjectConfirmationData")
    if proof.get("Recipient") != expected.destination or proof.get("InResponseTo") != expected.in_response_to:
        raise SamlError("the assertion was made for another request")
    if expected.now >= _moment(proof, "NotOnOrAfter"):
        raise SamlError("the assertion came too late")


def _moment(element: etree._Element, name: str) -> int:
    try:
        return int(datetime.fromisoformat(element.get(name, "")).timestamp())
    except ValueError as error:
        raise SamlError(f"{name} is missing or not a time") from error


def _asserted(assertion: etree._Element) -> Asserted:
    attributes: dict[str, tuple[str, ...]] = {}
    for attribute in assertion.findall("saml:AttributeStatement/saml:Attribute", NAMESPACES):
        values = attribute.findall(tag(ASSERTION, "AttributeValue"))
        attributes[attribute.get("Name", "")] = tuple(text_of(value) for value in values)
    statements = assertion.findall("saml:AuthnStatement", NAMESPACES)
    if not statements:
        raise SamlError("the assertion says nothing about signing in")
    return Asserted(
        assertion_id=assertion.get("ID", ""),
        expires=_moment(only(assertion, "saml:Conditions"), "NotOnOrAfter"),
        name_id=text_of(only(assertion, "saml:Subject/saml:NameID")),
        session_index=statements[0].get("SessionIndex", ""),
        signed_in=_moment(statements[0], "AuthnInstant"),
        attributes=attributes,
    )
