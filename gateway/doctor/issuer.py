"""What the provider says of itself: discovery, keys, its clock, and the endpoints that matter at sign-out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from gateway.app.options import relying_party
from gateway.doctor.check import check
from gateway.doctor.patient import Patient
from gateway.doctor.verdict import Observation, failed, ok, unknown, warning
from gateway.oidc.jose.signed_token import LEEWAY
from gateway.oidc.wire import printable

NOTICEABLE = 5
"""Seconds between two clocks that are worth a word."""


@check("discovery", "Is the provider there, and is it the issuer that is configured?")
async def discovery(patient: Patient) -> AsyncIterator[Observation]:
    told, issuer = patient.told, patient.settings.provider.issuer
    if told.fault is not None:
        fix = told.fault.fix or (
            "see that this machine reaches the provider, and that provider.issuer, ca_file and resolve are right"
        )
        yield failed(told.url or issuer, told.fault.detail or told.fault.code, fix)
        return
    yield ok(told.url, f"the issuer is the configured one, {issuer}")


@check("keys", "Can the provider's keys be read?")
async def keys(patient: Patient) -> AsyncIterator[Observation]:
    told = patient.told
    if told.metadata is None:
        return
    if told.keys is None:
        fault = told.keys_fault
        fix = "look at the address in a browser; it must serve a JSON Web Key Set with RSA or EC keys"
        yield failed(told.metadata.jwks_uri, fault.detail if fault else "no keys", fix)
        return
    count = len(told.keys.keys)
    yield ok(told.metadata.jwks_uri, f"{count} {'key' if count == 1 else 'keys'} for signatures")


@check("clock", "Do this machine's clock and the provider's agree?")
async def clock(patient: Patient) -> AsyncIterator[Observation]:
    told = patient.told
    if not told.received:
        return
    try:
        theirs = int(parsedate_to_datetime(told.date).timestamp())
    except (ValueError, TypeError, OverflowError, OSError):
        yield unknown(told.url, "the answer has no date that can be read")
        return
    apart = told.received - theirs
    how = f"this machine's clock is {abs(apart)} s {'ahead of' if apart > 0 else 'behind'} the provider's"
    if abs(apart) >= LEEWAY:
        what = f"{how}; sign-ins are refused from {LEEWAY} s on"
        yield failed(told.url, what, "keep this machine's time with NTP")
    elif abs(apart) >= NOTICEABLE:
        yield warning(told.url, how, "keep this machine's time with NTP")
    else:
        yield ok(told.url, f"within {NOTICEABLE} s of each other")


@check(
    "code-challenge", "Does the provider take the proof that a code comes back to who asked for it (PKCE)?"
)
async def code_challenge(patient: Patient) -> AsyncIterator[Observation]:
    told = patient.told
    if told.metadata is None:
        return
    methods = told.document.get("code_challenge_methods_supported")
    if (kind := relying_party(patient.settings).kind).takes_s256:
        yield ok(told.url, f"{kind.label} takes S256, whatever its metadata says")
    elif methods is None:
        yield unknown(told.url, "the metadata does not say; S256 is sent in any case")
    elif isinstance(methods, list) and "S256" in methods:
        yield ok(told.url, "S256 is supported")
    else:
        what = f"code_challenge_methods_supported is {_shown(methods)}, without S256, which the gateway sends"
        yield warning(told.url, what, "allow S256 for this client at the provider")


@check("revocation", "Can the refresh token be revoked at sign-out?")
async def revocation(patient: Patient) -> AsyncIterator[Observation]:
    told, note = patient.told, patient.note("revocation")
    if note is not None:
        yield note
    elif told.metadata is not None and told.metadata.endpoints.revocation is None:
        what = "the metadata has no revocation_endpoint, so refresh tokens live on at the provider after a sign-out"
        fix = "keep their lifetime at the provider as short as session.absolute; no copy leaves the gateway"
        yield warning(told.url, what, fix)
    elif told.metadata is not None:
        yield ok(str(told.metadata.endpoints.revocation), "named in the metadata")


@check("end-session", "What does this provider's own sign-out understand?")
async def end_session(patient: Patient) -> AsyncIterator[Observation]:
    told, here = patient.told, relying_party(patient.settings)
    if told.metadata is None:
        return
    named, manners = told.metadata.end_session, here.kind.manners
    if manners and here.domain:
        yield ok(named or f"{here.domain}/logout", manners)
    elif manners:
        yield unknown(told.url, manners)
    elif named is None:
        what = "the metadata has no end_session_endpoint, so OpenID Connect cannot end the provider's own session"
        fix = "enable RP-initiated logout at the provider, or put a hop with an address of its own into logout.chain"
        yield warning(told.url, what, fix)
    else:
        yield ok(named, "OpenID Connect RP-initiated logout")


@check("one-domain", "Is there one hosted domain where people sign in and out?")
async def one_domain(patient: Patient) -> AsyncIterator[Observation]:
    told, provider = patient.told, patient.settings.provider
    if provider.domain is None or told.metadata is None:
        return
    theirs = urlsplit(told.metadata.endpoints.authorization)
    other = f"{theirs.scheme}://{theirs.netloc}"
    if other == provider.domain:
        yield ok(provider.domain, "the domain that the pool itself names")
        return
    what = f"the pool names {printable(other)}: each domain has its own cookies, and whoever signed in there stays so"
    fix = "use one of the two everywhere, best the custom domain, and sign people out where they signed in"
    yield warning(provider.domain, what, fix)


def _shown(value: object) -> str:
    return printable(str(value), 80)


CHECKS = (discovery, keys, clock, one_domain, code_challenge, revocation, end_session)
