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

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from gateway.core import dice
from gateway.core.session import session as sessions
from gateway.core.session.cookies import CookieTooLargeError
from gateway.core.session.revocation_keys import subject_key
from gateway.core.session.sealing import Deployment, associated_data, deflated, inflated
from gateway.core.session.session import Known, Principal, Session

FORMAT = 1
SECRET = 32
LARGEST = 256 * 1024
"""Bytes of a session, deflated or not: what a slow connection to Redis carries in its quarter of a second."""
_LABEL = b"gateway-1 stored session"
_NONCE = 12


@dataclass(frozen=True, slots=True)
class Ticket:
    """See the module; the other fields are those of a session and its principal."""

    sid: str
    secret: bytes = field(repr=False)
    issuer: str
    subject: str
    log_id: str
    login_at: int
    seen: int
    absolute_until: int


def issued(session: Session) -> Session:
    """The session with a secret of its own, for a ticket."""
    return replace(session, secret=dice.key())


def ticket_of(session: Session) -> Ticket:
    """The ticket for a session that was given a secret.

    :raises ValueError: it was not.
    """
    if session.secret is None:
        raise ValueError("a session without a secret has no ticket")
    who = session.principal
    return Ticket(
        session.sid,
        session.secret,
        who.issuer,
        who.subject,
        session.log_id,
        session.login_at,
        session.seen,
        session.absolute_until,
    )


def to_plain(ticket: Ticket) -> dict[str, Any]:
    """The ticket as plain data to seal."""
    return {
        "v": FORMAT,
        "i": ticket.sid,
        "k": base64.b64encode(ticket.secret).decode(),
        "w": [ticket.issuer, ticket.subject],
        "l": ticket.log_id,
        "a": ticket.login_at,
        "s": ticket.seen,
        "x": ticket.absolute_until,
    }


def from_plain(plain: Mapping[str, Any]) -> Ticket:
    """The ticket from what was sealed.

    :raises ValueError: another format, or not a ticket at all.
    """
    try:
        if plain["v"] != FORMAT:
            raise ValueError("another ticket format")
        secret = base64.b64decode(plain["k"], validate=True)
        issuer, subject = plain["w"]
        sid, log_id = plain["i"], plain["l"]
        numbers = plain["a"], plain["s"], plain["x"]
    except (KeyError, TypeError, binascii.Error) as error:
        raise ValueError("not a ticket") from error
    texts = all(isinstance(text, str) for text in (sid, issuer, subject, log_id))
    if not texts or any(type(number) is not int for number in numbers) or len(secret) != SECRET:
        raise ValueError("not a ticket")
    return Ticket(sid, secret, issuer, subject, log_id, *numbers)


def husk(ticket: Ticket, known: Known) -> Session:
    """All that a ticket says of its session: enough to find it ended or to end it, never enough to be let in."""
    return Session(
        sid=ticket.sid,
        log_id=ticket.log_id,
        principal=Principal(ticket.issuer, ticket.subject, user=""),
        aliases=(subject_key(ticket.issuer, ticket.subject),),
        login_at=ticket.login_at,
        seen=ticket.seen,
        idle_until=ticket.absolute_until,
        absolute_until=ticket.absolute_until,
        secret=ticket.secret,
        known=known,
    )


def sealed(session: Session, deployment: Deployment) -> bytes:
    """The session as it is kept: nonce (12), ciphertext and tag.

    :raises CookieTooLargeError: it is too large to be kept. :raises ValueError: it was given no secret.
    """
    text = deflated(sessions.to_kept(session))
    if len(text) > LARGEST or inflated(text, LARGEST) is None:
        raise CookieTooLargeError(len(text), LARGEST)
    nonce = dice.nonce96()
    ticket = ticket_of(session)
    return nonce + _cipher(ticket.secret).encrypt(nonce, text, _bound_to(ticket.sid, deployment))


def opened(box: bytes, sid: str, secret: bytes, deployment: Deployment) -> Session | None:
    """The session in what was kept; None when it is anything else. Never raises, whatever is in the box."""
    try:
        text = _cipher(secret).decrypt(box[:_NONCE], box[_NONCE:], _bound_to(sid, deployment))
        session = sessions.from_plain(inflated(text, LARGEST) or {})
    except (InvalidTag, ValueError):
        return None
    return replace(session, secret=secret)


def _cipher(secret: bytes) -> AESGCM:
    """Under a key for this one purpose; the secret is random, so nothing has to be extracted (RFC 5869 §3.3)."""
    return AESGCM(HKDFExpand(SHA256(), 32, _LABEL).derive(secret))


def _bound_to(sid: str, deployment: Deployment) -> bytes:
    return associated_data("stored session", sid, deployment)
