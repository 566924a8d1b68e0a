"""The hops at other providers: OpenID Connect's end-session endpoint, its dialects, and addresses of one's own.

Each is asked twice without cookies and without a hint, once for our own return address and once for one that nobody
can have registered: where the two answers differ, ours is known.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from gateway.doctor.check import Check, check
from gateway.doctor.hops import NOBODY, same_page, shown
from gateway.doctor.patient import Patient
from gateway.doctor.probe import NoAnswerError, Reply
from gateway.doctor.verdict import LIVE_FIX, Observation, failed, ok, unknown, warning
from gateway.oidc.signout.logout import LocalOnly, Redirect, Skip
from gateway.web.pages.receipt import words
from gateway.web.signout.hops import Hop

_BY_EYE = "sign out once in a browser, and read the receipt"
_PASTE = "`gateway doctor --register` names the screen and the field"


def _at(kind: str, about: str) -> Check:
    """The check of one kind of hop."""

    @check(f"hop-{kind}", about)
    async def look(patient: Patient) -> AsyncIterator[Observation]:
        hop = patient.hop(kind)
        if hop is None:
            return
        async for observation in _asked(hop, patient):
            yield observation

    return look


async def _asked(hop: Hop, patient: Patient) -> AsyncIterator[Observation]:
    back = patient.return_address(hop)
    act = patient.act(hop, back)
    endpoint = patient.told.metadata.end_session if patient.told.metadata else None
    if isinstance(hop.way, LocalOnly):
        endpoint = None
    if endpoint is not None and hop.name == "oidc":
        yield _whose(endpoint, patient.settings.provider.issuer)
    if isinstance(act, Skip):
        where = endpoint or patient.settings.provider.issuer
        if endpoint is None:
            yield unknown(where, words(act.why, hop.label))
        else:
            what = (
                f"without an ID token it ends nothing, so whether {back} is registered there only a real"
                " sign-out tells"
            )
            yield unknown(where, what, f"{_PASTE}; {_BY_EYE}")
        return
    url = act.url
    if not isinstance(act, Redirect):
        yield unknown(url, "it is asked by a form, which the doctor does not send", _BY_EYE)
        return
    if not patient.live:
        yield unknown(url, f"whether {back} is registered was not asked", LIVE_FIX)
        return
    other = patient.act(hop, NOBODY)
    try:
        seen = await patient.probe.get(url)
        refused = await patient.probe.get(other.url) if isinstance(other, Redirect) else None
    except NoAnswerError as error:
        yield failed(url, str(error), "compare the address with the provider's own metadata")
        return
    yield _judged(seen, refused, url, back)


def _judged(seen: Reply, refused: Reply | None, url: str, back: str) -> Observation:
    if seen.unwell and not seen.redirects:
        return unknown(url, f"it answers {seen.status} now", "ask again later")
    if seen.redirects and same_page(seen.location, back):
        return ok(url, "it sends the browser back to our address")
    if seen.status >= 400:
        what = f"an error page ({seen.status}): the return address or the client is not known there"
        return failed(url, what, f"register exactly {back}; {_PASTE}")
    if refused is not None and refused.status >= 400 and not refused.unwell:
        what = (
            f"it takes our address ({shown(seen)}) and refuses another ({refused.status}); without a"
            " session it goes no further"
        )
        return ok(url, what)
    return unknown(url, f"it answers {shown(seen)}, to a stranger's address as well", f"{_PASTE}; {_BY_EYE}")


def _whose(endpoint: str, issuer: str) -> Observation:
    """An ID token is a hint only to the authorization server that signed it; Okta has several on one host."""
    one, other = urlsplit(endpoint), urlsplit(issuer)
    if one.netloc == other.netloc and one.path.startswith(other.path.rstrip("/") + "/"):
        return ok(endpoint, "an endpoint of the very issuer that signs the ID tokens")
    if one.netloc == other.netloc:
        fix = (
            "compare provider.issuer with `iss` in an ID token: org and custom authorization servers"
            " have endpoints of their own"
        )
        return warning(endpoint, f"it is not below the issuer {issuer}, whose ID tokens are the hint", fix)
    return ok(endpoint, "named by the issuer itself")


CHECKS = (
    _at("oidc", "Does the provider's end-session endpoint know our return address?"),
    _at("keycloak", "Does Keycloak know our return address?"),
    _at("entra", "Does Entra ID know our return address?"),
    _at("auth0", "Does Auth0 know our return address?"),
    _at("google", "What can Google end?"),
    _at("url", "Does the configured address send the browser back?"),
)
