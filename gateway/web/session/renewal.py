"""Asking the provider for the next generation of a session, and what its answer means (rules R10 and R24)."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.core import clock
from gateway.core.errors import GatewayError, ProviderError
from gateway.core.session.lifecycle import Outcome, refresh_time, successor
from gateway.core.session.session import Principal, Session
from gateway.idp.provider import IdentityProvider
from gateway.oidc.signin.id_token import IdTokenClaims
from gateway.oidc.signin.identity import ClaimOptions, aliases_from, principal_from
from gateway.oidc.signin.tokens import TokenSet
from gateway.oidc.signout.logout import hint_in
from gateway.telemetry.log import get_logger

LONGEST_HINT = 8_192
"""Characters: what is longer fits into no cookie, however well it can be deflated."""
_log = get_logger("refresh")


@dataclass(frozen=True, slots=True)
class Renewed:
    """What came of it.

    :ivar later: the next generation, where there is one. :ivar box: that one sealed, for the other processes.
    :ivar swapped: the tokens were another user's.
    """

    outcome: Outcome
    later: Session | None = None
    box: bytes = field(default=b"", repr=False)
    swapped: bool = False


class Renewal:
    """Asks.

    :param keep_access: the access token is kept in the session, for upstreams.
    :param hint: what is kept for the sign-out, as `hint_in` takes it; empty for nothing.
    :ivar rotates: whether the provider takes a refresh token once only, as its last answer shows; None: not known yet.
    """

    def __init__(
        self, provider: IdentityProvider, claims: ClaimOptions, *, keep_access: bool, hint: str = ""
    ) -> None:
        self.rotates: bool | None = None
        self._provider = provider
        self._claims = claims
        self._keep_access = keep_access
        self._hint = hint

    async def of(self, session: Session) -> Renewed:
        """Send the session's refresh token. Never raises for trouble of the provider."""
        try:
            tokens = await self._provider.refresh(session.refresh_token or "")
        except ProviderError as error:
            if error.code == "invalid_grant":
                # Not always a revocation: Cognito says the same when the client may not read an attribute (facts A.2).
                _log.warning("refresh_refusal", detail=error.detail)
                return Renewed(Outcome.REFUSED)
            return _failed(error, Outcome.UNHEARD if error.acted else Outcome.FAILED)
        except GatewayError as error:
            return _failed(error, Outcome.FAILED)
        self.rotates = tokens.refresh_token not in {None, session.refresh_token}
        try:
            return Renewed(Outcome.RENEWED, await self._next(session, tokens))
        except ProviderError as error:
            return _failed(error, Outcome.UNHEARD, swapped=True)

    async def _next(self, session: Session, tokens: TokenSet) -> Session:
        """The next generation.

        :raises ProviderError: ``token_rejected``: the tokens are another user's.
        """
        who, aliases, hint = await self._identity(session, tokens)
        now, lives, keep = clock.now(), tokens.expires_in, self._keep_access
        return successor(
            session,
            who,
            aliases,
            refresh_token=tokens.refresh_token,
            access_token=tokens.access_token if keep else None,
            access_until=now + (lives or 0) if keep else 0,
            refresh_at=refresh_time(session.sid, session.generation + 1, now=now, lives=lives),
            hint=hint,
        )

    async def _identity(
        self, session: Session, tokens: TokenSet
    ) -> tuple[Principal, tuple[str, ...], str | None]:
        """Who the provider says it is now (OpenID Connect Core §12.2), and what names the session to it from now on.

        An ID token that cannot be verified changes nothing: to drop the tokens for it would log the user out, where
        each refresh token is good once only.
        """
        if tokens.id_token is None:
            return session.principal, session.aliases, None
        try:
            verified = await self._provider.verify_id_token(
                tokens.id_token, nonce=None, now=clock.now(), access_token=tokens.access_token
            )
            who, aliases = principal_from(verified, self._claims), aliases_from(verified, self._claims)
        except ProviderError as error:
            _log.warning("refreshed_identity_unusable", reason=error.code, detail=error.detail)
            return session.principal, session.aliases, None
        if (who.issuer, who.subject) != (session.principal.issuer, session.principal.subject):
            raise ProviderError("token_rejected", "the refreshed ID token is of another subject")
        return who, aliases, self._hint_in(verified, tokens.id_token)

    def _hint_in(self, verified: IdTokenClaims, token: str) -> str | None:
        hint = hint_in(verified.claims, token, self._hint) if self._hint else None
        return hint if hint is not None and len(hint) <= LONGEST_HINT else None


def _failed(error: GatewayError, outcome: Outcome, *, swapped: bool = False) -> Renewed:
    _log.warning("refresh_failed", reason=error.code, detail=error.detail)
    return Renewed(outcome, swapped=swapped)
