"""Reasons become answers here: a page for people, a problem document for programs (design section 7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.core.errors import DownstreamError, GatewayError, ProviderError
from gateway.core.http.facts import RequestFacts
from gateway.core.memo import Memo
from gateway.oidc.wire import printable
from gateway.web.messages import Response
from gateway.web.pages import pages
from gateway.web.pages.catalogue import message, message_for
from gateway.web.pages.offers import PASSING, SIGN_OUT, offers_for, other_account
from gateway.web.pages.pages import Offer
from gateway.web.pages.respond import Prepared, weighed
from gateway.web.statuses import STATUSES

_TO_PROGRAMS = frozenset({"ambiguous_header", "bad_callback", "malformed_request"})
"""What was wrong with it in particular says nothing to people, who did not write it."""


def refuse(
    facts: RequestFacts | None,
    reason: str,
    *,
    what: str = "",
    fix: str = "",
    headers: Iterable[tuple[str, str]] = (),
    cookies: Iterable[str] = (),
    offers: Sequence[Offer] | None = None,
    default: str = "internal",
    status: int | None = None,
    person: bool = True,
) -> Response:
    """The answer for ``reason``.

    :param facts: None when the request could not be read; then ``person`` says whether the answer is a page.
    :param what: instead of the catalogue's sentence, as is ``fix``; of the request at most what a provider has said.
    :param offers: instead of `offers_for` the reason.
    :param default: the reason whose words an unknown one gets. :param status: instead of the table's.
    """
    person = person if facts is None else facts.wants_page
    if not person:
        offers = ()
    elif offers is None:
        offers = offers_for(reason if reason in STATUSES else default, facts)
    prepared = _prepared[reason, what, fix, tuple(headers), tuple(offers), default, status, person]
    return prepared.response(tuple(cookies))


def refuse_account(
    facts: RequestFacts,
    user: str,
    *,
    way_back: str,
    headers: Iterable[tuple[str, str]] = (),
    status: int | None = None,
) -> Response:
    """The answer to somebody whose account may not do this: who that is, and what another one can do about it.

    :param way_back: where to go on as somebody else, a path of the application.
    """
    if not facts.wants_page:
        return refuse(facts, "denied", headers=headers, status=status)
    offers = (other_account(way_back if facts.safe else "/"), SIGN_OUT)
    known = message("reason.denied.known", user=printable(user))
    return refuse(facts, "denied", what=known, headers=headers, offers=offers, status=status)


_Refused = tuple[
    str, str, str, tuple[tuple[str, str], ...], tuple[Offer, ...], str, int | None, bool
]  # the arguments of `refuse`


def _prepare(refused: _Refused) -> Prepared:
    reason, what, fix, headers, offers, default, status, person = refused
    known = reason if reason in STATUSES else default
    status, title = status or STATUSES[known], message(f"reason.{known}.title")
    what, fix = what or message(f"reason.{known}.what"), fix or message(f"reason.{known}.fix")
    if person:
        page = pages.error(status=status, title=title, what=what, fix=fix, code=reason, offers=offers)
    else:
        page = pages.problem(status=status, code=reason, title=title, detail=f"{what} {fix}")
    return Prepared(page, (*((("Retry-After", "5"),) if known in PASSING else ()), *headers))


_prepared = Memo(_prepare, entries=256, size=4 * 1024 * 1024, weigh=weighed)
"""Who sends nonsense is answered from memory. Of a request there is no more in it than the way back, what the
provider said, and who is signed in."""


def _about(error: DownstreamError, suffix: str = "") -> str:
    """What is said of it in particular, if anything is."""
    return message_for(f"reason.{error.code}", f"{error.detail}{suffix}", **error.values)


def refuse_error(
    facts: RequestFacts | None,
    error: GatewayError,
    *,
    cookies: Iterable[str] = (),
    offers: Sequence[Offer] | None = None,
    person: bool = True,
) -> Response:
    """The answer for an error that was raised; only errors on the client's side speak in their own words.

    :param offers: where a second try may help.
    """
    if isinstance(error, DownstreamError):
        silent = error.code in _TO_PROGRAMS and (person if facts is None else facts.wants_page)
        return refuse(
            facts,
            error.code,
            what="" if silent else _about(error),
            fix="" if silent else _about(error, "_fix"),
            default="malformed_request",
            person=person,
        )
    if isinstance(error, ProviderError):
        reason = _provider_reason(error)
        return refuse(
            facts, reason, cookies=cookies, offers=None if reason == "provider_unusable" else offers
        )
    if error.blame == "state":
        return refuse(facts, error.code, cookies=cookies, offers=offers, person=person)
    return refuse(facts, error.code, default="broken_response" if error.blame == "upstream" else "internal")


def _provider_reason(error: ProviderError) -> str:
    if error.code == "invalid_grant":
        return "sign_in_spent"
    return "provider" if error.retryable else "provider_unusable"
