"""SAML messages as elements, unsigned (SAML core 2.0)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lxml import etree

from gateway.demo.clock import instant
from gateway.demo.saml.xml import ASSERTION, POST_BINDING, PROTOCOL, tag

EMAIL_FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
BASIC = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"  # noqa: S105 - a name, not a secret
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
RESPONDER = "urn:oasis:names:tc:SAML:2.0:status:Responder"
AUTHN_FAILED = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"
LIFE = 300


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every message has; *at* is UTC seconds."""

    id: str
    issuer: str
    destination: str
    at: int
    in_response_to: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom an assertion is about."""

    name_id: str
    session_index: str
    auth_time: int
    attributes: Mapping[str, Sequence[str]]


def authn_request(envelope: Envelope, *, acs: str, force: bool) -> etree._Element:
    """Return an AuthnRequest (core 3.4.1) that wants its answer posted to *acs*."""
    extra = {"AssertionConsumerServiceURL": acs, "ProtocolBinding": POST_BINDING}
    return _message("AuthnRequest", envelope, extra | ({"ForceAuthn": "true"} if force else {}))


def logout_request(envelope: Envelope, *, name_id: str, session_index: str) -> etree._Element:
    """Return a LogoutRequest (core 3.7.1), good for five minutes."""
    request = _message("LogoutRequest", envelope, {"NotOnOrAfter": instant(envelope.at + LIFE)})
    _child(request, ASSERTION, "NameID", name_id, Format=EMAIL_FORMAT)
    _child(request, PROTOCOL, "SessionIndex", session_index)
    return request


def status_response(kind: str, envelope: Envelope, status: str) -> etree._Element:
    """Return a Response or LogoutResponse (*kind*) that has nothing but a status (core 3.2.2)."""
    response = _message(kind, envelope, {"InResponseTo": str(envelope.in_response_to)})
    outer = _child(response, PROTOCOL, "Status")
    code = _child(outer, PROTOCOL, "StatusCode", Value=status if status == SUCCESS else RESPONDER)
    if status not in {SUCCESS, RESPONDER}:
        _child(code, PROTOCOL, "StatusCode", Value=status)
    return response


def assertion(envelope: Envelope, subject: Subject, *, audience: str) -> etree._Element:
    """Return an Assertion (core 2.3.3) for the bearer, good for five minutes around *envelope.at*."""
    element = etree.Element(tag(ASSERTION, "Assertion"), nsmap={"saml": ASSERTION})
    element.attrib.update(_header(envelope))
    _child(element, ASSERTION, "Issuer", envelope.issuer)
    about = _child(element, ASSERTION, "Subject")
    _child(about, ASSERTION, "NameID", subject.name_id, Format=EMAIL_FORMAT)
    confirmation = _child(about, ASSERTION, "SubjectConfirmation", Method=BEARER)
    until = instant(envelope.at + LIFE)
    proof = {
        "Recipient": envelope.destination,
        "NotOnOrAfter": until,
        "InResponseTo": str(envelope.in_response_to),
    }
    _child(confirmation, ASSERTION, "SubjectConfirmationData", **proof)
    limits = {"NotBefore": instant(envelope.at - LIFE), "NotOnOrAfter": until}
    conditions = _child(element, ASSERTION, "Conditions", **limits)
    _child(_child(conditions, ASSERTION, "AudienceRestriction"), ASSERTION, "Audience", audience)
    _add_statements(element, subject)
    return element


def _add_statements(element: etree._Element, subject: Subject) -> None:
    when = {"AuthnInstant": instant(subject.auth_time), "SessionIndex": subject.session_index}
    statement = _child(element, ASSERTION, "AuthnStatement", **when)
    context = _child(statement, ASSERTION, "AuthnContext")
    _child(context, ASSERTION, "AuthnContextClassRef", PASSWORD)
    attributes = _child(element, ASSERTION, "AttributeStatement")
    for name, values in subject.attributes.items():
        attribute = _child(attributes, ASSERTION, "Attribute", Name=name, NameFormat=BASIC)
        for value in values:
            _child(attribute, ASSERTION, "AttributeValue", value)


def _message(kind: str, envelope: Envelope, extra: Mapping[str, str]) -> etree._Element:
    element = etree.Element(tag(PROTOCOL, kind), nsmap={"samlp": PROTOCOL, "saml": ASSERTION})
    element.attrib.update(_header(envelope) | {"Destination": envelope.destination} | dict(extra))
    _child(element, ASSERTION, "Issuer", envelope.issuer)
    return element


def _header(envelope: Envelope) -> dict[str, str]:
    return {"ID": envelope.id, "Version": "2.0", "IssueInstant": instant(envelope.at)}


def _child(
    parent: etree._Element, namespace: str, name: str, text: str | None = None, **attributes: str
) -> etree._Element:
    child = etree.SubElement(parent, tag(namespace, name), attributes)
    child.text = text
    return child
