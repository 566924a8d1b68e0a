"""A sign-in as it is remembered outside of its cookie, so that people and operators can see and end it (rule R20)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.core.revocation import subject_key
from gateway.core.session import Session

LONGEST_AGENT = 400
"""Characters of a User-Agent that are kept."""
_PROVIDERS_SESSION = "isid:"


@dataclass(frozen=True, slots=True)
class SignIn:
    """One session, as of its login; ``seen_at`` and ``client`` are of the last activity noted, a minute old at most.

    :ivar subject: the revocation key of issuer and subject. :ivar provider_sessions: the keys of the session at the
        identity provider. :ivar until: seconds; its absolute deadline. :ivar agent: the browser's User-Agent.
    """

    sid: str
    subject: str
    user: str
    email: str | None
    provider_sessions: tuple[str, ...]
    login_at: int
    until: int
    agent: str
    client: str
    seen_at: int


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
        subject=subject_key(who.issuer, who.subject),
        user=_storable(who.user),
        email=None if who.email is None else _storable(who.email),
        provider_sessions=provider_sessions(session.aliases),
        login_at=session.login_at,
        until=session.absolute_until,
        agent=agent[:LONGEST_AGENT],
        client=client,
        seen_at=session.login_at,
    )


def provider_sessions(aliases: Iterable[str]) -> tuple[str, ...]:
    """Those of a session's names that are of its session at the provider."""
    return tuple(alias for alias in aliases if alias.startswith(_PROVIDERS_SESSION))


def _storable(text: str) -> str:
    # JSON can carry half a surrogate pair, which no store could keep.
    return text.encode("utf-8", "backslashreplace").decode()
