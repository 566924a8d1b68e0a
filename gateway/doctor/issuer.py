"""What the provider says of itself: discovery, keys, its clock, and the endpoints that matter at sign-out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from gateway.app.options import relying_party, way
from gateway.doctor.check import check
from gateway.doctor.patient import Patient, ahead
from gateway.doctor.verdict import Observation, failed, ok, unknown, warning
from gateway.oidc.jose.signed_token import LEEWAY
from gateway.oidc.signin.metadata import endpoints_on
from gateway.oidc.signin.tokens import ClientAuthentication
from gateway.oidc.urls import origin_of
from gateway.oidc.wire import printable

NOTICEABLE = 5
"""Seconds between two clocks that are worth a word."""


@check("discovery", "Is the provider there, and is it the issuer that is configured?")
async def discovery(patient: Patient) -> AsyncIterator[Observation]:
    discovered, issuer = patient.discovered, patient.settings.provider.issuer
    if discovered.fault is not None:
        fix = discovered.fault.fix or (
            "see that this machine reaches the provider, and that provider.issuer, ca_file and resolve are right"
        )
        yield failed(discovered.url or issuer, discovered.fault.detail or discovered.fault.code, fix)
        return
    yield ok(discovered.url, f"the issuer is the configured one, {issuer}")


@check("way", "Which way is the provider reached?")
async def the_way(patient: Patient) -> AsyncIterator[Observation]:
    settings, metadata = patient.settings, patient.discovered.metadata
    if settings.provider.proxy is None:
        return
    token = endpoints_on(settings.provider.domain, relying_party(settings).kind.paths)
    named = (metadata.jwks_uri, (token or metadata.endpoints).token) if metadata else ()
    for origin in dict.fromkeys(map(origin_of, (settings.provider.issuer, *named))):
        proxy = way(settings).through(origin).get("proxy")
        by_name = urlsplit(origin).hostname in settings.provider.resolve
        yield ok(
            origin, f"through the proxy {proxy}" if proxy and not by_name else "directly, past the proxy"
        )


@check("keys", "Can the provider's keys be read?")
async def keys(patient: Patient) -> AsyncIterator[Observation]:
    discovered = patient.discovered
    if discovered.metadata is None:
        return
    if discovered.keys is None:
        fault = discovered.keys_fault
        fix = "look at the address in a browser; it must serve a JSON Web Key Set with RSA or EC keys"
        yield failed(discovered.metadata.jwks_uri, fault.detail if fault else "no keys", fix)
        return
    count = len(discovered.keys.keys)
    yield ok(discovered.metadata.jwks_uri, f"{count} {'key' if count == 1 else 'keys'} for signatures")


@check("clock", "Do this machine's clock and the provider's agree?")
async def clock(patient: Patient) -> AsyncIterator[Observation]:
    discovered = patient.discovered
    if not discovered.received:
        return
    try:
        theirs = int(parsedate_to_datetime(discovered.date).timestamp())
    except (ValueError, TypeError, OverflowError, OSError):
        yield unknown(discovered.url, "the answer has no date that can be read")
        return
    apart = ahead(theirs, discovered.asked, discovered.received)
    how = f"this machine's clock is {abs(apart)} s {'ahead of' if apart > 0 else 'behind'} the provider's"
    if abs(apart) >= LEEWAY:
        what = f"{how}; sign-ins are refused from {LEEWAY} s on"
        yield failed(discovered.url, what, "keep this machine's time with NTP")
    elif abs(apart) >= NOTICEABLE:
        yield warning(discovered.url, how, "keep this machine's time with NTP")
    else:
        yield ok(discovered.url, f"within {NOTICEABLE} s of each other")


@check(
    "code-challenge", "Does the provider take the proof that a code comes back to who asked for it (PKCE)?"
)
async def code_challenge(patient: Patient) -> AsyncIterator[Observation]:
    discovered = patient.discovered
    if discovered.metadata is None:
        return
    methods = discovered.document.get("code_challenge_methods_supported")
    if (kind := relying_party(patient.settings).kind).takes_s256:
        yield ok(discovered.url, f"{kind.label} takes S256, whatever its metadata says")
    elif methods is None:
        yield unknown(discovered.url, "the metadata does not say; S256 is sent in any case")
    elif isinstance(methods, list) and "S256" in methods:
        yield ok(discovered.url, "S256 is supported")
    else:
        what = (
            f"code_challenge_methods_supported is {_excerpt(methods)}, without S256, which the gateway sends"
        )
        yield warning(discovered.url, what, "allow S256 for this client at the provider")


@check("client-authentication", "Does the provider take the client's secret as it is sent?")
async def client_authentication(patient: Patient) -> AsyncIterator[Observation]:
    metadata, provider = patient.discovered.metadata, patient.settings.provider
    if metadata is None or provider.client_secret is None:
        return
    offered, how = metadata.authentication, provider.client_authentication
    used = ClientAuthentication.chosen(how, offered).value
    if how is not None:
        yield ok("provider.client_authentication", f"{used}, as configured")
    elif used in offered:
        yield ok(patient.discovered.url, f"{used}, as the metadata offers")
    elif not offered:
        yield ok(patient.discovered.url, f"{used}, for the metadata does not say")
    else:
        them = _excerpt(", ".join(offered))
        what = f"token_endpoint_auth_methods_supported has none of ours ({them}); {used} is sent"
        fix = "register the client for client_secret_basic or client_secret_post; see client_authentication"
        yield warning(patient.discovered.url, what, fix)


@check("revocation", "Can the refresh token be revoked at sign-out?")
async def revocation(patient: Patient) -> AsyncIterator[Observation]:
    discovered, note = patient.discovered, patient.note("revocation")
    if note is not None:
        yield note
    elif discovered.metadata is not None and discovered.metadata.endpoints.revocation is None:
        what = "the metadata has no revocation_endpoint, so refresh tokens live on at the provider after a sign-out"
        fix = "keep their lifetime at the provider as short as session.absolute; no copy leaves the gateway"
        yield warning(discovered.url, what, fix)
    elif discovered.metadata is not None:
        yield ok(str(discovered.metadata.endpoints.revocation), "named in the metadata")


@check("end-session", "What does this provider's own sign-out understand?")
async def end_session(patient: Patient) -> AsyncIterator[Observation]:
    discovered, here = patient.discovered, relying_party(patient.settings)
    if discovered.metadata is None:
        return
    named, manners = discovered.metadata.end_session, here.kind.manners
    if manners and here.domain:
        yield ok(named or f"{here.domain}/logout", manners)
    elif manners:
        yield unknown(discovered.url, manners)
    elif named is None:
        what = "the metadata has no end_session_endpoint, so OpenID Connect cannot end the provider's own session"
        fix = "enable RP-initiated logout at the provider, or put a hop with an address of its own into logout.chain"
        yield warning(discovered.url, what, fix)
    else:
        yield ok(named, "OpenID Connect RP-initiated logout")


@check("one-domain", "Is there one hosted domain where people sign in and out?")
async def one_domain(patient: Patient) -> AsyncIterator[Observation]:
    discovered, provider = patient.discovered, patient.settings.provider
    if provider.domain is None or discovered.metadata is None:
        return
    theirs = urlsplit(discovered.metadata.endpoints.authorization)
    other = f"{theirs.scheme}://{theirs.netloc}"
    if other == provider.domain:
        yield ok(provider.domain, "the domain that the pool itself names")
        return
    what = f"the pool names {printable(other)}: each domain has its own cookies, and whoever signed in there stays so"
    fix = "use one of the two everywhere, best the custom domain, and sign people out where they signed in"
    yield warning(provider.domain, what, fix)


def _excerpt(value: object) -> str:
    return printable(str(value), 80)


CHECKS = (
    discovery,
    the_way,
    keys,
    clock,
    one_domain,
    client_authentication,
    code_challenge,
    revocation,
    end_session,
)
