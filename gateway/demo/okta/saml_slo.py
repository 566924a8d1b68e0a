"""Okta's single logout, `/app/…/slo/saml`: begun by Cognito, answered by POST to Cognito."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from aiohttp import web
from lxml import etree

from gateway.demo import clock, dice
from gateway.demo.okta.cookies import expired_cookies
from gateway.demo.okta.front_channel import addresses
from gateway.demo.okta.login import PARTY
from gateway.demo.okta.saml_app import (
    ENTITY_ID,
    SLO_PATH,
    cognito_certificate,
    signer,
    slo_return_url,
    sp_entity_id,
)
from gateway.demo.okta.state import Okta, Session
from gateway.demo.pages import message, moving_form
from gateway.demo.saml import messages, redirect
from gateway.demo.saml.signing import signed
from gateway.demo.saml.xml import PROTOCOL, SamlError, only, tag, text_of, to_bytes


class SingleLogout:
    """Takes signed LogoutRequests by redirect; nothing at all while single logout is not set up."""

    def __init__(self, okta: Okta) -> None:
        self._okta = okta
        self._switches = okta.common.switches

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        return [web.get(SLO_PATH, self._handle, allow_head=False)]

    async def _handle(self, request: web.Request) -> web.Response:
        if not self._switches.flag("okta_slo"):
            raise web.HTTPNotFound
        try:
            received = redirect.from_query(request.rel_url.raw_query_string)
            asked = _read(received.message)
        except SamlError as error:
            return _page("Bad SAML request", f"Okta cannot answer: {error}.", 400)
        good = received.is_signed_by(cognito_certificate(self._switches))
        if not good or asked["issuer"] != sp_entity_id(self._okta.common.options):
            return self._unproven(received)
        return self._end(self._okta.session_of(request), asked, received)

    def _unproven(self, received: redirect.Received) -> web.Response:
        self._okta.common.tell("Okta: a LogoutRequest had a bad signature or issuer")
        if self._switches.word("slo_bad_signature") == "error_page":
            return _page("Forbidden", "The signature of the request is not valid.", 403)
        return self._answer(received, messages.AUTHN_FAILED)

    def _end(
        self, session: Session | None, asked: dict[str, str], received: redirect.Received
    ) -> web.Response:
        if session is None:
            if self._switches.flag("slo_needs_session"):
                return _page("Sign-out failed", "There is no session to end.", 403)
            return self._answer(received, messages.SUCCESS)
        about = (session.person.email, session.index)
        if (asked["name_id"], asked["session_index"]) != about:
            return self._answer(received, messages.RESPONDER)
        if self._switches.word("slo_answer") == "failed":
            return self._answer(received, messages.RESPONDER)
        frames = addresses(self._okta, session)
        self._okta.end(session, f"{SLO_PATH} (single logout)")
        if self._switches.word("slo_answer") == "never":
            return _page("You have signed out", "This page does not go on.", 200, ended=self._okta)
        return self._answer(received, messages.SUCCESS, ended=True, frames=frames)

    def _answer(
        self,
        received: redirect.Received,
        status: str,
        *,
        ended: bool = False,
        frames: Sequence[str] = (),
    ) -> web.Response:
        target = slo_return_url(self._okta.common.options)
        request_id = received.message.get("ID", "")
        envelope = messages.Envelope(f"id{dice.token(16)}", ENTITY_ID, target, clock.now(), request_id)
        document = to_bytes(signed(messages.status_response("LogoutResponse", envelope, status), signer()))
        fields = {"SAMLResponse": base64.b64encode(document).decode(), "RelayState": received.relay_state}
        gone = expired_cookies(self._okta) if ended else ()
        return moving_form(PARTY, target, fields, cookies=gone, frames=frames)


def _read(asked: etree._Element) -> dict[str, str]:
    if asked.tag != tag(PROTOCOL, "LogoutRequest"):
        raise SamlError("the message is not a LogoutRequest")
    return {
        "issuer": text_of(only(asked, "saml:Issuer")),
        "name_id": text_of(only(asked, "saml:NameID")),
        "session_index": text_of(only(asked, "samlp:SessionIndex")),
    }


def _page(title: str, text: str, status: int, *, ended: Okta | None = None) -> web.Response:
    return message(PARTY, title, text, status=status, cookies=expired_cookies(ended) if ended else ())
