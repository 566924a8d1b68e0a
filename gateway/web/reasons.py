"""Why somebody's sessions were ended, in words for them."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.core.reach import WITH_THE_PROVIDER, WITH_THE_USER
from gateway.web.admin import REASON as BY_OPERATOR
from gateway.web.endpoints.sessions import ENDED_EVERYWHERE

_WORDS: Mapping[str, str] = {
    BY_OPERATOR: "The people who run this site have ended all your sessions.",
    ENDED_EVERYWHERE: "You have signed out everywhere.",
    WITH_THE_USER: "You have signed out in another browser.",
    WITH_THE_PROVIDER: "You have signed out of the service that you sign in with.",
}
_BY_PROVIDER = "The service that you sign in with has ended all your sessions."


def ended_because(reason: str) -> str:
    """A sentence for the reason of an entry; all that are not our own come from a provider (``web/inbound.py``)."""
    return _WORDS.get(reason, _BY_PROVIDER)
