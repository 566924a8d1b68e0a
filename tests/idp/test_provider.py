"""Sign-ins at a provider: its ID tokens and keys, its outages, its endpoints."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.core.clock import now
from gateway.core.errors import ConfigurationError, ProviderError
from gateway.idp.provider import IdentityProvider
from gateway.oidc.signin.identity import ClaimOptions, aliases_from, principal_from
from tests.fakes.door import eventually
from tests.fakes.forge import LIES, SigningKey, rsa_key
from tests.fakes.op import CLIENT, REDIRECT, Provider, running
from tests.fakes.patience import PATIENCE
from tests.idp.attempts import options, sign_in, tokens_for

CLAIMS = ClaimOptions(groups="cognito:groups")


async def test_a_sign_in_over_sockets(provider: IdentityProvider) -> None:
    """Authorization request, code, tokens, claims, principal."""
    verified = await sign_in(provider)
    who = principal_from(verified, CLAIMS)
    assert (who.subject, who.email, who.groups) == ("alice-sub", "alice@example.com", ("of-alice",))
    assert provider.up
    assert provider.health() == "up"


async def test_two_hundred_parallel_sign_ins_do_not_mix(op: Provider, provider: IdentityProvider) -> None:
    """CVE-2026-33544: everybody gets their own claims, tokens and aliases, over one shared client."""
    users = [f"user{number}" for number in range(200)]
    signed_in = await asyncio.gather(*[sign_in(provider, user) for user in users])
    for user, verified in zip(users, signed_in, strict=True):
        who = principal_from(verified, CLAIMS)
        assert (who.subject, who.email, who.groups) == (
            f"{user}-sub",
            f"{user}@example.com",
            (f"of-{user}",),
        )
        assert f"isid:{op.issuer}|origin-of-{user}-sub" in aliases_from(verified, CLAIMS)
    assert (op.calls["metadata"], op.calls["jwks"], op.calls["token"]) == (1, 1, 200)


@pytest.mark.parametrize("lie", LIES.keys())
async def test_a_provider_that_lies_signs_nobody_in(
    op: Provider, provider: IdentityProvider, lie: str
) -> None:
    """Every lie, told over the wire by the real token endpoint with honest keys published."""
    op.lie, op.moment = lie, now()  # a token that is valid in a minute is, when a second has passed
    with pytest.raises(ProviderError) as caught:
        await sign_in(provider, at=op.moment)
    assert caught.value.code in {
        LIES[lie].code,
        "bad_response",
    }  # an empty token is seen at the endpoint already


async def test_missing_at_hash_is_no_lie(op: Provider, provider: IdentityProvider) -> None:
    """The code flow may leave it out; with one, the access token beside it must be its own."""
    tokens = await tokens_for(provider)
    assert tokens.id_token is not None
    with pytest.raises(ProviderError, match="at_hash"):
        await provider.verify_id_token(tokens.id_token, nonce="n", now=now(), access_token="another")
    assert await provider.verify_id_token(tokens.id_token, nonce="n", now=now())


async def test_rotated_keys_are_found_at_once(op: Provider, provider: IdentityProvider) -> None:
    """The first token of the new key fetches the set again; nobody notices."""
    await sign_in(provider)
    op.rotate("rotated")
    await sign_in(provider)
    assert op.calls["jwks"] == 2


async def test_a_new_key_under_the_old_id_is_found_at_once(op: Provider, provider: IdentityProvider) -> None:
    """Some providers keep the id when they change the key: the signature that fails fetches the set again."""
    await sign_in(provider)
    op.id_key = SigningKey("id", rsa_key("another").private, "RS256")
    assert (await sign_in(provider)).subject == "alice-sub"
    assert op.calls["jwks"] == 2


async def test_forged_signatures_under_a_known_id_cannot_flood_the_provider(
    op: Provider, provider: IdentityProvider
) -> None:
    """Twenty of them, one fetch, and each is refused for good."""
    await sign_in(provider)
    op.lie = "stranger's key under our kid"
    for _ in range(20):
        with pytest.raises(ProviderError, match="token_rejected: signature") as caught:
            await sign_in(provider)
        assert not caught.value.retryable
    assert op.calls["jwks"] == 2


async def test_an_only_key_without_an_id_serves(op: Provider, provider: IdentityProvider) -> None:
    """Whether its tokens name one or not; a token that it did not sign is refused all the same."""
    jwk = op.id_key.jwk()
    del jwk["kid"]
    op.jwks_changes = {"keys": [jwk]}
    assert (await sign_in(provider)).subject == "alice-sub"
    op.lie = "stranger's key under our kid"
    with pytest.raises(ProviderError, match="signature"):
        await sign_in(provider)


async def test_an_unknown_key_id_cannot_flood_the_provider(op: Provider, provider: IdentityProvider) -> None:
    """Twenty tokens of an unknown key, one fetch."""
    await sign_in(provider)
    op.lie = "unknown kid"
    for _ in range(20):
        with pytest.raises(ProviderError, match="unknown_key"):
            await sign_in(provider)
    assert op.calls["jwks"] == 2


async def test_known_keys_outlive_a_sick_key_endpoint(op: Provider, provider: IdentityProvider) -> None:
    """Stale while error: sign-ins go on with the keys there are."""
    await sign_in(provider)
    op.trouble["jwks"] = "500"
    assert (await sign_in(provider)).subject == "alice-sub"


async def test_an_unknown_key_at_a_sick_key_endpoint_is_the_providers_trouble(
    op: Provider, provider: IdentityProvider
) -> None:
    """The error says that trying again can help, for the token may be honest."""
    await sign_in(provider)
    op.rotate("rotated")
    op.trouble["jwks"] = "500"
    with pytest.raises(ProviderError) as caught:
        await sign_in(provider)
    assert (caught.value.code, caught.value.retryable) == ("provider_error", True)


async def test_without_any_keys_nobody_signs_in(op: Provider, provider: IdentityProvider) -> None:
    """Nothing is accepted unverified."""
    op.trouble["jwks"] = "500"
    with pytest.raises(ProviderError) as caught:
        await sign_in(provider)
    assert caught.value.retryable


async def test_two_keys_under_one_id(op: Provider, provider: IdentityProvider) -> None:
    """The token verifies under the one that signed it, and no third key gets in."""
    op.jwks_changes = {"keys": [rsa_key("other").jwk(kid="id"), op.id_key.jwk()]}
    assert (await sign_in(provider)).subject == "alice-sub"
    op.lie = "stranger's key under our kid"
    with pytest.raises(ProviderError, match="signature"):
        await sign_in(provider)


async def test_p18_the_gateway_starts_without_the_provider() -> None:
    """Down at start: sign-in URLs of a Cognito domain work, the rest says why, and all is well when it comes."""
    async with running() as op:
        pass
    provider = IdentityProvider(options(op), jitter=lambda: 0.0)
    await provider.start()
    await eventually(lambda: provider.health().startswith("down (provider_unreachable: "))
    assert not provider.up
    assert provider.health().endswith("nobody can sign in yet")
    url = await provider.authorization_url(state="s", nonce="n", code_challenge="c", redirect_uri=REDIRECT)
    assert url.startswith(f"{op.origin}/oauth2/authorize?response_type=code&client_id={CLIENT}&")
    async with running(op):
        async with asyncio.timeout(PATIENCE):
            while not provider.up:
                await asyncio.sleep(0.02)
        assert (await sign_in(provider)).subject == "alice-sub"
        await provider.close()


async def test_p18_an_outage_later_keeps_what_is_known() -> None:
    """Down, saying so, with the keys fetched before; and up again by itself."""
    async with running() as op:
        provider = IdentityProvider(options(op), jitter=lambda: 0.0)
        await provider.start()
        tokens = await tokens_for(provider)
        assert await provider.verify_id_token(tokens.id_token or "", nonce="n", now=now())
    with pytest.raises(ProviderError):
        await provider.refresh(tokens.refresh_token or "")
    assert not provider.up
    assert provider.health().endswith("with the keys fetched before")
    assert await provider.verify_id_token(tokens.id_token or "", nonce="n", now=now())
    async with running(op):
        async with asyncio.timeout(PATIENCE):
            while not provider.up:
                await asyncio.sleep(0.02)
    await provider.close()


async def test_other_kinds_take_their_endpoints_from_discovery(op: Provider) -> None:
    """And cannot send a browser anywhere before it has answered."""
    provider = IdentityProvider(options(op, kind="oidc", domain=None))
    op.trouble["metadata"] = "500"
    with pytest.raises(ProviderError):
        await sign_in(provider)
    op.trouble.clear()
    assert (await sign_in(provider)).subject == "alice-sub"
    await provider.close()


async def test_the_issuers_promise_of_iss_is_kept(op: Provider, provider: IdentityProvider) -> None:
    """RFC 9207: known once the metadata is."""
    assert not provider.iss_required
    op.metadata_changes = {"authorization_response_iss_parameter_supported": True}
    with pytest.raises(ProviderError, match="issuer_mismatch"):
        other = IdentityProvider(options(op, kind="oidc", domain=None))
        try:
            await sign_in(other)
        finally:
            await other.close()


@pytest.mark.parametrize(
    ("kind", "behind", "said", "proves"),
    [
        ("okta", None, None, True),
        ("okta", "0oaBEHIND", None, False),
        ("keycloak", None, None, True),
        ("keycloak", "corporate", None, False),
        ("cognito", "Okta", None, False),
        ("cognito", None, None, False),
        ("oidc", None, None, False),
        ("google", None, None, False),
        ("cognito", "Okta", True, True),
        ("okta", None, False, False),
    ],
)
async def test_auth_time_proves_where_that_is_known_or_the_operator_says_so(
    op: Provider, kind: str, behind: str | None, said: bool | None, proves: bool
) -> None:
    """A provider that asks another one behind it stamps its own time, whatever that one did."""
    made = options(op, kind=kind, identity_provider=behind, auth_time_proves=said)
    assert IdentityProvider(made).auth_time_proves is proves


@pytest.mark.parametrize(
    ("kind", "prompt", "expected"),
    [
        ("cognito", "", {"identity_provider": ["Okta"]}),
        ("cognito", "login", {"identity_provider": ["Okta"], "prompt": ["login"]}),
        ("keycloak", "login", {"kc_idp_hint": ["Okta"], "prompt": ["login"]}),
        ("google", "login", {"prompt": ["select_account"]}),
        ("oidc", "", {}),
        ("oidc", "login", {"prompt": ["login"]}),
        ("okta", "login", {"idp": ["Okta"], "prompt": ["login"], "max_age": ["0"]}),
        ("auth0", "login", {"connection": ["Okta"], "prompt": ["login"], "max_age": ["0"]}),
    ],
)
async def test_each_kind_is_asked_in_its_own_words(
    op: Provider, kind: str, prompt: str, expected: dict[str, list[str]]
) -> None:
    """The picker is skipped and credentials are asked for by the parameters that the kind knows."""
    provider = IdentityProvider(options(op, kind=kind, identity_provider="Okta"))
    url = await provider.authorization_url(
        state="s",
        nonce="n",
        code_challenge="c",
        redirect_uri=REDIRECT,
        prompt=prompt,
        max_age=0 if prompt else None,
    )
    sent = parse_qs(urlsplit(url).query)
    usual = {
        "response_type": ["code"],
        "client_id": [CLIENT],
        "redirect_uri": [REDIRECT],
        "scope": ["openid email profile"],
        "state": ["s"],
        "nonce": ["n"],
        "code_challenge": ["c"],
        "code_challenge_method": ["S256"],
    }
    assert sent == {**usual, **expected}
    await provider.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "http://op.example"},
        {"domain": "op.example"},
        {"ca_file": "/nonexistent"},
    ],
)
async def test_unusable_options_are_refused_before_anything_starts(
    op: Provider, changes: dict[str, Any]
) -> None:
    """As findings of the configuration, not at the first sign-in."""
    with pytest.raises(ConfigurationError):
        IdentityProvider(options(op, **changes))


async def test_who_leaves_in_the_middle_leaves_nothing_behind(
    op: Provider, provider: IdentityProvider
) -> None:
    """A browser that disconnects during the exchange cancels its own work and nobody else's."""
    op.trouble["metadata"] = "slow"
    leaver = asyncio.create_task(provider.verify_id_token("x.y.z", nonce=None, now=now()))
    await asyncio.sleep(0.05)
    op.trouble.clear()
    leaver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaver
    assert (await tokens_for(provider)).id_token
