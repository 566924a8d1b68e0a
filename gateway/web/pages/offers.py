"""What the page of each refusal offers to do next (`Offer`): nothing that leads to the same page again by itself.

A reason that is not here has its next step in words alone, for a link to us would be answered in the same way: the
browser sends something that cannot be read, or the site has to be changed first.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from gateway.core.http.facts import RequestFacts
from gateway.web.pages.catalogue import message
from gateway.web.pages.pages import Offer

OWN_FORM: Final = "/logout?via=page"
"""Where the forms of our own pages go; an application's own form goes to ``/logout`` and is redirected at once."""
APPLICATION: Final = Offer(message("page.application"), "/")
SIGN_IN: Final = Offer(message("page.sign_in_again"), "/")
"""Where nobody is signed in, the application's first page leads to the sign-in."""
SIGN_OUT: Final = Offer(message("page.sign_out"), OWN_FORM, posts=True)
TRY_AGAIN: Final = Offer(message("page.try_again"))

PASSING: Final = frozenset({
    "state_stale", "sessions_away", "upstream_busy", "connect_failed", "connect_timeout", "first_byte_timeout",
    "idle_timeout",
})  # fmt: skip
"""The same request may succeed in a few seconds; what is not here and not `_UNKNOWN` is not worth a second try."""
_UNKNOWN: Final = frozenset({"broken_response", "internal", "provider"})
"""Whether a second try helps nobody can know."""
_ELSEWHERE: Final = frozenset({
    "ambiguous_target", "encoded_slash", "bad_parameter", "cross_origin", "iframe_or_prefetch", "misasked", "not_found",
    "unknown_method", "wrong_method", "broken_body", "too_slow", "too_large",
})  # fmt: skip
_FIXED: Final = {
    "bad_callback": (SIGN_IN,), "state_mismatch": (SIGN_IN,), "state_unknown": (SIGN_IN,), "sign_in_spent": (SIGN_IN,),
    "sign_in_refused": (SIGN_OUT,), "provider_unusable": (SIGN_OUT,), "not_asked_again": (SIGN_OUT,),
}  # fmt: skip


def other_account(rd: str = "/") -> Offer:
    """Sign out, then sign in as somebody else, and go on to ``rd``, a path of the application."""
    return Offer(message("page.other_account"), f"{OWN_FORM}&switch={quote(rd, safe='/')}", posts=True)


def offers_for(reason: str, facts: RequestFacts | None) -> tuple[Offer, ...]:
    """What the page of ``reason`` offers where nobody knows better; ``facts`` are None where it could not be read."""
    if reason == "denied":
        return (other_account(), SIGN_OUT)
    if reason in _FIXED:
        return _FIXED[reason]
    asked_safely = facts is not None and facts.safe
    if reason in PASSING or reason in _UNKNOWN:
        return (TRY_AGAIN,) if asked_safely else (APPLICATION,)
    at_home = asked_safely and facts is not None and facts.raw_path == "/"
    return (APPLICATION,) if reason in _ELSEWHERE and not at_home else ()
