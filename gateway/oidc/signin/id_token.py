"""The ID token: is it the provider's, for us, of this attempt, and of now (OpenID Connect Core §3.1.3.7).

``signed_token.py`` has what every signed token has to stand, here is the rest. All refusals are `ProviderError`
``token_rejected`` whose detail begins with the member at fault; ``unknown_key`` is the one refusal that fresh keys can
fix.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field

from gateway.oidc.jose.jwks import KeySet
from gateway.oidc.jose.signed_token import (
    LEEWAY,
    Kind,
    check_audience,
    check_expiry,
    check_issued,
    check_issuer,
    check_not_ahead,
    read_signed,
    rejected,
    text_in,
    time_or,
)

ID_TOKEN = Kind("the ID token", frozenset({"jwt"}))
"""An access token is at+jwt, a logout token logout+jwt; ID tokens are often not typed at all."""

ISSUED_WITHIN = 3_600
"""Seconds since an ID token of a sign-in was made; a sign-in takes minutes."""
_VALIDATED = object()


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token must agree with.

    :ivar nonce: the one sent; None when none was, as at refresh: Cognito may then put in one of its own.
    :ivar token_kind: claim and value that mark an ID token at this kind of provider.
    :ivar access_token: the access token that came with it, for ``at_hash``.
    """

    issuer: str
    client_id: str
    nonce: str | None = field(repr=False)
    token_kind: tuple[str, str] | None = None
    access_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class IdTokenClaims:
    """The claims of a verified ID token: made by `verify_id_token` alone.

    :ivar auth_time: when the user proved who they are; ``issued_at`` when the provider does not say.
    """

    issuer: str
    subject: str
    issued_at: int
    expires: int
    auth_time: int
    claims: Mapping[str, object] = field(repr=False)
    proof: InitVar[object]

    def __post_init__(self, proof: object) -> None:
        if proof is not _VALIDATED:
            raise TypeError("IdTokenClaims come from verify_id_token")

    def authenticated_at(self, now: int) -> int | None:
        """When the user proved who they are, by our own clock; None where the provider does not say.

        The token is made when it is fetched, so its own time of issue is the provider's clock at ``now``, and how long
        before it the proof was given needs no clocks that agree. A token that was made earlier would make the proof
        look later than it was: by no more than `LEEWAY` after what the provider says.

        :param now: UTC seconds, read after the token came.
        """
        if self.claims.get("auth_time") is None:
            return None
        return min(now - max(0, self.issued_at - self.auth_time), self.auth_time + LEEWAY)


def verify_id_token(token: str, *, keys: KeySet, expected: Expected, now: int) -> IdTokenClaims:
    """The claims of ``token``, if all of it holds at ``now`` (UTC seconds).

    :raises ProviderError: ``token_rejected``, or ``unknown_key`` when no known key can have signed it.
    """
    signed = read_signed(token, keys=keys, kind=ID_TOKEN)
    claims = signed.claims
    _check_parties(claims, expected)
    _check_binding(claims, expected, signed.algorithm)
    expires = check_expiry(claims, now)
    # With a nonce of ours it was made since; an older one shows that our clock is ahead, and what it would seal outlive
    # the entries that can end it (`ENTRY_MARGIN`).
    issued_at = check_issued(claims, now, within=ISSUED_WITHIN if expected.nonce is not None else None)
    check_not_ahead(claims, "auth_time", now)
    return IdTokenClaims(
        issuer=expected.issuer,
        subject=text_in(claims, "sub"),
        issued_at=issued_at,
        expires=expires,
        auth_time=time_or(claims, "auth_time", issued_at),
        claims=claims,
        proof=_VALIDATED,
    )


def at_hash(access_token: str, algorithm: str) -> str:
    """The ``at_hash`` of an access token: half of the algorithm's digest (OpenID Connect Core §3.1.3.6)."""
    digest = {"256": hashlib.sha256, "384": hashlib.sha384}.get(algorithm[-3:], hashlib.sha512)
    full_digest = digest(access_token.encode("utf-8")).digest()
    return base64.urlsafe_b64encode(full_digest[: len(full_digest) // 2]).rstrip(b"=").decode("ascii")


def _check_parties(claims: Mapping[str, object], expected: Expected) -> None:
    """Whose token it is, and for whom (steps 2 to 5)."""
    check_issuer(claims, expected.issuer)
    audiences = check_audience(claims, expected.client_id)
    authorized = claims.get("azp")
    if authorized is None and len(audiences) > 1:
        raise rejected("azp", "missing, though the token has several audiences")
    if authorized is not None and authorized != expected.client_id:
        raise rejected("azp", "the token was given to another client")
    if expected.token_kind is not None and claims.get(expected.token_kind[0]) != expected.token_kind[1]:
        raise rejected(expected.token_kind[0], "the token is of another kind")


def _check_binding(claims: Mapping[str, object], expected: Expected, algorithm: str) -> None:
    """That it belongs to this attempt and to the access token beside it (step 11, §3.1.3.8)."""
    if expected.nonce is not None and not _same(claims.get("nonce"), expected.nonce):
        raise rejected("nonce", "the token belongs to another sign-in attempt")
    if expected.access_token is None or "at_hash" not in claims:
        return
    if not _same(claims["at_hash"], at_hash(expected.access_token, algorithm)):
        raise rejected("at_hash", "the access token beside it is not its own")


def _same(found: object, wanted: str) -> bool:
    return isinstance(found, str) and hmac.compare_digest(
        found.encode("utf-8", "surrogatepass"), wanted.encode("utf-8")
    )
