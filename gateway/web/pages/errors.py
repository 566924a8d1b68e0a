"""Reasons become HTTP here and nowhere else: a page for people, a problem document for programs (design section 7)."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.core.errors import DownstreamError, GatewayError
from gateway.core.http.facts import RequestFacts
from gateway.core.memo import Memo, weight
from gateway.web.messages import Response
from gateway.web.pages import pages
from gateway.web.pages.catalogue import message, message_for
from gateway.web.pages.respond import Prepared

STATUSES = {
    "ambiguous_target": 400, "encoded_slash": 400, "ambiguous_header": 400, "malformed_request": 400,
    "bad_parameter": 400, "bad_callback": 400, "state_mismatch": 400, "state_unknown": 400, "sign_in_refused": 400,
    "broken_body": 400, "denied": 403, "cross_origin": 403, "iframe_or_prefetch": 403, "misasked": 403,
    "not_asked_again": 403, "not_found": 404, "unknown_method": 405, "wrong_method": 405, "too_slow": 408,
    "too_large": 413, "unknown_host": 421, "headers_too_large": 431, "internal": 500, "connect_failed": 502,
    "broken_response": 502, "tls_failed": 502, "provider": 502, "state_stale": 503, "sessions_away": 503,
    "upstream_busy": 503, "connect_timeout": 504, "first_byte_timeout": 504, "idle_timeout": 504,
}  # fmt: skip
"""What a reason is on the wire; its words are in `messages.toml`. One not here is ours to have forgotten."""
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
    :param what: instead of the catalogue's sentence, as is ``fix``; never text from the request.
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


_prepared = Memo(
    _prepare, entries=256, size=4 * 1024 * 1024, weigh=lambda refused, made: weight(refused) + made.weight()
)
"""Who sends nonsense is answered from memory. Of a request there is no more in it than the way back (``action``)."""


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
    if error.side == "idp":
        return refuse(facts, "provider", cookies=cookies, action=action)
    if error.side == "state":
        return refuse(facts, error.code, cookies=cookies, action=action, person=person)
    return refuse(facts, error.code, default="broken_response" if error.side == "upstream" else "internal")
