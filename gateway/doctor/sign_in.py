"""Signing in: whether the callback is registered, and what nobody should expect of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from urllib.parse import parse_qs

from gateway.app.options import relying_party, transport
from gateway.core.errors import ProviderError
from gateway.doctor.check import check
from gateway.doctor.patient import STATE, Patient
from gateway.doctor.probe import NoAnswerError, Reply, parts_of
from gateway.doctor.verdict import LIVE_FIX, Observation, failed, ok, unknown, warning
from gateway.oidc.signin.authorization import authorization_url
from gateway.oidc.signin.metadata import endpoints_on
from gateway.oidc.signin.tokens import Client, ClientAuthentication, impossible_code_request, parse_tokens
from gateway.oidc.wire import ProviderRequest, printable
from gateway.settings.secret_files import revealed

_NO_SESSION = {"", "login_required", "interaction_required", "consent_required", "account_selection_required"}
# RFC 7636, Appendix B: a challenge whose verifier everybody knows. No code can come of the probe.
_CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@check("callback", "Does the provider send people back to this gateway?")
async def callback(patient: Patient) -> AsyncIterator[Observation]:
    endpoint = _authorization_endpoint(patient)
    if endpoint is None:
        return
    if not patient.live:
        yield unknown(endpoint, f"whether {patient.callback} is registered was not asked", LIVE_FIX)
        return
    url = authorization_url(
        endpoint,
        client_id=patient.settings.provider.client_id,
        redirect_uri=patient.callback,
        scopes=patient.settings.provider.scopes,
        state=STATE,
        nonce=STATE,
        code_challenge=_CHALLENGE,
        extra=[("prompt", "none")],
    )
    try:
        yield _judged(await patient.probe.get(url), endpoint, patient)
    except NoAnswerError as error:
        yield failed(endpoint, str(error), "see that this machine and the browsers reach it")


def _judged(seen: Reply, endpoint: str, patient: Patient) -> Observation:
    if seen.unwell:
        return unknown(endpoint, f"it answers {seen.status} now", "ask again later")
    target, _, query = seen.location.partition("?")
    if not seen.redirects or target != patient.callback:
        return _elsewhere(seen, endpoint, patient.callback)
    error = printable(parse_qs(query).get("error", [""])[0], 60)
    if error in _NO_SESSION:
        iss = " and names its issuer in it (RFC 9207)" if "iss" in parse_qs(query) else ""
        return ok(endpoint, f"it knows the client and answers to {patient.callback}{iss}")
    fix = "allow the authorization code grant and provider.scopes for this client"
    return failed(endpoint, f"it knows the callback and refuses the request: {error}", fix)


def _elsewhere(seen: Reply, endpoint: str, callback: str) -> Observation:
    """The provider did not answer to the callback: an error page of its own, or a sign-in page all the same."""
    fix = f"register exactly {callback} (see `gateway doctor --register`), and compare provider.client_id"
    where = printable(seen.location, 120)
    broken = seen.status >= 400 or "error" in parse_qs(parts_of(seen.location).query)
    if broken or "/error" in parts_of(seen.location).path:
        what = f"an error page of its own ({seen.status}{f', {where}' if where else ''})"
        return failed(endpoint, f"{what}: client or callback is not known there", fix)
    if seen.redirects and parts_of(seen.location).path:
        # Classic pages of Cognito ignore prompt=none; an unknown callback never gets as far as the sign-in page.
        there = where.partition("?")[0]
        return ok(endpoint, f"it knows client and callback, and begins a sign-in at {there}")
    what = f"it answers {seen.status} with a page, which may be a sign-in or an error"
    return unknown(endpoint, what, "open it in a browser")


def _authorization_endpoint(patient: Patient) -> str | None:
    here = relying_party(patient.settings)
    fixed = endpoints_on(here.domain, here.kind.paths)
    if fixed is not None:
        return fixed.authorization
    return patient.discovered.metadata.endpoints.authorization if patient.discovered.metadata else None


@check("client-secret", "Does the provider take this gateway for its client?")
async def client_secret(patient: Patient) -> AsyncIterator[Observation]:
    """By a code that cannot be good, which spends nothing. Each secret is tried that may be used."""
    provider, metadata = patient.settings.provider, patient.discovered.metadata
    fixed = endpoints_on(provider.domain, relying_party(patient.settings).kind.paths)
    endpoint = fixed.token if fixed else metadata.endpoints.token if metadata else None
    if endpoint is None:
        return
    if not patient.live:
        yield unknown(endpoint, "whether the client and its secret are right was not asked", LIVE_FIX)
        return
    how = ClientAuthentication.chosen(
        provider.client_authentication, metadata.authentication if metadata else ()
    )
    asked = {
        "client_secret": revealed(provider.client_secret),
        "other_client_secret": revealed(provider.other_client_secret),
    }
    for name, secret in asked.items():
        if secret is not None or name == "client_secret":
            client = Client(provider.client_id, secret, how)
            request = impossible_code_request(endpoint, client, redirect_uri=patient.callback)
            yield _taken_for(endpoint, await _refusal(patient, request), name if secret else "")


async def _refusal(patient: Patient, request: ProviderRequest) -> ProviderError:
    """What the provider has against it."""
    link = transport(patient.settings)
    try:
        parse_tokens(await link.send(request), id_token_required=False)
    except ProviderError as error:
        return error
    finally:
        await link.close()
    return ProviderError("provider_error", "it gave tokens for a code that nobody was given")


def _taken_for(endpoint: str, error: ProviderError, name: str) -> Observation:
    """:param name: of the secret; empty for none."""
    who = f"the client by provider.{name}" if name else "the client, which has no secret"
    if error.code == "invalid_grant":
        return ok(endpoint, f"it knows {who}: what it refuses is the code, which cannot be good")
    if error.code == "invalid_client":
        missing = "set provider.client_secret_file, or register it there as a public client"
        return failed(endpoint, f"it does not know {who}: {error.detail}", error.fix if name else missing)
    return unknown(endpoint, f"whether it knows {who} cannot be told: {error.detail}")


@check("fresh-sign-in", "Does the provider ask for credentials again after a sign-out?")
async def fresh_sign_in(patient: Patient) -> AsyncIterator[Observation]:
    provider = patient.settings.provider
    async for note in _noted("fresh-sign-in", patient):
        yield note
    configured, listed = provider.auth_time_proves, patient.discovered.document.get("claims_supported")
    if not relying_party(patient.settings).kind.proves(configured, provider.identity_provider):
        return
    if isinstance(listed, list) and "auth_time" not in listed:
        what = "the metadata lists no claim `auth_time`, and without it people are asked twice after a revocation"
        fix = "have it put into ID tokens (optional claims, `require_auth_time`, or the like), if that can be done"
        yield warning(patient.discovered.url, what, fix)
    elif isinstance(listed, list):
        yield ok(patient.discovered.url, "`auth_time` can say when somebody last proved who they are")


async def _noted(name: str, patient: Patient) -> AsyncIterator[Observation]:
    """What is known of a kind of provider."""
    note = patient.note(name)
    if note is not None:
        yield note


_KNOWN = {
    "groups": "When does a change of somebody's groups take effect?",
    "refused-refreshes": "Are people signed out by a refresh that is refused for another reason?",
    "rate-limits": "How many sign-ins and refreshes does the provider take?",
}
CHECKS = (
    callback,
    client_secret,
    fresh_sign_in,
    *(check(name, about)(partial(_noted, name)) for name, about in _KNOWN.items()),
)
