"""Who may make this request: the same origin, or another one (rules R8 and R13).

A cookie goes along with requests that other sites, and same-site siblings, make a browser send. Browsers say so in
Sec-Fetch-Site, older ones in Origin.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

from gateway.core.http.facts import RequestFacts

_OURS = frozenset({"same-origin", "none"})


def crosses_origin(facts: RequestFacts, origins: Collection[str]) -> bool:
    """Whether an unsafe request or a WebSocket handshake must be refused (rule R8).

    :param origins: ``public_url`` and ``allowed_origins``.
    """
    if facts.safe and not facts.websocket:
        return False
    if facts.site in _OURS:
        return False
    return facts.origin not in origins


def names_origin(facts: RequestFacts) -> bool:
    """Whether the client says where the request comes from, as browsers do."""
    return facts.site is not None or facts.origin is not None


def led_here(facts: RequestFacts) -> bool:
    """Whether another site leads here; not known of clients that say nothing of it."""
    return facts.site is not None and facts.site not in _OURS


def acts_as_sign_out(facts: RequestFacts) -> bool:
    """Whether a request that the gate has let through may end its session, at an address of the application that does.

    An unsafe one, or a person who goes there from here (rule R13): an image, a prefetch or a fetch by GET is none.
    """
    return not facts.safe or (facts.navigation and facts.site in _OURS)


class LogoutStart(Enum):
    """What a request to ``/logout`` may do (rule R13)."""

    ACT = "act"
    CONFIRM = "confirm"
    COME_BACK = "come_back"
    """Act, but by a GET: a browser sends no SameSite=Lax cookie with the POST of another site."""
    REFUSE_METHOD = "refuse_method"
    REFUSE_ORIGIN = "refuse_origin"


def may_start_logout(facts: RequestFacts, origin: str, *, cross_site: bool = False) -> LogoutStart:
    """Only a document navigation by GET acts; for POST Sec-Fetch-Site decides, and Origin where it is absent.

    A GET without Sec-Fetch headers could be anything, so it is asked to confirm.

    :param origin: ``public_url``. :param cross_site: another site's navigations act as well (rule R23).
    """
    if cross_site and _led_here(facts):
        return LogoutStart.ACT if facts.method == "GET" else LogoutStart.COME_BACK
    if facts.method == "GET":
        if facts.mode is None and not facts.prefetch:
            return LogoutStart.CONFIRM
        if not facts.navigation:
            return LogoutStart.REFUSE_METHOD
        return LogoutStart.ACT if facts.site in _OURS else LogoutStart.CONFIRM
    if facts.method != "POST":
        return LogoutStart.REFUSE_METHOD
    if facts.site is not None:
        return LogoutStart.ACT if facts.site in _OURS else LogoutStart.REFUSE_ORIGIN
    named_another = facts.origin is not None and facts.origin not in {origin, "null"}
    return LogoutStart.REFUSE_ORIGIN if named_another else LogoutStart.ACT


def _led_here(facts: RequestFacts) -> bool:
    """Whether another site leads a person here, in a tab of their own."""
    if facts.method not in {"GET", "POST"} or facts.prefetch or facts.site in {None, *_OURS}:
        return False
    return facts.mode == "navigate" and facts.dest == "document"
