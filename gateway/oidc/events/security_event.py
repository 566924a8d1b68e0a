"""Security event tokens (RFC 8417) as Shared Signals transmitters send them: what happened, to whom, and when.

Two shapes are read: SSF 1.0 has the subject in ``sub_id`` at the top, its drafts, and Okta to this day, within the
event; Okta's times are in milliseconds. The type of the token keeps it apart from every other, so that the members
which SSF forbids because of ID tokens are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.core.errors import ProviderError
from gateway.oidc.jose.jwks import KeySet
from gateway.oidc.jose.signed_token import (
    Kind,
    check_audience,
    check_expiry,
    check_issued,
    check_issuer,
    read_signed,
    rejected,
    text_in,
    time_or,
)
from gateway.oidc.wire import printable

CAEP: Final = "https://schemas.openid.net/secevent/caep/event-type/"
RISC: Final = "https://schemas.openid.net/secevent/risc/event-type/"
SSF: Final = "https://schemas.openid.net/secevent/ssf/event-type/"
ENDING: Final = {
    CAEP + "session-revoked": "session-revoked",
    CAEP + "credential-change": "credential-change",
    RISC + "sessions-revoked": "session-revoked",
    RISC + "account-disabled": "account-disabled",
    RISC + "account-purged": "account-purged",
    RISC + "credential-compromise": "credential-compromise",
}
"""Events that can end sessions, with the names that the configuration has for them."""
HARMLESS: Final = frozenset(
    CAEP + name
    for name in (
        "token-claims-change", "assurance-level-change", "device-compliance-change", "session-established",
        "session-presented", "risk-level-change",
    )
) | frozenset(
    RISC + name
    for name in (
        "account-enabled", "account-credential-change-required", "identifier-changed", "identifier-recycled",
        "opt-in", "opt-out-initiated", "opt-out-cancelled", "opt-out-effective", "recovery-activated",
        "recovery-information-changed",
    )
)  # fmt: skip
"""Events that are known and end no session."""
VERIFICATION: Final = SSF + "verification"
STREAM_UPDATED: Final = SSF + "stream-updated"
_MILLISECONDS: Final = 100_000_000_000
"""From here on a time is in milliseconds: in seconds this is the year 5138."""
_KIND: Final = Kind("the security event token", ("secevent+jwt",), typed=True)


@dataclass(frozen=True, slots=True)
class Transmitter:
    """Whose events are taken, and for which audience."""

    issuer: str
    audience: str


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    :ivar kind: its type URI. :ivar subject: not looked at yet; None where there is none.
    :ivar happened_at: seconds; when the token was issued, where the event does not say.
    """

    kind: str
    subject: object = field(repr=False)
    happened_at: int
    payload: Mapping[str, object] = field(repr=False)

    @property
    def name(self) -> str | None:
        """As the configuration calls it; None when it can end no session."""
        return ENDING.get(self.kind)

    @property
    def by_user(self) -> bool:
        """The user may have brought it about by signing out: nobody says that it was an administrator or a policy."""
        return self.name == "session-revoked" and self.payload.get("initiating_entity") not in {
            "admin",
            "policy",
            "system",
        }

    @property
    def only_adds(self) -> bool:
        """A credential was added: nobody's session is any worse for it (CAEP 1.0 §3.3)."""
        return self.name == "credential-change" and self.payload.get("change_type") == "create"


@dataclass(frozen=True, slots=True)
class EventToken:
    """A token that is good.

    :ivar transaction: ``txn``, which several tokens about one occurrence share.
    """

    token_id: str
    transaction: str | None
    event: Event


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a token is not taken, for its transmitter (RFC 8935 §2.3); sending it again would not help."""

    code: str
    description: str


def read_event_token(token: str, *, keys: KeySet, transmitter: Transmitter, now: int) -> EventToken:
    """The event in ``token``. How old it is does not matter: it may have waited for us to be back.

    :raises ProviderError: ``token_rejected``, whose detail begins with the member at fault; ``unknown_key``.
    """
    claims = read_signed(token, keys=keys, kind=_KIND).claims
    check_issuer(claims, transmitter.issuer)
    check_audience(claims, transmitter.audience)
    issued_at = check_issued(claims, now)
    if claims.get("exp") is not None:
        check_expiry(claims, now)
    transaction = claims.get("txn")
    return EventToken(
        token_id=text_in(claims, "jti"),
        transaction=printable(transaction) if isinstance(transaction, str) else None,
        event=_event(claims, issued_at),
    )


def refusal(error: ProviderError) -> Refusal:
    """What the transmitter is told where `read_event_token` or ``subject_keys`` has raised ``error``."""
    member = "key" if error.code == "unknown_key" else error.detail.partition(":")[0]
    codes = {
        "key": "invalid_key",
        "signature": "invalid_key",
        "iss": "invalid_issuer",
        "aud": "invalid_audience",
    }
    return Refusal(codes.get(member, "invalid_request"), error.detail)


def _event(claims: Mapping[str, object], issued_at: int) -> Event:
    """The one event of a token (SSF 1.0 §4.1.1); RFC 8417 would allow several."""
    events = claims.get("events")
    kind, payload = next(iter(events.items()), ("", None)) if isinstance(events, dict) else ("", None)
    if not isinstance(events, dict) or len(events) != 1 or not isinstance(payload, dict):
        raise rejected("events", "not exactly one event, an object")
    within, above = payload.get("subject"), claims.get("sub_id")
    if within is not None and above is not None and within != above:
        raise rejected("sub_id", "the event names another subject")
    happened_at = time_or(payload, "event_timestamp", issued_at)
    if happened_at >= _MILLISECONDS:
        happened_at //= 1000
    return Event(kind, within if above is None else above, happened_at, payload)
