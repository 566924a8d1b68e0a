"""Options for the provider of these tests, and sign-ins at it step by step or whole."""

from __future__ import annotations

from typing import Any

from gateway.core import dice
from gateway.core.clock import now
from gateway.idp.provider import IdentityProvider, ProviderOptions
from gateway.oidc.signin.authorization import AuthorizationCode, read_response
from gateway.oidc.signin.id_token import IdTokenClaims
from gateway.oidc.signin.pkce import code_challenge
from gateway.oidc.signin.tokens import TokenSet
from tests.fakes.op import CLIENT, REDIRECT, SECRET, Provider, browse
from tests.fakes.patience import PATIENCE


def options(op: Provider, **changes: Any) -> ProviderOptions:
    """The configuration for ``op`` as a Cognito pool."""
    usual: dict[str, Any] = {
        "kind": "cognito",
        "issuer": op.issuer,
        "domain": op.origin,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "timeout": PATIENCE,
    }
    return ProviderOptions(**{**usual, **changes})


async def code_for(provider: IdentityProvider, verifier: str, nonce: str, user: str) -> AuthorizationCode:
    """A verified code of a fresh attempt of ``user``."""
    state = dice.token()
    url = await provider.authorization_url(
        state=state, nonce=nonce, code_challenge=code_challenge(verifier), redirect_uri=REDIRECT
    )
    response = read_response(await browse(url, user))
    code = response.verified(state=state, issuer=provider.issuer, iss_required=provider.iss_required)
    assert isinstance(code, AuthorizationCode)
    return code


async def tokens_for(provider: IdentityProvider, nonce: str = "n", user: str = "alice") -> TokenSet:
    """The tokens of a fresh sign-in."""
    verifier = dice.token(32)
    code = await code_for(provider, verifier, nonce, user)
    return await provider.redeem(code, code_verifier=verifier, redirect_uri=REDIRECT)


async def sign_in(provider: IdentityProvider, user: str = "alice", *, at: int | None = None) -> IdTokenClaims:
    """A whole sign-in. ``at``: UTC seconds at which its token is looked at, if not now."""
    nonce = dice.token()
    tokens = await tokens_for(provider, nonce, user)
    assert tokens.id_token is not None
    return await provider.verify_id_token(
        tokens.id_token, nonce=nonce, now=now() if at is None else at, access_token=tokens.access_token
    )
