"""Why somebody's sessions were ended, in words for them: one session or all, in this browser or another."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.core.signout.reach import WITH_THE_PROVIDER, WITH_THE_USER

ENDED_THERE = "signed_out_elsewhere"
ENDED_EVERYWHERE = "signed_out_everywhere"
BY_OPERATOR = "operator"
"""Reasons of entries: by the user, in another browser or everywhere, and by who runs the site."""

_WORDS: Mapping[str, str] = {
    "logout": "You have signed out.",
    ENDED_EVERYWHERE: "You have signed out everywhere.",
    ENDED_THERE: "You have signed out here from another browser.",
    WITH_THE_USER: "You have signed out in another browser.",
    WITH_THE_PROVIDER: "You have signed out of the service that you sign in with.",
    BY_OPERATOR: "The people who run this site have signed you out.",
    "refresh_refused": "The service that you sign in with has not prolonged your session.",
}
_BY_PROVIDER = "The service that you sign in with has signed you out."


def ended_because(reason: str) -> str:
    """A sentence for the reason of an entry; all but our own come from a provider (``web/signout/inbound.py``)."""
    return _WORDS.get(reason, _BY_PROVIDER)
