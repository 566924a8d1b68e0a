"""Reasons become answers here: a page for people, a problem document for programs (design section 7)."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.core.errors import DownstreamError, GatewayError
from gateway.core.http.facts import RequestFacts
from gateway.core.memo import Memo
from gateway.web.messages import Response
from gateway.web.pages import pages
from gateway.web.pages.catalogue import message, message_for
from gateway.web.pages.respond import Prepared, weighed
from gateway.web.statuses import STATUSES

_RETRY = frozenset({
    "state_stale", "sessions_away", "upstream_busy", "connect_failed", "tls_failed", "connect_timeout",
    "first_byte_timeout", "idle_timeout",
})  # fmt: skip
"""The same request may succeed in a few seconds."""


def refuse(
    facts: RequestFacts | None,
    reason: str,
    *,
    what: str = "",
    fix: str = "",
    headers: Iterable[tuple[str, str]] = (),
    cookies: Iterable[str] = (),
    action: tuple[str, str] | None = None,
    default: str = "internal",
    status: int | None = None,
    person: bool = True,
) -> Response:
    """The answer for ``reason``.

    :param facts: None when the request could not be read; then ``person`` says whether the answer is a page.
    :param what: instead of the catalogue's sentence, as is ``fix``; of the request at most a
        provider's error code.
    :param default: the reason whose words an unknown one gets. :param status: instead of the table's.
    """
    person = person if facts is None else facts.wants_page
    prepared = _prepared[reason, what, fix, tuple(headers), action, default, status, person]
    return prepared.response(tuple(cookies))


_Refused = tuple[str, str, str, tuple[tuple[str, str], ...], tuple[str, str] | None, str, int | None, bool]


def _prepare(refused: _Refused) -> Prepared:
    reason, what, fix, headers, action, default, status, person = refused
    known = reason if reason in STATUSES else default
    status, title = status or STATUSES[known], message(f"reason.{known}.title")
    what, fix = what or message(f"reason.{known}.what"), fix or message(f"reason.{known}.fix")
    if person:
        page = pages.error(status=status, title=title, what=what, fix=fix, code=reason, action=action)
    else:
        page = pages.problem(status=status, code=reason, title=title, detail=f"{what} {fix}")
    return Prepared(page, (*((("Retry-After", "5"),) if known in _RETRY else ()), *headers))


_prepared = Memo(_prepare, entries=256, size=4 * 1024 * 1024, weigh=weighed)
"""Who sends nonsense is answered from memory. Of a request there is no more in it than the way back (``action``)
and a provider's error code."""


def _about(error: DownstreamError, suffix: str = "") -> str:
    """What is said of it in particular, if anything is."""
    return message_for(f"reason.{error.code}", f"{error.detail}{suffix}", **error.values)


def refuse_error(
    facts: RequestFacts | None,
    error: GatewayError,
    *,
    cookies: Iterable[str] = (),
    action: tuple[str, str] | None = None,
    person: bool = True,
) -> Response:
    """The answer for an error that was raised; only errors on the client's side speak in their own words."""
    if isinstance(error, DownstreamError):
        return refuse(
            facts,
            error.code,
            what=_about(error),
            fix=_about(error, "_fix"),
            default="malformed_request",
            person=person,
        )
    if error.blame == "idp":
        return refuse(facts, "provider", cookies=cookies, action=action)
    if error.blame == "state":
        return refuse(facts, error.code, cookies=cookies, action=action, person=person)
    return refuse(facts, error.code, default="broken_response" if error.blame == "upstream" else "internal")
