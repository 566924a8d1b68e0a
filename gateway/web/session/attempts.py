"""Login attempts in the browser's cookies: one sealed cookie each, at most five, the oldest dropped (pain P11)."""

from __future__ import annotations

from dataclasses import replace

from gateway.core.http.own_cookies import OwnCookies
from gateway.core.session import attempt as attempts
from gateway.core.session.attempt import LOOP_WINDOW, MAX_ATTEMPTS, Attempt
from gateway.core.session.cookies import ATTEMPT_BUDGET, CookieTooLargeError
from gateway.web.session.session import Sessions

SCRIPTLESS_BUDGET = 2_048
"""Bytes, for clients that cannot run the start page, in which a way back beyond 300 bytes would wait (rule R33)."""


class Attempts:
    """Reads and writes attempts."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def all(self, own: OwnCookies, now: int) -> list[Attempt]:
        """Every attempt the browser carries, the latest first; what does not open is left out."""
        found = [self.find(own, attempt_id, now) for attempt_id in own.attempts()]
        return sorted((one for one in found if one is not None), key=lambda one: one.started, reverse=True)

    def find(self, own: OwnCookies, attempt_id: str, now: int) -> Attempt | None:
        """The attempt of that id, None when it is not there, not ours, or expired."""
        cookie = self._sessions.attempt_cookie(attempt_id)
        attempt = attempts.FORMAT.read_from(self._sessions.opened(cookie, own, now))
        return None if attempt is None or attempts.expired(attempt, now) else attempt

    def store(self, attempt: Attempt, own: OwnCookies, now: int, *, script: bool) -> tuple[list[str], str]:
        """Set-Cookie values, and the way back that did not fit and must wait in the tab; mostly empty.

        :param script: whether the client runs the start page, which can keep the way back.
        """
        latest = [one.attempt_id for one in self.all(own, now)]
        # What does not open comes last: it may be sealed with a key that only other replicas have yet (rule R26).
        others = [attempt_id for attempt_id in own.attempts() if attempt_id not in latest]
        dropped = [*latest, *others][MAX_ATTEMPTS - 1 :]
        cleared = [line for attempt_id in dropped for line in self.clear(attempt_id)]
        try:
            budget = ATTEMPT_BUDGET if script else SCRIPTLESS_BUDGET
            return [*self._seal(attempt, own, now, budget=budget), *cleared], ""
        except CookieTooLargeError:
            return [
                *self._seal(replace(attempt, rd=""), own, now, budget=ATTEMPT_BUDGET),
                *cleared,
            ], attempt.rd

    def finish(self, attempt: Attempt, own: OwnCookies, now: int) -> list[str]:
        """Set-Cookie values that mark the attempt as finished; the mark fades within a minute (pain P13)."""
        return self._mark(replace(attempt, finished=now), own, now)

    def land(self, attempt: Attempt, own: OwnCookies, now: int) -> list[str]:
        """Set-Cookie values that spend a finished attempt: it leads nowhere any more."""
        return self._mark(replace(attempt, rd="", landed=True), own, now)

    def _mark(self, attempt: Attempt, own: OwnCookies, now: int) -> list[str]:
        return self._seal(attempt, own, now, max_age=LOOP_WINDOW, budget=SCRIPTLESS_BUDGET)

    def clear(self, attempt_id: str) -> list[str]:
        return self._sessions.attempt_cookie(attempt_id).clear()

    def _seal(self, attempt: Attempt, own: OwnCookies, now: int, **cookie: int) -> list[str]:
        sessions, plain = self._sessions, attempts.FORMAT.plain(attempt)
        sealed = sessions.attempt_cookie(attempt.attempt_id, **cookie)
        return sealed.set(plain, sessions.ring, sessions.deployment, now=now, carried=own)
