"""The ticket: what the browser has of a session that is kept in Redis (design section 4).

A sign-in draws a session id and a secret of 32 bytes. The ticket holds both; it is the browser's one small cookie, and
is sealed under the key ring like any other. The session is sealed under a key derived from the secret, which is nowhere
but in the ticket. So three things are needed to read one: what Redis has, the browser's cookie, and a key file. Neither
a stolen store nor a stolen key file opens any, nor both together; and because a ticket has to open before anything else
is looked at, nobody without one of ours makes the gateway ask Redis.

The associated data of both boxes is that of all cookies (rule R26), so a ticket of another deployment opens nothing,
and neither does a session under another session's name.

Beside the secret a ticket has the facts of its session that never move. They are what a revocation is compared with,
so that a session can be ended, and is known to be ended, while Redis does not answer.
"""

from __future__ import annotations

from dataclasses import replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from gateway.core import dice
from gateway.core.session import session as sessions
from gateway.core.session.cookies import CookieTooLargeError
from gateway.core.session.revocation_keys import subject_key
from gateway.core.session.sealed_format import Format
from gateway.core.session.sealing import Deployment, associated_data, deflated, inflated
from gateway.core.session.session import Husk, Session, Ticket

LARGEST = 256 * 1024
"""Bytes of a session, deflated or not: what a slow connection to Redis carries in its quarter of a second."""
_LABEL = b"gateway-1 stored session"
_NONCE = 12


FORMAT = Format(Ticket)


def issued(session: Session) -> Session:
    """The session with a ticket of its own."""
    who = session.principal
    ticket = Ticket(
        session.sid,
        dice.key(),
        who.issuer,
        who.subject,
        session.log_id,
        session.login_at,
        session.seen,
        session.absolute_until,
    )
    return replace(session, ticket=ticket)


def ticket_of(session: Session) -> Ticket:
    """The ticket of a session that has one.

    :raises ValueError: it is kept in its cookie.
    """
    if session.ticket is None:
        raise ValueError("a session that is kept in its cookie has no ticket")
    return session.ticket


def husk(ticket: Ticket, *, away: bool) -> Husk:
    """What a ticket says of its session."""
    return Husk(
        sid=ticket.sid,
        log_id=ticket.log_id,
        who=(ticket.issuer, ticket.subject, ""),
        aliases=(subject_key(ticket.issuer, ticket.subject),),
        login_at=ticket.login_at,
        seen=ticket.seen,
        absolute_until=ticket.absolute_until,
        ticket=ticket,
        away=away,
    )


def sealed(session: Session, deployment: Deployment) -> bytes:
    """The session as it is kept: nonce (12), ciphertext and tag.

    :raises CookieTooLargeError: it is too large to be kept. :raises ValueError: it has no ticket.
    """
    text = deflated(sessions.FORMAT.plain(session))
    if len(text) > LARGEST or inflated(text, LARGEST) is None:
        raise CookieTooLargeError(len(text), LARGEST)
    nonce, secret = dice.nonce96(), ticket_of(session).secret
    return nonce + _cipher(secret).encrypt(nonce, text, _bound_to(session.sid, deployment))


def opened(box: bytes, ticket: Ticket, deployment: Deployment) -> Session | None:
    """The session in what was kept; None when it is anything else. Never raises, whatever is in the box."""
    try:
        text = _cipher(ticket.secret).decrypt(box[:_NONCE], box[_NONCE:], _bound_to(ticket.sid, deployment))
    except (InvalidTag, ValueError):
        return None
    session = sessions.FORMAT.read(inflated(text, LARGEST) or {})
    return None if session is None else replace(session, ticket=ticket)


def _cipher(secret: bytes) -> AESGCM:
    """Under a key for this one purpose; the secret is random, so nothing has to be extracted (RFC 5869 §3.3)."""
    return AESGCM(HKDFExpand(SHA256(), 32, _LABEL).derive(secret))


def _bound_to(sid: str, deployment: Deployment) -> bytes:
    return associated_data("stored session", sid, deployment)
