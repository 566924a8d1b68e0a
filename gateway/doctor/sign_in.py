"""Signing in: whether the callback is registered, and what nobody should expect of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import parse_qs

from gateway.config.model import Settings
from gateway.doctor.check import check
from gateway.doctor.patient import STATE, Patient
from gateway.doctor.probe import NoAnswerError, Reply, parts_of
from gateway.doctor.verdict import LIVE_FIX, Observation, failed, ok, unknown, warning
from gateway.oidc.signin.authorization import authorization_url
from gateway.oidc.signin.providers import auth_time_proves, endpoints_on, preset_of
from gateway.oidc.wire import printable

# RFC 7636, Appendix B: a challenge whose verifier everybody knows. No code can come of the probe.
_CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
_SHORTER = (
    "choose session.absolute as long as a change may wait; sessions that must end sooner are ended by"
    " the operator"
)


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
    if error in {
        "",
        "login_required",
        "interaction_required",
        "consent_required",
        "account_selection_required",
    }:
        iss = " and names its issuer in it (RFC 9207)" if "iss" in parse_qs(query) else ""
        return ok(endpoint, f"it knows the client and answers to {patient.callback}{iss}")
    fix = "allow the authorization code grant and provider.scopes for this client"
    return failed(endpoint, f"it knows the callback and refuses the request: {error}", fix)


def _elsewhere(seen: Reply, endpoint: str, callback: str) -> Observation:
    """The provider did not answer to the callback: an error page of its own, or a sign-in page all the same."""
    fix = (
        f"register exactly {callback} (`gateway doctor --register` names the screen), and compare"
        " provider.client_id"
    )
    where = printable(seen.location, 120)
    broken = seen.status >= 400 or "error" in parse_qs(parts_of(seen.location).query)
    if broken or "/error" in parts_of(seen.location).path:
        what = (
            f"an error page of its own ({seen.status}{f', {where}' if where else ''}): client or"
            " callback is not known there"
        )
        return failed(endpoint, what, fix)
    if seen.redirects and parts_of(seen.location).path:
        # Classic pages of Cognito ignore prompt=none; an unknown callback never gets as far as the sign-in page.
        return ok(
            endpoint, f"it knows client and callback, and begins a sign-in at {where.partition('?')[0]}"
        )
    return unknown(
        endpoint,
        f"it answers {seen.status} with a page, which may be a sign-in or an error",
        "open it in a browser",
    )


def _authorization_endpoint(patient: Patient) -> str | None:
    provider = patient.settings.provider
    fixed = endpoints_on(provider.domain, preset_of(provider.kind)) if provider.domain else None
    if fixed is not None:
        return fixed.authorization
    return patient.told.metadata.endpoints.authorization if patient.told.metadata else None


@check("fresh-sign-in", "Does the provider ask for credentials again after a sign-out?")
async def fresh_sign_in(patient: Patient) -> AsyncIterator[Observation]:
    provider = patient.settings.provider
    if provider.kind == "cognito":
        what = (
            "the first sign-in after a sign-out sends prompt=login; Cognito's classic pages ignore"
            " it, and whether Okta gets"
            " to hear of it by SAML is not documented"
        )
        fix = "do not rely on it: what ends a session is the chain, so have every provider in it"
        yield unknown(f"{provider.domain}/oauth2/authorize", what, fix)
    said, listed = provider.auth_time_proves, patient.told.document.get("claims_supported")
    if not auth_time_proves(preset_of(provider.kind), said, provider.identity_provider):
        return
    if isinstance(listed, list) and "auth_time" not in listed:
        what = (
            "the metadata does not list `auth_time` among its claims, and without it people are asked"
            " twice after a revocation"
        )
        fix = "have it put into ID tokens (optional claims, `require_auth_time`, or the like), if that can be done"
        yield warning(patient.told.url, what, fix)
    elif isinstance(listed, list):
        yield ok(patient.told.url, "`auth_time` can say when somebody last proved who they are")


@check("groups", "When does a change of somebody's groups take effect?")
async def groups(patient: Patient) -> AsyncIterator[Observation]:
    provider = patient.settings.provider
    if provider.kind != "cognito":
        return
    absolute = _span(patient.settings)
    what = (
        "groups kept at Cognito are seen at the next refresh, within the hour; attributes and groups"
        " of another provider"
        f" behind it are learned at sign-in only, so a change there waits for the next one, at most {absolute}"
    )
    yield unknown("headers.groups", what, _SHORTER)


@check("refused-refreshes", "Are people signed out by a refresh that Cognito refuses for another reason?")
async def refused_refreshes(patient: Patient) -> AsyncIterator[Observation]:
    if patient.settings.provider.kind != "cognito":
        return
    what = (
        "Cognito answers invalid_grant also when the app client may not read an attribute that a"
        " scope asks for, and everybody"
        " is signed out at the first refresh; from outside this looks like a revoked token"
    )
    fix = (
        "User pool > App clients > your client > Attribute permissions: read access to the attributes of"
        " provider.scopes"
    )
    yield unknown("provider.scopes", what, fix)


@check("rate-limits", "How many sign-ins and refreshes does the provider take?")
async def rate_limits(patient: Patient) -> AsyncIterator[Observation]:
    provider = patient.settings.provider
    if provider.kind != "cognito":
        return
    what = (
        "Cognito's domain takes 300 requests a second from one address, and all replicas behind one"
        " address share them; too"
        " many requests end no session here, they delay sign-ins and refreshes"
    )
    yield unknown(
        f"{provider.domain}",
        what,
        "watch gateway_idp_requests_total, and give large deployments more addresses",
    )


def _span(settings: Settings) -> str:
    minutes = int(settings.session.absolute) // 60
    return f"{minutes // 60} h" if minutes % 60 == 0 and minutes else f"{minutes} min"


CHECKS = (callback, fresh_sign_in, groups, refused_refreshes, rate_limits)
