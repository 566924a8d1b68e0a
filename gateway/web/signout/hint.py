"""What names a sign-in to its provider at sign-out, kept in a cookie of its own (rule R18).

``__Secure-session-hint; Path=/logout`` goes to the addresses of the logout and nowhere else, so that an ID token does
not travel with every request. The session's id is sealed inside: a sibling site can plant cookies of this name, and a
hint of another session would have the provider keep the one that is to end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from gateway.core.http.own_cookies import OwnCookies
from gateway.core.session.cookies import (
    ATTEMPTS_TOGETHER,
    PIECE,
    CookieTooLargeError,
    SealedCookie,
)
from gateway.core.session.sealed_format import Format
from gateway.core.session.session import Session
from gateway.telemetry.log import get_logger
from gateway.web.session.session import Sessions

_log = get_logger("hint")


@dataclass(frozen=True, slots=True)
class Hint:
    """What is sealed."""

    sid: Annotated[str, "s"]
    hint: Annotated[str, "h"] = field(repr=False)
    more: str = ""


FORMAT = Format(Hint)


class Hints:
    """Reads and writes the hint.

    :param wanted: what the chain's hops need, as `hint_in` takes it; empty: nothing is ever kept.
    :param all_own: bytes that all cookies of the gateway may take (rule R33).
    """

    def __init__(self, sessions: Sessions, wanted: str, *, all_own: int = 7_000) -> None:
        self.wanted = wanted
        self._sessions = sessions
        self._room = all_own - ATTEMPTS_TOGETHER

    def keep(
        self, hint: str | None, sid: str, session: list[str], carried: OwnCookies, now: int
    ) -> list[str]:
        """Set-Cookie values that keep ``hint`` of the session ``sid``, or expire another's where this does not fit.

        :param session: the Set-Cookie values of that session, which share the budget.
        """
        if not self.wanted:
            return []
        if hint is not None:
            taken = sum(line.index(";") - 1 for line in session if not line.endswith("Max-Age=0"))
            cookie = self._cookie(min(PIECE, self._room - taken))
            ring, deployment = self._sessions.ring, self._sessions.deployment
            try:
                return cookie.set(FORMAT.plain(Hint(sid, hint)), ring, deployment, now=now, carried=carried)
            except CookieTooLargeError as error:
                fix = "put fewer claims into ID tokens, or a hop behind this one that needs no hint"
                _log.info("hint_too_large", needed=error.needed, budget=error.budget, fix=fix)
        return self.clear()

    def renew(self, session: Session, lines: list[str], carried: OwnCookies, now: int) -> list[str]:
        """Set-Cookie values for the hint of a later generation, beside ``lines``, those of the session.

        One that does not fit leaves the one of before where it is: it may still do.
        """
        if session.hint is None:
            return []
        kept = self.keep(session.hint, session.sid, lines, carried, now)
        return [] if kept == self.clear() else kept

    def of(self, sid: str, carried: OwnCookies, now: int) -> str | None:
        """The hint of the session ``sid``; None when the browser has none, or another session's."""
        if not self.wanted or not sid:
            return None
        found = FORMAT.read_from(self._sessions.opened(self._cookie(PIECE), carried, now))
        return found.hint if found is not None and found.sid == sid else None

    def clear(self) -> list[str]:
        """Set-Cookie values that expire it; none where nothing is ever kept."""
        return self._cookie(PIECE).clear() if self.wanted else []

    def _cookie(self, budget: int) -> SealedCookie:
        return self._sessions.hint_cookie(budget)
