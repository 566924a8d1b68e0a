"""The session: who signed in, when, and until when (design section 4).

A session is a value. It is never changed, only replaced by a later one of the same ``sid``: activity moves
``idle_until`` forward, a refresh raises ``generation``. ``absolute_until``, ``login_at`` and ``seen`` never move
(rule R6); the deadline that counts is the earlier of the sealed one and what the configuration says today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Annotated, Any

from gateway.core.session.sealed_format import Format

SECRET = 32
"""Bytes of a ticket's secret."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who the identity provider says this is: only what headers and policies need."""

    issuer: Annotated[str, "i"]
    subject: Annotated[str, "s"]
    user: Annotated[str, "u"]
    email: Annotated[str | None, "e"] = None
    groups: Annotated[tuple[str, ...], "g"] = ()
    preferred_username: Annotated[str | None, "n"] = None
    claims: Annotated[Mapping[str, object], "c"] = field(default_factory=dict, hash=False)
    acr: Annotated[str | None, "a"] = None
    auth_time: Annotated[int, "t"] = 0
    more: str = ""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a browser has of a session that is kept elsewhere (``core/session/ticket.py``): its secret, and what never
    moves of it and its principal.
    """

    sid: Annotated[str, "i"]
    secret: Annotated[bytes, "k"] = field(repr=False)
    issuer: Annotated[str, "r"]
    subject: Annotated[str, "w"]
    log_id: Annotated[str, "l"]
    login_at: Annotated[int, "a"]
    seen: Annotated[int, "s"]
    absolute_until: Annotated[int, "x"]
    more: str = ""

    def __post_init__(self) -> None:
        if len(self.secret) != SECRET:
            raise ValueError(f"a ticket has a secret of {SECRET} bytes")


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
    :ivar hint: what names it to its provider at sign-out, where a refresh has renewed that; not in its own cookie.
    :ivar more: what a later release has sealed with it; so everywhere (``core/session/sealed_format.py``).
    :ivar ticket: None where it is kept in its cookie. It is not sealed.
    """

    sid: Annotated[str, "i"]
    log_id: Annotated[str, "l"]
    principal: Annotated[Principal, "p"]
    aliases: Annotated[tuple[str, ...], "k"]
    login_at: Annotated[int, "a"]
    seen: Annotated[int, "s"]
    idle_until: Annotated[int, "d"]
    absolute_until: Annotated[int, "x"]
    generation: Annotated[int, "g"] = 0
    refresh_token: Annotated[str | None, "r"] = field(default=None, repr=False)
    refresh_at: Annotated[int | None, "t"] = None
    access_token: Annotated[str | None, "b"] = field(default=None, repr=False)
    access_until: Annotated[int, "u"] = 0
    page: Annotated[Mapping[str, Any], "e"] = field(default_factory=dict, hash=False)
    hint: Annotated[str | None, "h"] = field(default=None, repr=False)
    more: str = ""
    ticket: Ticket | None = field(default=None, repr=False)

    @property
    def who(self) -> tuple[str, str, str]:
        """Issuer, subject and user."""
        return self.principal.issuer, self.principal.subject, self.principal.user


@dataclass(frozen=True, slots=True)
class Husk:
    """What is left of a session where it cannot be had: enough to find it ended or to end it, never to be let in by.

    :ivar who: issuer and subject, and no user. :ivar away: who keeps the session does not answer; else it is not kept
        any more, or cannot be read. The others are those of a session.
    """

    sid: str
    log_id: str
    who: tuple[str, str, str]
    aliases: tuple[str, ...]
    login_at: int
    seen: int
    absolute_until: int
    ticket: Ticket | None = field(default=None, repr=False)
    away: bool = False

    @property
    def idle_until(self) -> int:
        """Nobody knows better."""
        return self.absolute_until


SessionOrHusk = Session | Husk
"""What a cookie may lead to."""


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


def absolute_deadline(session: SessionOrHusk, limits: SessionLimits) -> int:
    """The sealed deadline, or the configured one where that is earlier (rule R6)."""
    return min(session.absolute_until, session.login_at + limits.absolute)


def life(session: SessionOrHusk, limits: SessionLimits, now: int) -> Life:
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


FORMAT = Format(Session)


def in_cookie(plain: Mapping[str, Any]) -> SessionOrHusk | None:
    """The session in what was sealed into its cookie; a husk where a later release has narrowed it, so that it can be
    ended here at least.
    """
    if (session := FORMAT.read(plain)) is not None:
        return session
    left = FORMAT.read_narrowed(plain)
    if left is None:
        return None
    return Husk(left.sid, left.log_id, left.who, left.aliases, left.login_at, left.seen, left.absolute_until)


def cookie_plain(session: Session) -> dict[str, Any]:
    """What is sealed into its cookie: all but the hint, which must not travel with every request."""
    return FORMAT.plain(session if session.hint is None else replace(session, hint=None))
