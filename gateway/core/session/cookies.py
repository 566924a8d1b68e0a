"""The gateway's own cookies: sealed, cut to size, set and cleared by one piece of code.

All are Secure, HttpOnly, SameSite=Lax, Path=/, without Domain; setting and clearing repeat the same attributes, or
browsers keep the cookie (CVE-2025-55162). Only ``__Secure-session-hint`` has another path, which its name says.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.core.http.own_cookies import HINT, LOGIN, LOGOUT, MAX_PIECES, SESSION, OwnCookies, suffixed
from gateway.core.session.attempt import LIFETIME
from gateway.core.session.sealing import Deployment, Failure, KeyRing, Opened, associated_data

PIECE = 3_800
"""Name and value of one cookie, bytes: below the 4,096 of RFC 6265bis §5.7 and of every proxy's line limit."""
NEAR = 64
"""Bytes around the border between one piece and several. A session there crosses it back and forth with each sealing,
and of answers to parallel requests none knows which form the others set: so each expires the other form.
"""
ATTEMPT_BUDGET = 300
"""Bytes of one login attempt (rule R33)."""
TICKET_BUDGET = 600
"""Bytes of a ticket, which is always much the same."""
ATTEMPTS_TOGETHER = 1_500
"""Bytes: five login attempts of 300 (rule R33)."""
HINT_PATH = "/logout"
"""The hint goes to the addresses of the logout alone, not with every request (rule R18)."""
_ATTRIBUTES = "; Secure; HttpOnly; SameSite=Lax"


class CookieTooLargeError(Exception):
    """The sealed value does not fit its budget.

    :ivar needed: bytes of name and value of all pieces. :ivar budget: bytes allowed.
    """

    def __init__(self, needed: int, budget: int) -> None:
        super().__init__(f"{needed} bytes do not fit into {budget}")
        self.needed = needed
        self.budget = budget


@dataclass(frozen=True, slots=True)
class SealedCookie:
    """The only code that seals, cuts, sets and clears.

    :param name: cookie name; an attempt's has its hash in it.
    :param purpose: part of the associated data, so that no cookie can stand in for another.
    :param max_age: seconds the browser keeps it.
    :param budget: bytes of name and value over all pieces (rule R33).
    :param pieces: how many cookies it may be cut into.
    :param path: where browsers send it; other than ``/`` only for names without ``__Host-``.
    """

    name: str
    purpose: str
    max_age: int
    budget: int
    pieces: int = 1
    path: str = "/"

    def names(self) -> list[str]:
        """Every name this cookie can have in a browser."""
        if self.pieces == 1:
            return [self.name]
        return [self.name, *(f"{self.name}_{n}" for n in range(1, MAX_PIECES + 1))]

    def set(
        self,
        plain: Mapping[str, Any],
        ring: KeyRing,
        deployment: Deployment,
        *,
        now: int,
        carried: OwnCookies,
    ) -> list[str]:
        """Set-Cookie values that store ``plain`` and expire the pieces of an older one that the browser carries.

        :raises CookieTooLargeError: beyond the budget.
        """
        box = ring.seal(plain, associated_data(self.purpose, self.name, deployment), now=now)
        value = base64.urlsafe_b64encode(box).rstrip(b"=").decode()
        cut = self._cut(value)
        needed = sum(len(name) + len(piece) for name, piece in cut.items())
        if needed > self.budget or len(cut) > self.pieces:
            raise CookieTooLargeError(needed, self.budget)
        fresh = [self._line(name, piece, self.max_age) for name, piece in cut.items()]
        near = self.pieces > 1 and abs(len(self.name) + len(value) - PIECE) <= NEAR
        stale = [name for name in self.names() if name not in cut and (near or self._carries(carried, name))]
        return fresh + [self._line(name, "", 0) for name in stale]

    def clear(self) -> list[str]:
        """Set-Cookie values that remove every piece there can be."""
        return [self._line(name, "", 0) for name in self.names()]

    def open(
        self, cookies: OwnCookies, ring: KeyRing, deployment: Deployment, *, now: int
    ) -> Opened | Failure | None:
        """What the browser's cookie holds; None when there is none."""
        value = self.value(cookies)
        if value is None:
            return None
        try:
            box = base64.b64decode(value + b"=" * (-len(value) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return Failure.MALFORMED
        return ring.open(box, associated_data(self.purpose, self.name, deployment), now=now)

    def value(self, cookies: OwnCookies) -> bytes | None:
        """The whole sealed text as the browser sent it; None when absent, conflicting or incomplete."""
        if any(name.encode() in cookies.conflicting for name in self.names()):
            return None
        bare = cookies.get(self.name)
        numbered = (
            [cookies.get(f"{self.name}_{n}") for n in range(1, self.pieces + 1)] if self.pieces > 1 else []
        )
        if bare is not None:
            return bare if not any(numbered) else None
        present = [piece for piece in numbered if piece is not None]
        return b"".join(present) if present and numbered[: len(present)] == present else None

    def _line(self, name: str, value: str, max_age: int) -> str:
        return f"{name}={value}; Path={self.path}{_ATTRIBUTES}; Max-Age={max_age}"

    def _cut(self, value: str) -> dict[str, str]:
        if len(self.name) + len(value) <= PIECE:
            return {self.name: value}
        room = PIECE - len(self.name) - 2
        starts = range(0, len(value), room)
        return {f"{self.name}_{n}": value[at : at + room] for n, at in enumerate(starts, start=1)}

    @staticmethod
    def _carries(cookies: OwnCookies, name: str) -> bool:
        raw = name.encode()
        return raw in cookies.values or raw in cookies.conflicting


def session_cookie(max_age: int, all_own: int = 7_000, *, suffix: str = "") -> SealedCookie:
    """The session's cookie (rule R33).

    :param all_own: bytes of all cookies of the gateway (``limits.cookies``), five attempts of 300 among them.
    :param suffix: of the deployment's cookies (``session.cookie_suffix``), as everywhere here.
    """
    budget = min(all_own - ATTEMPTS_TOGETHER, MAX_PIECES * PIECE)
    name = suffixed(SESSION, suffix)
    return SealedCookie(name, "session", max_age, budget=budget, pieces=-(-budget // PIECE))


def ticket_cookie(max_age: int, *, suffix: str = "") -> SealedCookie:
    """The session's cookie where the session is kept in Redis. It goes by all the names of the other kind, so that one
    that a browser still has of that is replaced.
    """
    name = suffixed(SESSION, suffix)
    return SealedCookie(name, "ticket", max_age, budget=TICKET_BUDGET, pieces=MAX_PIECES)


def attempt_cookie(
    attempt: str, *, max_age: int = LIFETIME, budget: int = ATTEMPT_BUDGET, suffix: str = ""
) -> SealedCookie:
    """The cookie of one login attempt, named by ``attempt`` (8 hex digits); an hour, 300 bytes (rule R33)."""
    return SealedCookie(f"{suffixed(LOGIN, suffix)}_{attempt}", "login", max_age, budget=budget)


def logout_cookie(max_age: int, *, suffix: str = "") -> SealedCookie:
    """The cookie of the logout chain, which goes without a session's beside it. A subject and a user of 255 letters
    each, which its receipt names, are most of it, and the way back of a sign-in that goes on after it.
    """
    return SealedCookie(suffixed(LOGOUT, suffix), "logout", max_age, budget=2_600)


def hint_cookie(max_age: int, budget: int, *, suffix: str = "") -> SealedCookie:
    """The cookie of what names a sign-in to its provider.

    :param budget: bytes that the other cookies leave (rule R33).
    """
    return SealedCookie(suffixed(HINT, suffix), "hint", max_age, budget=budget, path=HINT_PATH)
