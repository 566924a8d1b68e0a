"""`/saml2/idpresponse` and `/saml2/logout`: what Okta has the browser post back."""

from __future__ import annotations

from aiohttp import web

from gateway.demo.answers import form_of, redirect
from gateway.demo.cognito import federation_saml
from gateway.demo.cognito.errors import PARTY, RefusedError, error_status, lost
from gateway.demo.cognito.federation import claim, fail, succeed
from gateway.demo.cognito.state import PROVIDER, Cognito, LogoutTrip
from gateway.demo.pages import message
from gateway.demo.saml.xml import SamlError


class SamlEndpoints:
    """The service provider's two addresses, POST only; sign-ins begun at Okta are not accepted."""

    def __init__(self, cognito: Cognito) -> None:
        self._cognito = cognito

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        return [web.post("/saml2/idpresponse", self._signed_in), web.post("/saml2/logout", self._signed_out)]

    async def _signed_in(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        attempt = claim(self._cognito, request, form.get("RelayState", ""))
        if attempt is None:
            return lost(self._cognito)
        try:
            identity = await federation_saml.identity_from(
                self._cognito, attempt, form.get("SAMLResponse", "")
            )
        except SamlError as error:
            return fail(
                self._cognito, attempt.request, RefusedError("invalid_request", f"{PROVIDER}: {error}")
            )
        return succeed(self._cognito, request, attempt.request, identity)

    async def _signed_out(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        trip = self._cognito.trips.pop(form.get("RelayState", ""), None)
        if trip is None:
            return lost(self._cognito)
        if not await self._confirmed(trip, form.get("SAMLResponse", "")):
            self._cognito.common.tell(
                "Cognito: Okta did not confirm the single logout; stopped on an error page"
            )
            text = f"{PROVIDER} did not confirm that you are signed out."
            return message(PARTY, "Sign-out failed", text, status=error_status(self._cognito))
        self._cognito.end(trip.session_id, f"/saml2/logout, returned to {trip.onward.partition('?')[0]}")
        return redirect(trip.onward, self._cognito.session_cookie(None))

    async def _confirmed(self, trip: LogoutTrip, encoded: str) -> bool:
        """Say whether to go on: on Success, or on any genuine answer where the switch says so."""
        try:
            succeeded = await federation_saml.logout_succeeded(self._cognito, trip, encoded)
        except SamlError:
            return False
        return succeeded or self._cognito.common.switches.word("slo_failed_status") == "finish"
