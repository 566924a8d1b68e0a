"""Reasons become HTTP here and nowhere else: a page for people, a problem document for programs (design section 7)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.core.errors import GatewayError
from gateway.core.http.facts import RequestFacts
from gateway.core.memo import Memo, weight
from gateway.web.messages import Response
from gateway.web.pages import pages
from gateway.web.pages.respond import Prepared


@dataclass(frozen=True, slots=True)
class Reason:
    """How one reason is said. ``headers`` go with it."""

    status: int
    title: str
    what: str
    fix: str
    headers: tuple[tuple[str, str], ...] = ()


_RETRY = (("Retry-After", "5"),)
_UPSTREAM = "The application behind this gateway"

ANSWERS: dict[str, Reason] = {
    "denied": Reason(
        403, "You may not open this", "You are signed in, but your account has no right to this page.",
        "Ask the people who run this site for access, or sign in with another account.",
    ),
    "cross_origin": Reason(
        403, "This request came from another site",
        "A page of another site tried to do something here in your name, so it was stopped.",
        "Open the application itself and try again there. Operators: see allowed_origins.",
    ),
    "iframe_or_prefetch": Reason(
        403, "Sign-in cannot start here", "Sign-in starts only in a tab that you opened yourself.",
        "Open this address in a tab of its own.",
    ),
    "ambiguous_target": Reason(400, "This address cannot be understood", "", ""),
    "encoded_slash": Reason(
        400, "This address cannot be understood", "The path holds an encoded slash, which servers read differently.",
        "Use a plain slash. Operators: `encoded_slashes: allow` on the upstream admits it.",
    ),
    "ambiguous_header": Reason(400, "This request cannot be understood", "", ""),
    "malformed_request": Reason(
        400, "This request cannot be understood", "It breaks the rules of HTTP.",
        "If a browser sent it, clear this site's cookies and try again.",
    ),
    "bad_parameter": Reason(400, "This link is not complete", "", ""),
    "state_unknown": Reason(
        400, "This sign-in cannot be finished here",
        "It was started in another browser, or too long ago, or your browser did not keep our cookie.",
        "Start again, and allow cookies for this site.",
    ),
    "not_asked_again": Reason(
        403, "You were not asked to sign in",
        "Your sessions were ended, so the service that you sign in with should have asked you to sign in anew. "
        "It only remembered you.",
        "Sign out there, then try again. If it happens again, tell the people who run this site what this page says.",
    ),
    "sign_in_refused": Reason(400, "Sign-in was not completed", "", ""),
    "not_found": Reason(404, "There is nothing here", "This address is reserved for the gateway and has no page.",
                        "Go to the application's start page."),
    "unknown_method": Reason(405, "That is not possible here", "The gateway does not know this method.",
                             "Use one of the methods of RFC 9110."),
    "wrong_method": Reason(405, "That is not possible here", "This address does not take that method.",
                           "See the Allow header for those it takes."),
    "broken_body": Reason(
        400, "This request cannot be understood", "Its body is incomplete, or not framed as it said.", "Send it again.",
    ),
    "too_slow": Reason(408, "Too slow", "The rest of your request did not arrive in time.",
                       "Check your connection, and send it again."),
    "too_large": Reason(413, "Too large", "The request's body is larger than this site accepts.",
                        "Send less at once. Operators: see limits.body."),
    "unknown_host": Reason(421, "Unknown host", "", ""),
    "headers_too_large": Reason(431, "Headers too large", "The request's headers are larger than this site accepts.",
                                "Clear this site's cookies and try again. Operators: see limits.header."),
    "internal": Reason(500, "Something went wrong",
                       "The gateway could not handle this request; nothing was let through.",
                       "Try again. If it happens again, tell the people who run this site."),
    "state_stale": Reason(503, "Not available for the moment",
                          "The gateway cannot tell at the moment which sessions have been ended. "
                          "So it lets nothing through.",
                          "Try again in a few seconds.", _RETRY),
    "sessions_away": Reason(503, "Not available for the moment",
                            "The gateway cannot look up your sign-in at the moment. You are not signed out.",
                            "Try again in a few seconds; you need not sign in again.", _RETRY),
    "upstream_busy": Reason(503, "Too busy", f"{_UPSTREAM} has all it can handle.",
                            "Try again in a few seconds.", _RETRY),
    "connect_failed": Reason(502, "The application does not answer", f"{_UPSTREAM} could not be reached.",
                             "Try again in a moment.", _RETRY),
    "broken_response": Reason(502, "The application broke off", f"{_UPSTREAM} sent no complete answer.",
                              "Try again in a moment."),
    "tls_failed": Reason(502, "The application cannot be reached safely",
                         f"{_UPSTREAM} did not prove that it is the right one, so nothing was sent to it.",
                         "Try again later. Operators: the log says what is wrong with its certificate; an authority of "
                         "your own goes into `ca_file` of the upstream.", _RETRY),
    "connect_timeout": Reason(504, "The application does not answer", f"{_UPSTREAM} could not be reached in time.",
                              "Try again in a moment.", _RETRY),
    "first_byte_timeout": Reason(504, "The application takes too long", f"{_UPSTREAM} did not answer in time.",
                                 "Try again in a moment.", _RETRY),
    "idle_timeout": Reason(504, "The application takes too long",
                           f"{_UPSTREAM} stopped taking the request's body.",
                           "Send it again in a moment.", _RETRY),
    "provider": Reason(502, "Sign-in is not available for the moment",
                       "The identity provider did not answer as it should. You are not signed in.",
                       "Try again in a moment. Sessions that exist go on."),
}  # fmt: skip
"""Reasons not in this table are ours to have forgotten: they are ``internal``."""


def answer_for(code: str, *, default: str = "internal") -> Reason:
    return ANSWERS.get(code, ANSWERS[default])


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
    person: bool = True,
) -> Response:
    """The answer for ``reason``.

    :param facts: None when the request could not be read; then ``person`` says whether the answer is a page.
    :param what: said instead of the table's sentence, as is ``fix``; never text from the request.
    """
    person = person if facts is None else facts.wants_page
    prepared = _prepared[reason, what, fix, tuple(headers), action, default, person]
    return prepared.response(tuple(cookies))


_Said = tuple[str, str, str, tuple[tuple[str, str], ...], tuple[str, str] | None, str, bool]


def _prepare(said: _Said) -> Prepared:
    reason, what, fix, headers, action, default, person = said
    answer = answer_for(reason, default=default)
    what, fix = what or answer.what, fix or answer.fix
    if person:
        page = pages.error(
            status=answer.status, title=answer.title, what=what, fix=fix, code=reason, action=action
        )
    else:
        page = pages.problem(
            status=answer.status, code=reason, title=answer.title, detail=f"{what} {fix}".strip()
        )
    return Prepared(page, (*answer.headers, *headers))


_prepared = Memo(
    _prepare, entries=256, size=4 * 1024 * 1024, weigh=lambda said, made: weight(said) + made.weight()
)
"""Who sends nonsense is answered from memory. Of a request there is no more in it than the way back (``action``)."""


def refuse_error(
    facts: RequestFacts | None,
    error: GatewayError,
    *,
    cookies: Iterable[str] = (),
    action: tuple[str, str] | None = None,
    person: bool = True,
) -> Response:
    """The answer for an error that was raised; only errors on the client's side speak in their own words."""
    if error.side == "downstream":
        return refuse(
            facts,
            error.code,
            what=error.detail,
            fix=error.fix,
            default="malformed_request",
            person=person,
        )
    if error.side == "idp":
        return refuse(facts, "provider", cookies=cookies, action=action)
    if error.side == "state":
        return refuse(facts, error.code, cookies=cookies, action=action, person=person)
    return refuse(facts, error.code, default="broken_response" if error.side == "upstream" else "internal")
