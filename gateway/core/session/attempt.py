"""One login attempt: everything it needs grows from one secret in its own sealed cookie (pain P11).

``state``, ``nonce`` and the PKCE verifier are derived from the secret, each under its own label, so the cookie stays
small (rule R33) and no two of them can be confused. The cookie is named by eight hex digits of the attempt's id, so
parallel tabs do not disturb each other; the id stands at the front of ``state``, so the callback finds its cookie.

A finished attempt is not removed but marked for a minute: three finished attempts in a minute are a loop (pain P13).

The way back travels in ``state``, sealed, so it is as old and as many as the tabs that wait at the provider, and what
became of the cookie does not matter: without it no code is used, but the tab still knows its own address.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

from gateway.core.session.sealed_format import Format

LIFETIME = 3_600
"""Seconds: somebody may have to find a phone, or set a new password by mail. Later a sign-in begins anew, by itself."""
MAX_ATTEMPTS = 5
LONGEST_IN_STATE = 256
"""Letters of a way back that ``state`` has room for; a longer one waits in the tab, or in a cookie without a script."""
LOOP_WINDOW = 60
LOOP_LIMIT = 3
LANDS_WITHIN = 60
"""Seconds from the callback to the landing, which a redirect leads to."""
ATTEMPT_ID = re.compile(r"[0-9a-f]{8}")
_STATE = re.compile(r"(([0-9a-f]{8})([.-])[A-Za-z0-9_-]{22})(?:\.([A-Za-z0-9_-]{1,1024}))?")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login under way.

    :ivar secret: 128 random bits, base64url. :ivar started: seconds.
    :ivar rd: the local path to return to; empty when it travels in ``state`` or waits in the tab's sessionStorage.
    :ivar after: log position when this browser last completed a logout chain, 0 if it never did (rule R1).
    :ivar after_time: seconds, when that was; 0 if never.
    :ivar restarted: it follows one whose callback could not be used; there is no second restart.
    :ivar finished: seconds, when its callback succeeded; 0 while it is under way.
    :ivar landed: its landing has been shown; there is no second one.
    :ivar led: another site led here, so what follows is not the person's own wish.
    :ivar seen: log position when it began. :ivar log: which log that is, and `after` with it; see `log_tag`.
    :ivar prompt: the ``prompt`` it asks for, empty for none: a wish that whoever sits at the browser can take away.
    :ivar max_age: seconds, at the most, since the person has proved who they are, when it began; None where that does
        not matter. The callback holds the provider to it (``core/signout/freshness.py``).
    """

    secret: Annotated[str, "k"] = field(repr=False)
    started: Annotated[int, "t"]
    rd: Annotated[str, "d"]
    after: Annotated[int, "a"] = 0
    after_time: Annotated[int, "w"] = 0
    restarted: Annotated[bool, "r"] = False
    finished: Annotated[int, "f"] = 0
    landed: Annotated[bool, "n"] = field(default=False, kw_only=True)
    led: Annotated[bool, "o"] = field(default=False, kw_only=True)
    seen: Annotated[int, "s"] = field(default=0, kw_only=True)
    log: Annotated[str, "l"] = field(default="", kw_only=True)
    prompt: Annotated[str, "p"] = field(default="", kw_only=True)
    max_age: Annotated[int | None, "m"] = field(default=None, kw_only=True)
    more: str = field(default="", kw_only=True)

    @property
    def attempt_id(self) -> str:
        """Eight hex digits: names the cookie."""
        return hashlib.sha256(self.secret.encode()).hexdigest()[:8]

    @property
    def state(self) -> str:
        """``<id>.<22 characters>``, with ``-`` for the dot after a restart; the sealed way back may follow, after
        another dot. Only what Okta allows in state (B.3).
        """
        return f"{self.attempt_id}{'-' if self.restarted else '.'}{self._derive('state')[:22]}"

    @property
    def nonce(self) -> str:
        return self._derive("nonce")

    @property
    def code_verifier(self) -> str:
        """43 characters (RFC 7636 §4.1)."""
        return self._derive("verifier")

    def _derive(self, label: str) -> str:
        digest = hmac.digest(self.secret.encode(), label.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


FORMAT = Format(Attempt)


class Returned(NamedTuple):
    """A ``state`` of ours, as a callback brings it; that an attempt of this browser sent it is not said yet.

    :ivar proof: what such an attempt's own ``state`` is compared with. :ivar restarted: it was a restart already.
    :ivar box: the sealed way back, empty where there is none.
    """

    proof: str
    attempt_id: str
    restarted: bool
    box: str


def read_state(state: str) -> Returned | None:
    """The parts of a returned ``state``; None when it is not ours."""
    match = _STATE.fullmatch(state)
    return Returned(match[1], match[2], match[3] == "-", match[4] or "") if match else None


def log_tag(log_id: str) -> str:
    """Enough of a log's id to tell it from the one that took its place; an attempt has little room."""
    return log_id[:6]


def expired(attempt: Attempt, now: int) -> bool:
    return now >= attempt.started + LIFETIME


def lands(attempt: Attempt, now: int) -> bool:
    """Whether this attempt may land: it has just been finished, and has not landed before."""
    return bool(attempt.finished) and not attempt.landed and now - attempt.finished < LANDS_WITHIN


def unasked(attempts: list[Attempt], now: int) -> bool:
    """Whether this browser has just been led to a sign-in of ours by what was no answer to one: that is done once."""
    return any(each.restarted and now - each.started < LOOP_WINDOW for each in attempts)


def looping(attempts: list[Attempt], now: int) -> bool:
    """Whether this browser came back from sign-in so often within a minute that it cannot be on purpose."""
    recent = [a for a in attempts if a.finished and now - a.finished < LOOP_WINDOW]
    return len(recent) >= LOOP_LIMIT
