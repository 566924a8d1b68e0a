"""The hops of the sign-out chain, each asked as a browser without cookies would, for our address and for a stranger's.

Such a browser has no session to lose, so asking ends nothing. What it is told about the return address is what a
browser with a session is told: where the two answers differ, ours is known.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway.app.options import relying_party
from gateway.doctor.check import check
from gateway.doctor.patient import Patient
from gateway.doctor.probe import NoAnswerError, Reply, parts_of
from gateway.doctor.verdict import LIVE_FIX, Observation, failed, ok, unknown, warning
from gateway.oidc.providers.descriptor import HopKind, Return
from gateway.oidc.providers.registry import HOPS
from gateway.oidc.signout.logout import Redirect, Skip
from gateway.oidc.signout.sign_outs import ID_TOKEN
from gateway.oidc.wire import printable
from gateway.web.pages.catalogue import message

NOBODY = "https://gateway-doctor.invalid/"
"""An address that nobody can have registered (RFC 2606 §2): what is answered to it shows what a refusal looks like."""
_BY_EYE = "sign out once in a browser, and read the receipt"


@check("chain", "Does the chain reach every session there is, in the right order?")
async def chain(patient: Patient) -> AsyncIterator[Observation]:
    settings, kind = patient.settings, relying_party(patient.settings).kind
    kinds = [hop.kind for hop in settings.logout.chain]
    walked, first = " → ".join(kinds), f"put {kind.hop} first"
    if kind.broker and kind.hop not in kinds:
        what = f"{kind.label}'s session stays, and signs people in again without a question for an hour or longer"
        yield failed("logout.chain", what, first)
    elif not kinds:
        yield warning("logout.chain", "only the gateway's session ends", "name the provider's hop")
    elif kind.broker and kinds[0] != kind.hop:
        what = f"{walked}: whoever is stranded at {kinds[0]} is still signed in at {kind.label}, which does not ask it"
        yield warning("logout.chain", what, first)
    elif not kind.broker or len(kinds) > 1:
        yield ok("logout.chain", f"the gateway's session ends first, then: {walked}")
    elif settings.provider.identity_provider:
        what = (
            f"{kind.label} alone: {settings.provider.identity_provider} behind it stays signed in, unless {kind.label}"
            " ends that session by SAML single logout (it never does for OpenID Connect and social providers)"
        )
        fix = f"add {{okta_signout: https://YOUR-ORG.okta.com}} behind {kind.hop}"
        yield warning("logout.chain", what, fix)
    else:
        what = f"the gateway's session, then {kind.label}'s; right where all users are {kind.label}'s own"
        yield ok("logout.chain", what)


class Answers(NamedTuple):
    """What a hop says to our address, ``back``, and to that of nobody; ``fix`` is what to enter where."""

    seen: Reply
    refused: Reply
    url: str
    back: str
    fix: str
    label: str


async def _asked(kind: HopKind, patient: Patient) -> AsyncIterator[Observation]:
    hop = patient.hop(kind.name)
    if hop is None:
        return
    back, act, origin = patient.return_address(hop), patient.act(hop), str(patient.settings.public_url)
    endpoint = hop.endpoint(patient.discovered.metadata.end_session if patient.discovered.metadata else None)
    if endpoint is not None and hop.hint == ID_TOKEN:
        yield _whose(endpoint, patient.settings.provider.issuer)
    lines = kind.registrations(relying_party(patient.settings), origin, back)
    fix = next((f"enter {each.value} at {each.console}: {each.screen}, {each.field}" for each in lines), "")
    ours = f"whether {origin if kind.returns is Return.TRUSTED else back} {kind.returns.value}"
    if isinstance(act, Skip):
        if endpoint is None:
            yield unknown(
                patient.settings.provider.issuer,
                message(f"evidence.{act.why}", service=hop.label).rstrip("."),
            )
        else:
            what = f"without an ID token it ends nothing, so {ours} there only a real sign-out tells"
            yield unknown(endpoint, what, f"{fix}; {_BY_EYE}")
        return
    if not isinstance(act, Redirect):
        yield unknown(act.url, "it is asked by a form, which the doctor does not send", _BY_EYE)
        return
    if not patient.live:
        yield unknown(act.url, f"{ours} was not asked", LIVE_FIX)
        return
    try:
        seen = refused = await patient.probe.get(act.url)
        if kind.returns is not Return.EXACT:
            refused = await patient.probe.get(patient.url(hop, NOBODY))
    except NoAnswerError as error:
        yield failed(act.url, str(error), f"compare the address with {hop.label}'s own")
        return
    for observation in _judged(kind.returns, Answers(seen, refused, act.url, back, fix, hop.label)):
        yield observation


def _judged(returns: Return, answers: Answers) -> Iterator[Observation]:
    if answers.seen.unwell and not answers.seen.redirects:
        yield unknown(answers.url, f"it answers {answers.seen.status} now", "ask again later")
    else:
        yield from _JUDGES[returns](answers)


def exact(answers: Answers) -> Iterator[Observation]:
    """Where a redirect leads to our address, to the byte."""
    seen, url, where = answers.seen, answers.url, printable(answers.seen.location, 160)
    fix = f"{answers.fix}; scheme, port and a trailing slash count"
    if seen.redirects and seen.location == answers.back:
        yield ok(url, f"302 to exactly {answers.back}")
    elif seen.redirects and "SAMLRequest=" in seen.location:
        what = f"it goes on by SAML single logout at {where.partition('?')[0]}"
        yield unknown(url, f"{what}; whether the browser comes back cannot be seen", _BY_EYE)
    elif seen.redirects and seen.location.startswith(answers.back):
        yield warning(url, f"it comes back to {where}, with something appended", fix)
    else:
        what = f"an error page ({seen.status}{f', {where}' if where else ''}) in place of the way back"
        yield failed(url, f"{what}; {answers.label}'s session ends, the chain stops", fix)


def trusted(answers: Answers) -> Iterator[Observation]:
    """Where the origin alone counts, and a page without a session may lead back or not."""
    yield _trust(answers)
    what = (
        "whether a browser with a session is shown a page of its own first, only a real sign-out tells;"
        f" to an address that is not trusted {answers.label} answers {status_and_target(answers.refused)}"
    )
    yield unknown(answers.url, what, _BY_EYE)


def _trust(answers: Answers) -> Observation:
    seen, refused, url, back = answers.seen, answers.refused, answers.url, answers.back
    if refused.redirects and refused.location.startswith(NOBODY):
        what = "it redirects to any address, also to one that nobody registered, while nobody is signed in"
        return unknown(url, what, _BY_EYE)
    if seen.redirects and same_page(seen.location, back):
        return ok(url, "it sends the browser back: the origin is trusted")
    if not seen.redirects and seen.status == 200 and back in seen.body and back not in refused.body:
        return ok(url, f"a page of {answers.label}'s own that leads back: the origin is trusted")
    if (seen.status, seen.location) != (refused.status, refused.location):
        what = (
            f"it answers {status_and_target(seen)};"
            f" {answers.label}'s session ends there, but the browser does not come back"
        )
        return failed(url, what, answers.fix)
    what = f"it answers {status_and_target(seen)}, the same as to an address that is certainly not trusted"
    if seen.status >= 400:
        return failed(url, what, answers.fix)
    what = f"{what}: either ours is not trusted, or it does so with everybody who is not signed in"
    return warning(url, what, f"{answers.fix}; if it is there, {_BY_EYE}")


def registered(answers: Answers) -> Iterator[Observation]:
    """Where an address that is not known is refused."""
    seen, refused, url = answers.seen, answers.refused, answers.url
    if seen.redirects and same_page(seen.location, answers.back):
        yield ok(url, "it sends the browser back to our address")
    elif seen.status >= 400:
        what = f"an error page ({seen.status}): the return address or the client is not known there"
        yield failed(url, what, answers.fix)
    elif refused.status >= 400 and not refused.unwell:
        what = f"it takes our address ({status_and_target(seen)}) and refuses another ({refused.status})"
        yield ok(url, f"{what}; without a session it goes no further")
    else:
        what = f"it answers {status_and_target(seen)}, to a stranger's address as well"
        yield unknown(url, what, f"{answers.fix}; {_BY_EYE}")


def _whose(endpoint: str, issuer: str) -> Observation:
    """An ID token is a hint only to the authorization server that signed it; Okta has several on one host."""
    one, other = urlsplit(endpoint), urlsplit(issuer)
    if one.netloc == other.netloc and one.path.startswith(other.path.rstrip("/") + "/"):
        return ok(endpoint, "an endpoint of the very issuer that signs the ID tokens")
    if one.netloc == other.netloc:
        fix = "compare provider.issuer with `iss` in an ID token: each authorization server has endpoints of its own"
        return warning(endpoint, f"it is not below the issuer {issuer}, whose ID tokens are the hint", fix)
    return ok(endpoint, "named by the issuer itself")


def same_page(location: str, back: str) -> bool:
    """The query may be dropped or added to; the path says whether it is our page."""
    one, other = parts_of(location), parts_of(back)
    return (one.scheme, one.netloc, one.path) == (other.scheme, other.netloc, other.path)


def status_and_target(seen: Reply) -> str:
    """Status and, where there is one, target of an answer."""
    where = printable(seen.location, 120)
    return f"{seen.status} to {where}" if where else str(seen.status)


_JUDGES: dict[Return, Callable[[Answers], Iterator[Observation]]] = {
    Return.EXACT: exact,
    Return.TRUSTED: trusted,
    Return.REGISTERED: registered,
}
CHECKS = (
    chain,
    *(
        check(f"hop-{each.name.replace('_', '-')}", each.question)(partial(_asked, each))
        for each in HOPS.values()
    ),
)
