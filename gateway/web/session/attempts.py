"""Login attempts in the browser's cookies: one sealed cookie each, at most five, the oldest dropped (pain P11).

Their ways back are sealed in ``state``, which the provider hands back: see ``core/session/attempt.py``.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import NamedTuple

from gateway.core import dice
from gateway.core.http.own_cookies import OwnCookies
from gateway.core.session import attempt as attempts
from gateway.core.session.attempt import (
    LONGEST_IN_STATE,
    LOOP_WINDOW,
    MAX_ATTEMPTS,
    Attempt,
    Returned,
)
from gateway.core.session.cookies import CookieTooLargeError
from gateway.core.session.sealing import Opened, associated_data
from gateway.web.session.session import Sessions

SCRIPTLESS_BUDGET = 2_048
"""Bytes, for clients that cannot run the start page, in which a long way back would wait (rule R33)."""


class Begun(NamedTuple):
    """An attempt on its way.

    :ivar state: for the provider. :ivar cookies: Set-Cookie values.
    :ivar waiting: the way back where it is too long for ``state`` and has to wait in the tab; mostly empty.
    """

    state: str
    cookies: list[str]
    waiting: str


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

    def store(self, attempt: Attempt, own: OwnCookies, now: int, *, script: bool) -> Begun:
        """Begin ``attempt``.

        :param script: whether the client runs the start page, which can keep the way back.
        """
        latest = [one.attempt_id for one in self.all(own, now)]
        # What does not open comes last: it may be sealed with a key that only other replicas have yet (rule R26).
        others = [attempt_id for attempt_id in own.attempts() if attempt_id not in latest]
        dropped = [*latest, *others][MAX_ATTEMPTS - 1 :]
        cleared = [line for attempt_id in dropped for line in self.clear(attempt_id)]
        bare = [*self._seal(replace(attempt, rd=""), own, now), *cleared]
        if len(attempt.rd) <= LONGEST_IN_STATE:
            return Begun(self._with_way_back(attempt, now), bare, "")
        if script:
            return Begun(attempt.state, bare, attempt.rd)
        try:
            kept = self._seal(attempt, own, now, budget=SCRIPTLESS_BUDGET)
            return Begun(attempt.state, [*kept, *cleared], "")
        except CookieTooLargeError:  # where it leads is lost, and not who asks
            return Begun(attempt.state, bare, "")

    def way_back(self, returned: Returned, now: int) -> str | None:
        """The local path in a returned ``state``, empty where it has none; None where what it has is not ours."""
        if not returned.box:
            return ""
        try:
            box = base64.urlsafe_b64decode(returned.box + "=" * (-len(returned.box) % 4))
        except ValueError:
            return None
        opened = self._sessions.ring.open(box, self._bound(returned.proof), now=now)
        rd = opened.plain.get("d") if isinstance(opened, Opened) else None
        return rd if isinstance(rd, str) else None

    def _with_way_back(self, attempt: Attempt, now: int) -> str:
        if attempt.rd in {"", "/"}:
            return attempt.state
        box = self._sessions.ring.seal({"d": attempt.rd}, self._bound(attempt.state), now=now)
        return f"{attempt.state}.{base64.urlsafe_b64encode(box).rstrip(b'=').decode()}"

    def _bound(self, proof: str) -> bytes:
        """To this very attempt, so that nobody gives another's way back to it."""
        return associated_data("way back", proof, self._sessions.deployment)

    def unasked(self, own: OwnCookies, now: int) -> tuple[str, list[str]]:
        """An id, and Set-Cookie values that remember for a minute that a sign-in was begun by nobody here."""
        mark = Attempt(secret=dice.token(16), started=now, rd="", restarted=True, finished=now, landed=True)
        return mark.attempt_id, self._mark(mark, own, now)

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
