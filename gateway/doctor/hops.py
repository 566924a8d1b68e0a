"""The hops of the sign-out chain at Cognito and Okta, each asked as a browser without cookies would.

Such a browser has no session to lose, so asking ends nothing. What it is told about the return address is what a
browser with a session is told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from gateway.doctor.check import check
from gateway.doctor.patient import Patient
from gateway.doctor.probe import NoAnswerError, Reply, parts_of
from gateway.doctor.verdict import LIVE_FIX, Observation, failed, ok, unknown, warning
from gateway.oidc.wire import printable

NOBODY = "https://gateway-doctor.invalid/"
"""An address that nobody can have registered (RFC 2606 §2): what is answered to it shows what a refusal looks like."""


@check("chain", "Does the chain reach every session there is, in the right order?")
async def chain(patient: Patient) -> AsyncIterator[Observation]:
    settings = patient.settings
    kinds = [hop.kind for hop in settings.logout.chain]
    walked = " → ".join(kinds)
    if settings.provider.kind != "cognito":
        what = f"the gateway's session ends first, then: {walked}"
        yield (
            ok("logout.chain", what)
            if kinds
            else warning("logout.chain", "only the gateway's session ends", "name the provider's hop")
        )
        return
    if "cognito" not in kinds:
        what = "Cognito's session stays, and signs people in again without a question for an hour or longer"
        yield failed("logout.chain", what, "put cognito first")
    elif kinds[0] != "cognito":
        what = f"{walked}: whoever is stranded at {kinds[0]} is still signed in at Cognito, which does not ask it"
        yield warning("logout.chain", what, "put cognito first")
    elif len(kinds) > 1:
        yield ok("logout.chain", f"the gateway's session ends first, then: {walked}")
    elif settings.provider.identity_provider:
        what = (
            f"Cognito alone: {settings.provider.identity_provider} behind it stays signed in, unless"
            " Cognito ends that session"
            " by SAML single logout (it never does for OpenID Connect and social providers)"
        )
        yield warning("logout.chain", what, "add {okta_signout: https://YOUR-ORG.okta.com} behind cognito")
    else:
        yield ok(
            "logout.chain", "the gateway's session, then Cognito's; right where all users are Cognito's own"
        )


@check("hop-cognito", "Does Cognito send the browser back to exactly our address?")
async def cognito(patient: Patient) -> AsyncIterator[Observation]:
    hop = patient.hop("cognito")
    if hop is None:
        return
    back, url = patient.return_address(hop), patient.url(hop)
    if not patient.live:
        yield unknown(url, f"whether {back} is an allowed sign-out URL was not asked", LIVE_FIX)
        return
    try:
        yield _cognitos_answer(await patient.probe.get(url), url, back)
    except NoAnswerError as error:
        yield failed(url, str(error), "compare provider.domain with the domain of the user pool")


def _cognitos_answer(seen: Reply, url: str, back: str) -> Observation:
    fix = f"paste {back} into the app client's Allowed sign-out URLs; scheme, port and a trailing slash count"
    if seen.unwell and not seen.redirects:
        return unknown(url, f"it answers {seen.status} now", "ask again later")
    if seen.redirects and seen.location == back:
        return ok(url, f"302 to exactly {back}")
    where = printable(seen.location, 160)
    if seen.redirects and "SAMLRequest=" in seen.location:
        what = (
            f"it goes on by SAML single logout at {where.partition('?')[0]}; whether the browser comes"
            " back cannot be seen"
        )
        return unknown(url, what, "sign out once in a browser, and read the receipt")
    if seen.redirects and seen.location.startswith(back):
        return warning(url, f"it comes back to {where}, with something appended", fix)
    what = (
        f"an error page ({seen.status}{f', {where}' if where else ''}) in place of the way back;"
        " Cognito's session ends, the chain stops"
    )
    return failed(url, what, fix)


@check("hop-okta-signout", "Does Okta trust our origin, and send the browser back?")
async def okta_signout(patient: Patient) -> AsyncIterator[Observation]:
    hop = patient.hop("okta_signout")
    if hop is None:
        return
    back, url = patient.return_address(hop), patient.url(hop)
    if not patient.live:
        yield unknown(
            url, f"whether {patient.settings.public_url} is a Trusted Origin was not asked", LIVE_FIX
        )
        return
    try:
        seen, refused = await patient.probe.get(url), await patient.probe.get(patient.url(hop, NOBODY))
    except NoAnswerError as error:
        yield failed(url, str(error), "compare the address of okta_signout with that of the Okta org")
        return
    yield _oktas_answer(seen, refused, url, back, str(patient.settings.public_url))
    what = (
        "whether a browser with a session is shown a page of Okta's own before it is sent back, only"
        " a real sign-out tells;"
        f" to an address that is not trusted this org answers {shown(refused)}"
    )
    yield unknown(url, what, "sign out once in a browser, and read the receipt")


def _oktas_answer(seen: Reply, refused: Reply, url: str, back: str, origin: str) -> Observation:
    fix = f"add {origin} to Security > API > Trusted Origins, with type Redirect"
    if seen.unwell and not seen.redirects:
        return unknown(url, f"it answers {seen.status} now", "ask again later")
    if refused.redirects and refused.location.startswith(NOBODY):
        what = (
            "it redirects to any address, also to one that nobody registered, as long as nobody is signed in"
        )
        return unknown(url, what, "sign out once in a browser, and read the receipt")
    if seen.redirects and same_page(seen.location, back):
        return ok(url, "it sends the browser back: the origin is trusted")
    if not seen.redirects and seen.status == 200 and back in seen.body and back not in refused.body:
        return ok(url, "a page of Okta's own that leads back: the origin is trusted")
    if (seen.status, seen.location) != (refused.status, refused.location):
        what = f"it answers {shown(seen)}; Okta's session ends there, but the browser does not come back"
        return failed(url, what, fix)
    what = f"it answers {shown(seen)}, the same as to an address that is certainly not trusted"
    if seen.status >= 400:
        return failed(url, what, fix)
    what = f"{what}: either ours is not trusted, or this org does so with everybody who is not signed in"
    return warning(url, what, f"{fix}; if it is there, sign out once in a browser, and read the receipt")


def same_page(location: str, back: str) -> bool:
    """Okta may drop the query; the path says whether it is our page."""
    one, other = parts_of(location), parts_of(back)
    return (one.scheme, one.netloc, one.path) == (other.scheme, other.netloc, other.path)


def shown(seen: Reply) -> str:
    """Status and, where there is one, target of an answer."""
    where = printable(seen.location, 120)
    return f"{seen.status} to {where}" if where else str(seen.status)


CHECKS = (chain, cognito, okta_signout)
