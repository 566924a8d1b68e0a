"""The logout token: is it the provider's, for us, about signing out, and of now (Back-Channel Logout 1.0 §2.4, §2.6).

An ID token is signed by the same keys for the same client, so nothing may pass here that could be one: the event must
be there and a nonce must not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field

from gateway.core.session.revocation_keys import isid_key, subject_key, token_key
from gateway.oidc.jose.jwks import KeySet
from gateway.oidc.jose.signed_token import (
    LEEWAY,
    Kind,
    check_audience,
    check_expiry,
    check_issued,
    check_issuer,
    read_signed,
    rejected,
    text_in,
)

EVENT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_TOKEN = Kind("the logout token", frozenset({"logout+jwt", "jwt"}), longest=16_384)
"""§2.4 recommends logout+jwt; Keycloak has long sent JWT, and others nothing."""
MAX_AGE = 300
"""Seconds after its issue in which a logout token is accepted, whatever its ``exp`` says: §2.4 wants it short-lived.

A token without ``exp`` is accepted for as long. §2.4 requires one, but Glewlwyd sends none, nor, by public reports, do
Ory Hydra, LemonLDAP::NG, and older versions of Keycloak and authentik; refusing theirs would keep sessions alive."""

_VALIDATED = object()


@dataclass(frozen=True, slots=True)
class LogoutToken:
    """A verified logout token: made by `verify_logout_token` alone.

    :ivar until: when it can no longer be accepted, seconds.
    :ivar dated: whether it said so itself, by ``exp``.
    :ivar session: the session at the provider that has ended; None when all of ``subject`` have.
    """

    issuer: str
    id: str = field(repr=False)
    issued_at: int
    until: int
    dated: bool
    subject: str | None = field(repr=False)
    session: str | None = field(repr=False)
    proof: InitVar[object]

    def __post_init__(self, proof: object) -> None:
        if proof is not _VALIDATED:
            raise TypeError("LogoutToken comes from verify_logout_token")

    @property
    def keys(self) -> tuple[str, ...]:
        """What it ends: where it names a session, that alone (§2.7), of whichever subject."""
        if self.session is not None:
            return (isid_key(self.issuer, self.session),)
        assert self.subject is not None
        return (subject_key(self.issuer, self.subject),)

    @property
    def key(self) -> str:
        """The key by which it is remembered."""
        return token_key(self.issuer, self.id)


def verify_logout_token(token: str, *, keys: KeySet, issuer: str, client_id: str, now: int) -> LogoutToken:
    """``token``, if all of it holds at ``now`` (UTC seconds).

    :raises ProviderError: ``token_rejected``, or ``unknown_key`` when no known key can have signed it.
    """
    claims = read_signed(token, keys=keys, kind=LOGOUT_TOKEN).claims
    check_issuer(claims, issuer)
    check_audience(claims, client_id)
    issued_at = check_issued(claims, now, within=MAX_AGE)
    over, dated = issued_at + MAX_AGE + 1, claims.get("exp") is not None
    if dated:
        over = min(over, check_expiry(claims, now))
    _check_event(claims)
    if "nonce" in claims:
        raise rejected("nonce", "there, so it is an ID token, not a logout token")
    if "sub" not in claims and "sid" not in claims:
        raise rejected("sub", "missing, and so is sid: it names nobody")
    return LogoutToken(
        issuer=issuer,
        id=text_in(claims, "jti"),
        issued_at=issued_at,
        until=over + LEEWAY,
        dated=dated,
        subject=text_in(claims, "sub") if "sub" in claims else None,
        session=text_in(claims, "sid") if "sid" in claims else None,
        proof=_VALIDATED,
    )


def _check_event(claims: Mapping[str, object]) -> None:
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise rejected("events", "the event of a back-channel logout is missing or malformed")
