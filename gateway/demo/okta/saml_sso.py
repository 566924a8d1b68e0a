"""Okta as SAML identity provider: metadata, and `/app/…/sso/saml`."""

from __future__ import annotations

import base64

from aiohttp import web
from lxml import etree

from gateway.demo import clock, dice
from gateway.demo.answers import NO_STORE, form_of
from gateway.demo.okta.login import PARTY, proceed
from gateway.demo.okta.saml_app import (
    ENTITY_ID,
    METADATA_PATH,
    SSO_PATH,
    acs_url,
    cognito_certificate,
    metadata,
    signer,
    sp_entity_id,
)
from gateway.demo.okta.state import Okta, Session
from gateway.demo.pages import message, moving_form
from gateway.demo.people import Person
from gateway.demo.saml import messages, redirect
from gateway.demo.saml.metadata import write
from gateway.demo.saml.signing import signed
from gateway.demo.saml.xml import PROTOCOL, SamlError, only, parse, tag, text_of, to_bytes


class SingleSignOn:
    """Answers AuthnRequests by a signed Response that the browser posts."""

    def __init__(self, okta: Okta) -> None:
        self._okta = okta
        self._switches = okta.common.switches

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        return [
            web.get(METADATA_PATH, self._metadata, allow_head=False),
            web.get(SSO_PATH, self._redirected, allow_head=False),
            web.post(SSO_PATH, self._posted),
        ]

    async def _metadata(self, request: web.Request) -> web.Response:
        document = write(metadata(self._okta.common.options, self._switches))
        return web.Response(body=document, content_type="application/xml", headers=NO_STORE)

    async def _redirected(self, request: web.Request) -> web.Response:
        try:
            received = redirect.from_query(request.rel_url.raw_query_string)
        except SamlError as error:
            return _refused(str(error))
        must = received.is_signed or self._switches.flag("okta_signed_requests")
        if must and not received.is_signed_by(cognito_certificate(self._switches)):
            return _refused("the request is not signed as it should be")
        return self._sign_in(request, received.message, received.relay_state)

    async def _posted(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        if self._switches.flag("okta_signed_requests"):
            return _refused("the request is not signed as it should be")
        try:
            asked = parse(base64.b64decode(form.get("SAMLRequest", "")))
        except (SamlError, ValueError):
            return _refused("the request cannot be read")
        return self._sign_in(request, asked, form.get("RelayState", ""))

    def _sign_in(self, request: web.Request, asked: etree._Element, relay_state: str) -> web.Response:
        options = self._okta.common.options
        try:
            if asked.tag != tag(PROTOCOL, "AuthnRequest") or text_of(
                only(asked, "saml:Issuer")
            ) != sp_entity_id(options):
                return _refused("the request is not from this application")
        except SamlError as error:
            return _refused(str(error))
        if asked.get("AssertionConsumerServiceURL", acs_url(options)) != acs_url(options):
            return _refused("the request wants its answer elsewhere")
        request_id = asked.get("ID", "")
        force = asked.get("ForceAuthn") in {"true", "1"} and self._switches.flag("honor_force_authn")

        def finish(session: Session) -> web.Response:
            document = self._response(session, request_id)
            fields = {"SAMLResponse": base64.b64encode(document).decode(), "RelayState": relay_state}
            return moving_form(PARTY, acs_url(options), fields)

        return proceed(self._okta, request, finish, force=force)

    def _response(self, session: Session, request_id: str) -> bytes:
        options = self._okta.common.options
        envelope = messages.Envelope(_new_id(), ENTITY_ID, acs_url(options), clock.now(), request_id)
        if self._switches.word("saml_answer") == "failed":
            response = messages.status_response("Response", envelope, messages.AUTHN_FAILED)
            return to_bytes(signed(response, signer()))
        inner = messages.Envelope(_new_id(), ENTITY_ID, acs_url(options), envelope.at, request_id)
        assertion = messages.assertion(inner, _subject(session), audience=sp_entity_id(options))
        response = messages.status_response("Response", envelope, messages.SUCCESS)
        what = self._switches.word("saml_signature")
        response.append(assertion if what == "response" else signed(assertion, signer()))
        return to_bytes(response if what == "assertion" else signed(response, signer()))


def _subject(session: Session) -> messages.Subject:
    person = session.person
    return messages.Subject(person.email, session.index, session.created, _attributes(person))


def _attributes(person: Person) -> dict[str, tuple[str, ...]]:
    return {
        "email": (person.email,),
        "name": (person.name,),
        "given_name": (person.given_name,),
        "family_name": (person.family_name,),
        "preferred_username": (person.preferred_username,),
        "groups": person.groups,
    }


def _new_id() -> str:
    return f"id{dice.token(16)}"


def _refused(text: str) -> web.Response:
    return message(PARTY, "Bad SAML request", f"Okta cannot answer: {text}.", status=400)
