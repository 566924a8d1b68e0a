"""What an answer of the provider means for a session (rule R24)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.core.errors import GatewayError, ProviderError
from gateway.core.session.lifecycle import Outcome
from gateway.idp.provider import IdentityProvider
from gateway.oidc.signin.identity import ClaimOptions
from gateway.oidc.signin.tokens import TokenSet
from gateway.web.session import refresh
from gateway.web.session.renewal import Renewal
from tests.fakes.refreshing import ISSUER, World, settled, signed_in


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, at) -> World:
    monkeypatch.setattr(refresh, "LOOK_ANEW", 0.0)
    return World()


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ProviderError("invalid_grant", acted=False), Outcome.REFUSED),
        (ProviderError("provider_unreachable", retryable=True), Outcome.UNHEARD),
        (ProviderError("bad_response"), Outcome.UNHEARD),
        (ProviderError("provider_error", retryable=True, acted=False), Outcome.FAILED),
        (ProviderError("invalid_client", acted=False), Outcome.FAILED),
        (GatewayError("internal"), Outcome.FAILED),
    ],
)
async def test_r10_only_a_refusal_is_one(error: GatewayError, outcome: Outcome) -> None:
    """Whether the token may be spent all the same is told apart."""

    async def refuse(_: str) -> TokenSet:
        raise error

    renewal = Renewal(
        cast("IdentityProvider", SimpleNamespace(refresh=refuse)), ClaimOptions(), keep_access=False
    )
    assert (await renewal.of(signed_in())).outcome is outcome


@pytest.mark.parametrize(("token", "rotates"), [("second", True), ("first", False), (None, False)])
async def test_whether_tokens_are_rotated_is_seen(token: str | None, rotates: bool) -> None:
    """By whether another one comes."""

    async def answer(_: str) -> TokenSet:
        return TokenSet("access", None, token, 3_600)

    renewal = Renewal(
        cast("IdentityProvider", SimpleNamespace(refresh=answer)), ClaimOptions(), keep_access=False
    )
    later = (await renewal.of(signed_in())).later
    assert renewal.rotates is rotates
    assert later is not None
    assert later.refresh_token == (token or "first")


async def test_r24_a_refresh_shows_what_changed_at_the_provider(world: World) -> None:
    """The groups of the new ID token are those of the next generation; the names of before stay (R19)."""
    claims = {"sub": "s-1", "iss": ISSUER, "groups": ["admins"]}
    provider = cast("Any", world.provider)
    provider.verify_id_token = _answering(
        SimpleNamespace(claims=claims, issuer=ISSUER, subject="s-1", auth_time=5)
    )
    original = world.provider.refresh

    async def with_id_token(token: str) -> TokenSet:
        return replace(await original(token), id_token="new")

    provider.refresh = with_id_token
    old = signed_in(aliases=(f"sub:{ISSUER}|s-1", "email:old@example.com"))
    world.request(0, old)
    await settled()
    later = world.request(0, old)
    assert later is not None
    assert later.principal.groups == ("admins",)
    assert set(old.aliases) <= set(later.aliases)


async def test_tokens_of_another_user_are_not_taken(world: World) -> None:
    """A provider that mixes two users up must not mix up two sessions (OpenID Connect Core §12.2)."""
    claims = SimpleNamespace(claims={"sub": "s-2", "iss": ISSUER}, issuer=ISSUER, subject="s-2", auth_time=0)
    provider = cast("Any", world.provider)
    provider.verify_id_token = _answering(claims)
    original = world.provider.refresh

    async def with_id_token(token: str) -> TokenSet:
        return replace(await original(token), id_token="other")

    provider.refresh = with_id_token
    world.request(0, signed_in())
    await settled()
    assert world.results == ["failed"]
    assert world.store.of("sid").sealed is None


async def test_an_id_token_that_cannot_be_verified_costs_nobody_the_session(world: World) -> None:
    """The keys may be out of reach just now: the tokens are kept, and the user is who they were."""
    provider = cast("Any", world.provider)

    async def away(*_: object, **__: object) -> object:
        raise ProviderError("provider_unreachable", "no keys", retryable=True)

    original = world.provider.refresh

    async def with_id_token(token: str) -> TokenSet:
        return replace(await original(token), id_token="unverifiable")

    provider.verify_id_token, provider.refresh = away, with_id_token
    world.request(0, signed_in())
    await settled()
    later = world.request(0, signed_in())
    assert later is not None
    assert (later.generation, later.principal) == (1, signed_in().principal)


def _answering(value: object) -> Callable[..., Coroutine[Any, Any, object]]:
    async def answer(*_: object, **__: object) -> object:
        return value

    return answer
