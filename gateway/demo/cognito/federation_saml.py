"""Cognito as a SAML service provider of Okta: requests by redirect, responses by POST, all of it checked."""

from __future__ import annotations

from aiohttp import ClientError

from gateway.demo import clock, keys
from gateway.demo.cognito.state import Attempt, Cognito, Identity, LogoutTrip
from gateway.demo.okta.saml_app import METADATA_PATH, acs_url, slo_return_url, sp_entity_id
from gateway.demo.saml import messages, redirect
from gateway.demo.saml.metadata import IdpMetadata, read
from gateway.demo.saml.reading import Asserted, Expected, read_logout_response, read_response
from gateway.demo.saml.signing import Signer
from gateway.demo.saml.xml import SamlError


async def idp_metadata(cognito: Cognito) -> IdpMetadata:
    """Return Okta's metadata: today's, or what was read first when the switch says so; SamlError if unreachable."""
    if cognito.metadata is None or not cognito.common.switches.flag("stale_metadata"):
        try:
            async with cognito.http.get(f"{cognito.common.options.okta}{METADATA_PATH}") as response:
                cognito.metadata = await response.read()
        except (ClientError, TimeoutError) as error:
            raise SamlError("the metadata cannot be had") from error
    return read(cognito.metadata)


async def request_url(cognito: Cognito, attempt: Attempt, handle: str) -> str:
    """Return the address at Okta that carries the AuthnRequest; *handle* is the RelayState."""
    options, switches = cognito.common.options, cognito.common.switches
    target = (await idp_metadata(cognito)).sso_url
    envelope = messages.Envelope(attempt.message_id, sp_entity_id(options), target, clock.now())
    force = "login" in attempt.request.prompt and switches.flag("saml_force_authn")
    message = messages.authn_request(envelope, acs=acs_url(options), force=force)
    signer = _signer() if switches.flag("saml_sign_request") else None
    return f"{target}?{redirect.to_query(message, handle, signer)}"


async def identity_from(cognito: Cognito, attempt: Attempt, encoded: str) -> Identity:
    """Return whom Okta's Response names; SamlError unless it holds and its assertion was never used before."""
    asserted = read_response(
        encoded, await _expected(cognito, acs_url(cognito.common.options), attempt.message_id)
    )
    now = clock.now()
    cognito.seen_assertions = {one: until for one, until in cognito.seen_assertions.items() if until > now}
    if asserted.assertion_id in cognito.seen_assertions:
        raise SamlError("the assertion was used before")
    cognito.seen_assertions[asserted.assertion_id] = asserted.expires
    return _identity(asserted)


def logout_url(cognito: Cognito, slo_url: str, identity: Identity, trip: LogoutTrip, handle: str) -> str:
    """Return the address at Okta that carries the LogoutRequest, which is always signed."""
    envelope = messages.Envelope(trip.message_id, sp_entity_id(cognito.common.options), slo_url, clock.now())
    index = identity.session_index or ""
    message = messages.logout_request(envelope, name_id=identity.subject, session_index=index)
    return f"{slo_url}?{redirect.to_query(message, handle, _signer())}"


async def logout_succeeded(cognito: Cognito, trip: LogoutTrip, encoded: str) -> bool:
    """Return whether Okta's LogoutResponse says Success; SamlError when it cannot be trusted."""
    expected = await _expected(cognito, slo_return_url(cognito.common.options), trip.message_id)
    return read_logout_response(encoded, expected)


async def _expected(cognito: Cognito, destination: str, message_id: str) -> Expected:
    idp = await idp_metadata(cognito)
    return Expected(
        issuer=idp.entity_id,
        certificate=idp.certificate,
        destination=destination,
        in_response_to=message_id,
        audience=sp_entity_id(cognito.common.options),
        now=clock.now(),
    )


def _identity(asserted: Asserted) -> Identity:
    def one(name: str) -> str:
        values = asserted.attributes.get(name, ())
        if len(values) != 1:
            raise SamlError(f"the attribute {name} is missing")
        return values[0]

    return Identity(
        subject=asserted.name_id,
        email=one("email"),
        name=one("name"),
        given_name=one("given_name"),
        family_name=one("family_name"),
        preferred_username=one("preferred_username"),
        groups=asserted.attributes.get("groups", ()),
        provider_type="SAML",
        session_index=asserted.session_index,
        signed_in=asserted.signed_in,
    )


def _signer() -> Signer:
    return Signer(keys.signing_key("cognito saml").private, keys.certificate("cognito saml"))
