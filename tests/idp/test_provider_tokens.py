"""What is asked at the token and revocation endpoints: codes, refreshes, revocations."""

from __future__ import annotations

import asyncio

import pytest

from gateway.core import dice
from gateway.core.clock import now
from gateway.core.errors import ProviderError
from gateway.idp.provider import IdentityProvider, Revocation
from gateway.oidc.signin.tokens import ClientAuthentication
from tests.fakes.op import REDIRECT, Provider
from tests.fakes.patience import PATIENCE
from tests.idp.attempts import code_for, options, sign_in, tokens_for


@pytest.mark.parametrize(
    ("trouble", "code", "retryable"),
    [
        ("429", "provider_error", True),
        ("500", "provider_error", True),
        ("503 html", "provider_error", True),
        ("slow", "provider_unreachable", True),
        ("trickle", "provider_unreachable", True),
        ("reset", "provider_unreachable", True),
        ("huge", "bad_response", False),
        ("gzip", "bad_response", False),
        ("html", "bad_response", False),
        ("list", "bad_response", False),
        ("empty object", "bad_response", False),
        ("redirect", "bad_response", False),
        ("invalid_client", "invalid_client", False),
        ("invalid_grant", "invalid_grant", False),
    ],
)
async def test_a_sick_token_endpoint_is_told_apart(
    op: Provider, trouble: str, code: str, retryable: bool
) -> None:
    """For a code and for a refresh alike; only invalid_grant may end a session (rule R10)."""
    provider = IdentityProvider(options(op, timeout=0.4 if trouble in {"slow", "trickle"} else PATIENCE))
    verifier = dice.token(32)
    grant = await code_for(provider, verifier, "n", "alice")
    op.trouble["token"] = trouble
    for call in (
        provider.redeem(grant, code_verifier=verifier, redirect_uri=REDIRECT),
        provider.refresh("refresh-1"),
    ):
        with pytest.raises(ProviderError) as caught:
            await call
        assert (caught.value.code, caught.value.retryable) == (code, retryable)
    await provider.close()


async def test_a_code_is_good_once(provider: IdentityProvider) -> None:
    """And only with the verifier of its own attempt."""
    verifier = dice.token(32)
    code = await code_for(provider, verifier, "n", "alice")
    await provider.redeem(code, code_verifier=verifier, redirect_uri=REDIRECT)
    with pytest.raises(ProviderError, match="invalid_grant"):
        await provider.redeem(code, code_verifier=verifier, redirect_uri=REDIRECT)


async def test_a_stolen_code_is_worth_nothing(provider: IdentityProvider) -> None:
    """CVE-2024-23647: PKCE is always on, so another attempt's verifier fails."""
    code = await code_for(provider, dice.token(32), "n", "alice")
    with pytest.raises(ProviderError, match="invalid_grant"):
        await provider.redeem(code, code_verifier=dice.token(32), redirect_uri=REDIRECT)


@pytest.mark.parametrize("authentication", ClientAuthentication)
async def test_the_client_proves_itself_either_way(
    op: Provider, authentication: ClientAuthentication
) -> None:
    """By header or by body, with a secret full of special characters."""
    provider = IdentityProvider(options(op, client_authentication=authentication))
    assert (await sign_in(provider)).subject == "alice-sub"
    await provider.close()


async def test_a_wrong_client_secret_is_named(op: Provider) -> None:
    """It is the operator's to fix, and the secret is not in the error."""
    provider = IdentityProvider(options(op, client_secret="wr0ng"))
    with pytest.raises(ProviderError) as caught:
        await sign_in(provider)
    assert caught.value.code == "invalid_client"
    assert "wr0ng" not in str(caught.value) and "wr0ng" not in repr(provider.options)
    await provider.close()


async def test_refresh_keeps_or_rotates(op: Provider, provider: IdentityProvider) -> None:
    """Without rotation no new refresh token comes; with it the old one is dead."""
    first = (await tokens_for(provider)).refresh_token
    assert first is not None
    fresh = await provider.refresh(first)
    assert fresh.refresh_token is None
    assert fresh.id_token is not None
    assert (await provider.verify_id_token(fresh.id_token, nonce=None, now=now())).subject == "alice-sub"
    op.rotate_refresh = True
    assert (await provider.refresh(first)).refresh_token is not None
    with pytest.raises(ProviderError, match="invalid_grant"):
        await provider.refresh(first)


async def test_a_revoked_refresh_token_is_dead(provider: IdentityProvider) -> None:
    """Confirmed by the provider; a second time is confirmed as well."""
    token = (await tokens_for(provider)).refresh_token
    assert token is not None
    assert await provider.revoke(token) is Revocation.CONFIRMED
    assert await provider.revoke(token) is Revocation.CONFIRMED
    with pytest.raises(ProviderError, match="invalid_grant"):
        await provider.refresh(token)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("500", Revocation.UNANSWERED),
        ("429", Revocation.UNANSWERED),
        ("html", Revocation.CONFIRMED),
        ("reset", Revocation.UNANSWERED),
        ("huge", Revocation.REFUSED),
        ("redirect", Revocation.REFUSED),
        ("invalid_client", Revocation.REFUSED),
    ],
)
async def test_revocation_never_raises(
    op: Provider, provider: IdentityProvider, trouble: str, said: Revocation
) -> None:
    """Sign-out goes on whatever the provider does. An HTML page with status 200 counts as done: RFC 7009
    says that the body is ignored."""
    op.trouble["revoke"] = trouble
    assert await provider.revoke("refresh-1") is said


async def test_revocation_of_something_else_is_not_confirmed(provider: IdentityProvider) -> None:
    """Cognito refuses access tokens there."""
    assert await provider.revoke("access-alice-1") is Revocation.REFUSED


async def test_revocation_waits_for_no_provider_that_hangs(op: Provider) -> None:
    """Nor does sign-out, however patient the rest is."""
    provider = IdentityProvider(options(op, timeout=600.0))
    op.trouble["revoke"] = "slow"
    async with asyncio.timeout(PATIENCE / 2):  # the provider takes longer
        assert await provider.revoke("refresh-1") is Revocation.UNANSWERED
    await provider.close()


async def test_revocation_without_a_known_endpoint_is_not_confirmed(op: Provider) -> None:
    """A provider that has none (Entra); one that cannot be asked may have one."""
    provider = IdentityProvider(options(op, kind="oidc", domain=None))
    op.metadata_changes = {"revocation_endpoint": None}
    op.trouble["metadata"] = "500"
    assert await provider.revoke("refresh-1") is Revocation.UNANSWERED
    op.trouble.clear()
    assert await provider.revoke("refresh-1") is Revocation.UNSUPPORTED
    await provider.close()


async def test_every_call_is_counted(op: Provider) -> None:
    """Endpoint and outcome of each exchange reach the callback."""
    told: list[tuple[str, str]] = []
    provider = IdentityProvider(options(op), on_call=lambda *call: told.append(call))
    tokens = await tokens_for(provider)
    await provider.verify_id_token(tokens.id_token or "", nonce="n", now=now())
    await provider.refresh(tokens.refresh_token or "")
    await provider.revoke(tokens.refresh_token or "")
    assert told == [
        ("token", "ok"),
        ("metadata", "ok"),
        ("jwks", "ok"),
        ("refresh", "ok"),
        ("revocation", "ok"),
    ]
    await provider.close()
