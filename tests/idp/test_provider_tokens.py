"""What is asked at the token and revocation endpoints: codes, refreshes, revocations."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.core import dice
from gateway.core.clock import now
from gateway.core.errors import ProviderError
from gateway.idp.provider import IdentityProvider, Revocation
from gateway.oidc.signin.tokens import ClientAuthentication, parse_tokens
from tests.fakes.op import REDIRECT, SECRET, Provider
from tests.fakes.patience import PATIENCE
from tests.fakes.production_log import lines, production_log
from tests.idp.attempts import code_for, options, sign_in, tokens_for
from tests.oidc.documents import json_answer


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
    provider = IdentityProvider(options(op))
    verifier = dice.token(32)
    grant = await code_for(provider, verifier, "n", "alice")
    if trouble in {"slow", "trickle"}:
        provider._link._transport._timeout = 0.4
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
    op.proofs = {authentication.value}
    provider = IdentityProvider(options(op, client_authentication=authentication.value))
    assert (await sign_in(provider)).subject == "alice-sub"
    await provider.close()


POST, BASIC = "client_secret_post", "client_secret_basic"


@pytest.mark.parametrize(
    ("offered", "configured", "sent"),
    [
        ([POST], None, POST),
        (["private_key_jwt", POST], None, POST),
        ([POST, BASIC], None, BASIC),
        (None, None, BASIC),
        (["private_key_jwt"], None, BASIC),
        ("client_secret_post", None, BASIC),
        ([7, POST], None, POST),
        ([POST], BASIC, BASIC),
        (None, POST, POST),
    ],
)
async def test_the_metadata_says_how_a_client_proves_itself_and_a_key_knows_better(
    op: Provider, offered: object, configured: str | None, sent: str
) -> None:
    """For the code, the refresh and the revocation; a provider that takes one way alone takes no other."""
    op.metadata_changes["token_endpoint_auth_methods_supported"] = offered
    op.proofs = {sent}
    provider = IdentityProvider(options(op, kind="oidc", domain=None, client_authentication=configured))
    tokens = await tokens_for(provider)
    await provider.refresh(tokens.refresh_token or "")
    assert await provider.revoke(tokens.refresh_token or "") is Revocation.CONFIRMED
    await provider.close()


NEW = "new secret/+"


async def test_the_other_secret_is_tried_once_and_kept_to(op: Provider) -> None:
    """The provider has changed over: one question more, and no other afterwards; and back again."""
    provider = IdentityProvider(options(op, other_client_secret=NEW))
    await sign_in(provider)
    op.secrets = {NEW}
    for asked in (3, 4):  # 1 for the first sign-in, 2 for this one, and 1 for the next
        assert (await sign_in(provider)).subject == "alice-sub"
        assert op.calls["token"] == asked
    op.secrets = {SECRET}
    tokens = await tokens_for(provider)
    assert op.calls["token"] == 6
    op.secrets = {NEW}
    assert await provider.revoke(tokens.refresh_token or "") is Revocation.CONFIRMED
    assert op.calls["revoke"] == 2
    await provider.close()


async def test_neither_secret_is_tried_twice(op: Provider) -> None:
    """Two questions, and the refusal names what to compare; nothing is kept to that was not taken."""
    provider = IdentityProvider(options(op, other_client_secret=NEW))
    op.secrets = set()
    with pytest.raises(ProviderError, match="invalid_client"):
        await provider.refresh("refresh-1")
    assert op.calls["token"] == 2
    op.secrets = {SECRET}
    assert (await sign_in(provider)).subject == "alice-sub"
    assert op.calls["token"] == 3
    await provider.close()


async def test_a_secret_is_taken_whatever_becomes_of_the_grant(op: Provider) -> None:
    """A dead refresh token under the new secret: the session is over, and the secret is known from then on."""
    provider = IdentityProvider(options(op, other_client_secret=NEW))
    op.secrets = {NEW}
    for asked in (2, 3):
        with pytest.raises(ProviderError, match="invalid_grant"):
            await provider.refresh("dead")
        assert op.calls["token"] == asked
    await provider.close()


async def test_sign_ins_at_once_change_over_together(op: Provider) -> None:
    """Each meets the refusal for itself, and none goes back to the secret that was refused."""
    provider = IdentityProvider(options(op, other_client_secret=NEW, timeout=PATIENCE))
    op.secrets = {NEW}
    await asyncio.gather(*[sign_in(provider, f"user{number}") for number in range(20)])
    before = op.calls["token"]
    assert before <= 40
    await sign_in(provider)
    assert op.calls["token"] == before + 1
    await provider.close()


async def test_secrets_are_replaced_one_by_one(op: Provider) -> None:
    """A file that is written anew changes its own secret alone."""
    provider = IdentityProvider(options(op, client_secret="old", other_client_secret="older"))
    provider.replace_secret(NEW, other=True)
    op.secrets = {NEW}
    await sign_in(provider)
    provider.replace_secret(SECRET)
    op.secrets = {SECRET}
    assert (await sign_in(provider)).subject == "alice-sub"
    await provider.close()


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (401, "unauthorized_client", "invalid_client"),
        (401, "access_denied", "invalid_client"),
        (401, "invalid_grant", "invalid_grant"),
        (400, "unauthorized_client", "provider_error"),
    ],
)
async def test_a_401_is_about_the_client_whatever_it_is_called(status: int, error: str, code: str) -> None:
    """As Keycloak did and Auth0 does; at another status the words say what they say."""
    answer = json_answer({"error": error}, status=status)
    with pytest.raises(ProviderError) as caught:
        parse_tokens(answer, id_token_required=True)
    assert caught.value.code == code


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


async def test_revocation_waits_for_no_provider_that_hangs(
    op: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does sign-out, however patient the rest is."""
    monkeypatch.setattr("gateway.idp.provider.REVOKE_TIMEOUT", 0.2)
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


async def test_a_client_that_is_refused_is_said_until_it_is_taken(op: Provider) -> None:
    """Once in the log, as a warning with its fix, and in one line for people; a refused token is no refused client."""
    provider = IdentityProvider(options(op))
    assert provider.client_health() == ""
    with production_log() as log:
        op.trouble["token"] = "invalid_client"
        for _ in range(3):
            with pytest.raises(ProviderError):
                await provider.refresh("refresh-1")
        (line,) = lines(log, "client_refused")
        assert (line["level"], line["reason"]) == ("warning", "invalid_client")
        assert "client_secret" in str(line["fix"])
        said = provider.client_health()
        assert said.startswith("refused by the provider, so nobody can sign in (invalid_client")
        assert said.endswith(str(line["fix"]))
        op.trouble["token"] = "invalid_grant"
        with pytest.raises(ProviderError):
            await provider.refresh("refresh-1")
        assert provider.client_health() == ""
        op.trouble["token"] = "invalid_client"
        with pytest.raises(ProviderError):
            await provider.refresh("refresh-1")
        provider.replace_secret("another")
        assert provider.client_health() == ""
        with pytest.raises(ProviderError):
            await provider.refresh("refresh-1")
        assert len(lines(log, "client_refused")) == 3
    assert SECRET not in log.getvalue()
    await provider.close()


async def test_a_missing_secret_is_not_called_good(op: Provider) -> None:
    """Nobody has been refused yet."""
    provider = IdentityProvider(replace(options(op), client_secret=None))
    assert provider.client_health().startswith("there is none; a client that has one")
    await provider.close()
