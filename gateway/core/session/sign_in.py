"""A sign-in as it is remembered outside of its cookie, so that people and operators can see and end it (rule R20)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.session.session import Session

LONGEST_AGENT = 400
"""Characters of a User-Agent that are kept."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """One session, as of its login; ``seen_at`` and ``client`` are of the last activity noted, a minute old at most.

    :ivar aliases: all of the session's revocation keys, with
        those of its session at the identity provider. :ivar position: of the revocation log at login.
    :ivar until: seconds; its absolute deadline. :ivar agent: the browser's User-Agent.
    """

    sid: str
    issuer: str
    subject: str
    aliases: tuple[str, ...]
    log_id: str
    position: int
    user: str
    email: str | None
    login_at: int
    until: int
    agent: str
    client: str
    seen_at: int

    @property
    def seen(self) -> int:
        """What a session calls so."""
        return self.position


@dataclass(frozen=True, slots=True)
class Sighting:
    """Activity of a session: when, and from which address."""

    at: int
    client: str


def signed_in(session: Session, *, agent: str, client: str) -> SignIn:
    """What is remembered of ``session``."""
    who = session.principal
    return SignIn(
        sid=session.sid,
        issuer=who.issuer,
        subject=_storable(who.subject),
        aliases=session.aliases,
        log_id=session.log_id,
        position=session.seen,
        user=_storable(who.user),
        email=None if who.email is None else _storable(who.email),
        login_at=session.login_at,
        until=session.absolute_until,
        agent=agent[:LONGEST_AGENT],
        client=client,
        seen_at=session.login_at,
    )


def _storable(text: str) -> str:
    # JSON can carry half a surrogate pair, which no store could keep.
    return text.encode("utf-8", "backslashreplace").decode()
