"""Forged, stolen and mangled SAML responses, posted to the real endpoint."""

from __future__ import annotations

import base64
from collections.abc import Callable
from copy import deepcopy

import pytest
from lxml import etree

from gateway.demo import clock, keys
from gateway.demo.okta.saml_app import ENTITY_ID, acs_url, signer, sp_entity_id
from gateway.demo.saml import messages
from gateway.demo.saml.signing import Signer, signed
from gateway.demo.saml.xml import NAMESPACES, parse, to_bytes
from tests.demo.browser import Page
from tests.demo.lab import Lab

STRANGER = Signer(keys.signing_key("stranger").private, keys.certificate("stranger"))


async def okta_answer(lab: Lab) -> tuple[str, dict[str, str]]:
    """Sign in at Okta and return the form it wants posted: action and fields."""
    form = await lab.to_okta_form()
    page = await lab.browser.post(form.form()[0], {"username": "alice", "password": "demo"}, source=form.url)
    return (await lab.browser.get(page.location)).form()


async def deliver(lab: Lab, action: str, fields: dict[str, str], document: bytes | str) -> Page:
    encoded = document if isinstance(document, str) else base64.b64encode(document).decode()
    return await lab.browser.post(action, fields | {"SAMLResponse": encoded}, source=lab.options.okta)


def refused(lab: Lab, page: Page) -> str:
    """Return Cognito's reason, after checking that nobody was signed in."""
    assert page.location.startswith(f"{lab.callback}?error=invalid_request"), page
    assert lab.idp.cognito.live_sessions() == []
    return page.query()["error_description"]


def made(
    lab: Lab,
    request_id: str,
    *,
    by: Signer,
    at: int | None = None,
    audience: str = "",
    assertion_id: str = "a1",
) -> etree._Element:
    """Return a signed Response of our own making."""
    options = lab.options
    now = clock.now() if at is None else at
    outer = messages.Envelope("r1", ENTITY_ID, acs_url(options), now, request_id)
    inner = messages.Envelope(assertion_id, ENTITY_ID, acs_url(options), now, request_id)
    names = dict.fromkeys(("email", "name", "given_name", "family_name", "preferred_username"), ("mallory",))
    subject = messages.Subject("mallory@example.com", "i1", now, names)
    response = messages.status_response("Response", outer, messages.SUCCESS)
    response.append(
        signed(messages.assertion(inner, subject, audience=audience or sp_entity_id(options)), by)
    )
    return signed(response, by)


def request_id(lab: Lab) -> str:
    return next(iter(lab.idp.cognito.attempts.values())).message_id


async def test_okta_signs_what_the_switch_says_and_all_of_it_is_accepted(lab: Lab) -> None:
    """Response, assertion, or both."""
    for what, expected in (("both", 2), ("response", 1), ("assertion", 1)):
        lab.set(saml_signature=what, cognito_session_minutes=0)
        lab.idp.okta.forget()
        action, fields = await okta_answer(lab)
        document = parse(base64.b64decode(fields["SAMLResponse"]))
        page = await lab.browser.post(action, fields, source=lab.options.okta)

        assert len(document.findall(".//ds:Signature", NAMESPACES)) == expected
        assert page.query()["code"]


def _unsigned(document: etree._Element) -> None:
    for signature in document.findall(".//ds:Signature", NAMESPACES):
        signature.getparent().remove(signature)


def _renamed(document: etree._Element) -> None:
    for name in document.iter("{*}NameID"):
        name.text = "mallory@example.com"


def _commented(document: etree._Element) -> None:
    """Cut the name in two by a comment, which canonicalisation drops."""
    for name in document.iter("{*}NameID"):
        name.text = "alice@example.com"
        comment = etree.Comment("x")
        comment.tail = ".evil.example"
        name.append(comment)


def _without_response_signature(document: etree._Element) -> None:
    document.remove(document.find("ds:Signature", NAMESPACES))
    _renamed(document)


def _wrapped_response(document: etree._Element) -> None:
    """Put the signed original into an extension and forge what stands outside."""
    original = deepcopy(document)
    signature = document.find("ds:Signature", NAMESPACES)
    document.set("ID", "forged")
    _renamed(document)
    holder = etree.SubElement(signature, "{http://www.w3.org/2000/09/xmldsig#}Object")
    holder.append(original)


def _wrapped_assertion(document: etree._Element) -> None:
    """A forged assertion first, the signed one hidden behind it."""
    document.remove(document.find("ds:Signature", NAMESPACES))
    genuine = document.find("saml:Assertion", NAMESPACES)
    forged = deepcopy(genuine)
    forged.remove(forged.find("ds:Signature", NAMESPACES))
    forged.set("ID", "forged")
    _renamed(forged)
    genuine.addprevious(forged)


def _wrapped_inside(document: etree._Element) -> None:
    """The forged assertion carries the genuine signature, whose assertion hides inside it."""
    document.remove(document.find("ds:Signature", NAMESPACES))
    genuine = document.find("saml:Assertion", NAMESPACES)
    original = deepcopy(genuine)
    genuine.set("ID", "forged")
    _renamed(genuine)
    original.remove(original.find("ds:Signature", NAMESPACES))
    holder = etree.SubElement(
        genuine.find("ds:Signature", NAMESPACES), "{http://www.w3.org/2000/09/xmldsig#}Object"
    )
    holder.append(original)


@pytest.mark.parametrize(
    "mangle",
    [
        _unsigned,
        _renamed,
        _commented,
        _without_response_signature,
        _wrapped_response,
        _wrapped_assertion,
        _wrapped_inside,
    ],
)
async def test_mangled_responses_are_refused(lab: Lab, mangle: Callable[[etree._Element], None]) -> None:
    """Unsigned, altered and wrapped: the application gets an error, nobody a session."""
    action, fields = await okta_answer(lab)
    document = parse(base64.b64decode(fields["SAMLResponse"]))
    mangle(document)

    refused(lab, await deliver(lab, action, fields, to_bytes(document)))


async def test_strangers_key_is_refused(lab: Lab) -> None:
    """A well-made Response by another key does not count, though it carries its own certificate."""
    action, fields = await okta_answer(lab)

    page = await deliver(lab, action, fields, to_bytes(made(lab, request_id(lab), by=STRANGER)))

    assert "the signature does not hold" in refused(lab, page)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"at": -4000}, "not valid now"),
        ({"at": 4000}, "not valid now"),
        ({"audience": "urn:amazon:cognito:sp:another"}, "another audience"),
        ({"request": "_another"}, "another request"),
    ],
)
async def test_genuine_key_is_not_enough(lab: Lab, changes: dict[str, str | int], reason: str) -> None:
    """Expired, not yet valid, for another audience, or for another request."""
    action, fields = await okta_answer(lab)
    document = made(
        lab,
        str(changes.get("request", request_id(lab))),
        by=signer(),
        at=clock.now() + int(changes.get("at", 0)),
        audience=str(changes.get("audience", "")),
    )

    assert reason in refused(lab, await deliver(lab, action, fields, to_bytes(document)))


async def test_a_comment_does_not_cut_a_name_short(lab: Lab) -> None:
    """Canonicalisation drops comments, so one put in later leaves the signature good: the whole name is read."""
    action, fields = await okta_answer(lab)
    document = made(lab, request_id(lab), by=signer())
    for name in document.iter("{*}NameID"):
        comment = etree.Comment("x")
        name.text, comment.tail = "mallory", "@example.com"
        name.append(comment)

    page = await deliver(lab, action, fields, to_bytes(document))

    assert page.query()["code"]
    assert next(iter(lab.idp.cognito.sessions.values())).identity.subject == "mallory@example.com"


async def test_replay_is_refused(lab: Lab) -> None:
    """The same form again finds its RelayState used; the same assertion under another request is refused too."""
    action, fields = await okta_answer(lab)
    assert (await lab.browser.post(action, fields, source=lab.options.okta)).query()["code"]
    again = await lab.browser.post(action, fields, source=lab.options.okta)
    assert "Something went wrong" in again.text

    lab.idp.cognito.sessions.clear()
    lab.idp.okta.sessions.clear()
    for expected in (True, False):
        action, fields = await okta_answer(lab)
        page = await deliver(lab, action, fields, to_bytes(made(lab, request_id(lab), by=signer())))
        assert ("code" in page.query()) is expected
        lab.idp.cognito.sessions.clear()
        lab.idp.okta.sessions.clear()
    assert "used before" in page.query()["error_description"]


@pytest.mark.parametrize(
    "document",
    [
        "",
        "***",
        base64.b64encode(b"not xml").decode(),
        base64.b64encode(b'<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><r>&e;</r>').decode(),
        base64.b64encode(b'<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><r>&b;</r>').decode(),
        base64.b64encode(b"<r/>").decode(),
        "A" * 100_001,
    ],
)
async def test_rubbish_is_refused(lab: Lab, document: str) -> None:
    """No base64, no XML, a document type, another message, too long."""
    action, fields = await okta_answer(lab)

    refused(lab, await deliver(lab, action, fields, document))


async def test_failed_status_goes_back_as_an_error(lab: Lab) -> None:
    """A signed Response that says no is an error for the application."""
    lab.set(saml_answer="failed")
    action, fields = await okta_answer(lab)

    page = await lab.browser.post(action, fields, source=lab.options.okta)

    assert "the status is not Success" in refused(lab, page)


async def test_sign_in_begun_at_okta_is_not_accepted(lab: Lab) -> None:
    """Without Cognito's RelayState there is nothing to come back to; and the endpoint takes POST only."""
    url = f"{lab.options.cognito}/saml2/idpresponse"

    assert "Something went wrong" in (await lab.browser.post(url, {"SAMLResponse": "x"})).text
    assert (await lab.browser.get(url)).status == 405
