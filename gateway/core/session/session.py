"""The session: who signed in, when, and until when (design section 4).

A session is a value. It is never changed, only replaced by a later one of the same ``sid``: activity moves
``idle_until`` forward, a refresh raises ``generation``. ``absolute_until``, ``login_at`` and ``seen`` never move
(rule R6); the deadline that counts is the earlier of the sealed one and what the configuration says today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Any

FORMAT = 2


@dataclass(frozen=True, slots=True)
class Principal:
    """Who the identity provider says this is: only what headers and policies need."""

    issuer: str
    subject: str
    user: str
    email: str | None = None
    groups: tuple[str, ...] = ()
    preferred_username: str | None = None
    claims: Mapping[str, object] = field(default_factory=dict, hash=False)
    acr: str | None = None
    auth_time: int = 0


class Known(Enum):
    """How much is known of a session that is kept elsewhere than in its cookie."""

    WHOLE = "whole"
    GONE = "gone"
    """Only what its ticket says: it is not kept any more."""
    AWAY = "away"
    """Only what its ticket says: who keeps it does not answer."""


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in of one principal in one browser.

    :ivar sid: random, new at every login.
    :ivar log_id: the revocation log it was made under; under another log it is refused (rule R4).
    :ivar aliases: revocation keys of every name the principal had at login (rule R19).
    :ivar seen: position of the revocation log at login (rule R6).
    :ivar idle_until: seconds; moved by activity only.
    :ivar absolute_until: seconds; never moves.
    :ivar refresh_at: seconds; when its tokens are to be refreshed, None where they cannot be.
    :ivar access_token: kept only where upstreams are to have it. :ivar access_until: seconds; when it expires.
    :ivar page: what pages and plug-ins keep, JSON of at most 512 bytes (``web/session/storage.py``).
    :ivar secret: of its ticket, None where it is kept in its cookie. :ivar known: only one that is whole can be alive.
        Neither is sealed.
    :ivar hint: what names it to its provider at sign-out, where a refresh has renewed that; not in its own cookie.
    """

    sid: str
    log_id: str
    principal: Principal
    aliases: tuple[str, ...]
    login_at: int
    seen: int
    idle_until: int
    absolute_until: int
    generation: int = 0
    refresh_token: str | None = field(default=None, repr=False)
    refresh_at: int | None = None
    access_token: str | None = field(default=None, repr=False)
    access_until: int = 0
    page: Mapping[str, Any] = field(default_factory=dict, hash=False)
    secret: bytes | None = field(default=None, repr=False)
    known: Known = Known.WHOLE
    hint: str | None = field(default=None, repr=False)


class Life(Enum):
    """Where a session stands in its life, before revocation is asked."""

    FRESH = "fresh"
    IDLE_EXPIRED = "idle_expired"
    ABSOLUTE_EXPIRED = "absolute_expired"


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long sessions live, in seconds.

    :ivar seal_every: activity within this many seconds of the last sealing is not worth a new cookie.
    """

    idle: int
    absolute: int
    seal_every: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seal_every", max(1, min(60, self.idle // 10)))


def absolute_deadline(session: Session, limits: SessionLimits) -> int:
    """The sealed deadline, or the configured one where that is earlier (rule R6)."""
    return min(session.absolute_until, session.login_at + limits.absolute)


def life(session: Session, limits: SessionLimits, now: int) -> Life:
    """Where the session stands at ``now``."""
    if now >= absolute_deadline(session, limits):
        return Life.ABSOLUTE_EXPIRED
    if now >= session.idle_until:
        return Life.IDLE_EXPIRED
    return Life.FRESH


def touched(session: Session, limits: SessionLimits, now: int) -> Session | None:
    """The session with its idle deadline moved by activity at ``now``; None when the cookie is recent enough."""
    until = now + limits.idle
    if until - session.idle_until < limits.seal_every:  # nearly always, and the absolute deadline is no later
        return None
    until = min(until, absolute_deadline(session, limits))
    return replace(session, idle_until=until) if until - session.idle_until >= limits.seal_every else None


def to_plain(session: Session) -> dict[str, Any]:
    """The session as plain data to seal. Short names: this travels with every request."""
    who = session.principal
    return {
        "v": FORMAT,
        "i": session.sid,
        "l": session.log_id,
        "k": list(session.aliases),
        "a": session.login_at,
        "s": session.seen,
        "d": session.idle_until,
        "x": session.absolute_until,
        "g": session.generation,
        "r": session.refresh_token,
        "t": session.refresh_at,
        "b": [session.access_token, session.access_until] if session.access_token else None,
        "e": dict(session.page),
        "p": [
            who.issuer,
            who.subject,
            who.user,
            who.email,
            list(who.groups),
            who.preferred_username,
            dict(who.claims),
            who.acr,
            who.auth_time,
        ],
    }


def to_kept(session: Session) -> dict[str, Any]:
    """The same to be kept elsewhere than in its cookie, with the hint, which travels with no request."""
    return to_plain(session) | ({"h": session.hint} if session.hint is not None else {})


def from_plain(plain: Mapping[str, Any]) -> Session:
    """The session from what was sealed.

    :raises ValueError: another format, or not a session at all.
    """
    try:
        if plain["v"] != FORMAT:
            raise ValueError("another session format")
        issuer, subject, user, email, groups, preferred, claims, acr, auth_time = plain["p"]
        access_token, access_until = plain["b"] or (None, 0)
        who = Principal(
            issuer, subject, user, email, tuple(groups), preferred, MappingProxyType(claims), acr, auth_time
        )
        return Session(
            sid=plain["i"],
            log_id=plain["l"],
            principal=who,
            aliases=tuple(plain["k"]),
            login_at=plain["a"],
            seen=plain["s"],
            idle_until=plain["d"],
            absolute_until=plain["x"],
            generation=plain["g"],
            refresh_token=plain["r"],
            refresh_at=plain["t"],
            access_token=access_token,
            access_until=access_until,
            page=MappingProxyType(plain["e"]),
            hint=plain.get("h"),
        )
    except (KeyError, TypeError) as error:
        raise ValueError("not a session") from error
