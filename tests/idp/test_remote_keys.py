from __future__ import annotations

import asyncio

import pytest

from gateway.core.errors import ProviderError
from gateway.idp.link import ProviderLink
from gateway.idp.remote_keys import KeysAtHand, RemoteKeys, checked, keys_at
from gateway.idp.transport import Transport
from gateway.oidc.jose.jwks import KeySet, parse_key_set
from tests.fakes.forge import rsa_key
from tests.fakes.op import running
from tests.fakes.patience import PATIENCE
from tests.oidc.documents import json_answer

ONE = parse_key_set(json_answer({"keys": [rsa_key("id").jwk()]}))
OTHER = parse_key_set(json_answer({"keys": [rsa_key("access").jwk()]}))
AWAY = ProviderError("provider_unreachable", retryable=True)


class Shelf:
    """What the fetches bring, one after the other; the last one over and over."""

    def __init__(self, *outcomes: KeySet | ProviderError) -> None:
        self.outcomes = list(outcomes)
        self.fetches = 0

    async def fetch(self) -> KeySet:
        self.fetches += 1
        await asyncio.sleep(0)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, ProviderError):
            raise outcome
        return outcome


def looking_for(kid: str, keys: KeySet) -> KeySet:
    if not keys.candidates(kid, "RS256"):
        raise ProviderError("unknown_key")
    return keys


async def test_keys_are_fetched_at_the_first_use_and_once() -> None:
    """Nothing is fetched before; fifty who ask together cost one fetch."""
    shelf = Shelf(ONE)
    keys = RemoteKeys(shelf.fetch)
    assert (keys.known, shelf.fetches) == (None, 0)
    assert await asyncio.gather(*[keys.current() for _ in range(50)]) == [ONE] * 50
    assert (keys.known, shelf.fetches) == (ONE, 1)


async def test_without_keys_each_use_tries_and_says_why() -> None:
    """There is nothing to serve; when the other side is back, so are the keys."""
    shelf = Shelf(AWAY, ONE)
    keys = RemoteKeys(shelf.fetch)
    with pytest.raises(ProviderError, match="provider_unreachable"):
        await keys.current()
    assert await keys.current() is ONE


async def test_old_keys_are_fetched_anew_and_forgotten() -> None:
    """A key that was withdrawn signs nothing any more after the first use in a new hour."""
    keys = RemoteKeys(Shelf(ONE, OTHER).fetch, fresh_for=0.0)
    assert await keys.current() is ONE
    keys._tried_at = None  # as half a minute later
    assert await keys.current() is OTHER


async def test_old_keys_serve_while_the_fetch_fails() -> None:
    """An outage there ends nothing here, and is not asked about at every use."""
    shelf = Shelf(ONE, AWAY)
    keys = RemoteKeys(shelf.fetch, fresh_for=0.0)
    await keys.current()
    keys._tried_at = None
    assert [await keys.current() for _ in range(5)] == [ONE] * 5
    assert shelf.fetches == 2


async def test_unknown_ids_cause_one_fetch_in_half_a_minute() -> None:
    """Whoever sends us made-up ids makes the other side's load no higher than that."""
    shelf = Shelf(ONE)
    keys = RemoteKeys(shelf.fetch)
    for number in range(20):
        with pytest.raises(ProviderError, match="unknown_key") as raised:
            await checked(keys, lambda found: looking_for("nobody", found))
        # Without a look at fresh keys nobody can say that there is no such key.
        assert raised.value.retryable == (number > 0)
    assert shelf.fetches == 2


async def test_a_key_that_has_just_come_up_is_found() -> None:
    """The sender has changed its key since our fetch."""
    keys = RemoteKeys(Shelf(ONE, OTHER).fetch)
    assert await keys.current() is ONE
    assert await checked(keys, lambda found: looking_for("access", found)) is OTHER


async def test_other_refusals_fetch_nothing() -> None:
    """Nor does what is wrong with a token beside its signature."""
    shelf = Shelf(ONE)

    def refuse(_: KeySet) -> None:
        raise ProviderError("token_rejected", "exp: expired 70 s ago")

    with pytest.raises(ProviderError, match="token_rejected"):
        await checked(RemoteKeys(shelf.fetch), refuse)
    assert shelf.fetches == 1


async def test_keys_at_hand_never_change() -> None:
    """Those of a certificate: a token they do not fit is refused at once."""
    source = KeysAtHand(ONE)
    assert await checked(source, lambda found: looking_for("id", found)) is ONE
    with pytest.raises(ProviderError, match="unknown_key"):
        await checked(source, lambda found: looking_for("nobody", found))


async def test_a_key_set_is_fetched_over_the_wire() -> None:
    """From an address alone, counted as what it is, and an answer that is none is refused."""
    calls: list[tuple[str, str]] = []
    async with running() as op:
        link = ProviderLink(Transport(timeout=PATIENCE), lambda *call: calls.append(call))
        keys = keys_at(f"{op.issuer}/.well-known/jwks.json", link)
        assert (await keys.current()).candidates("id", "RS256")
        op.trouble["jwks"] = "500"
        with pytest.raises(ProviderError):
            await keys.refetched()
        assert keys.known
        await keys.close()
        await link.close()
    assert calls == [("jwks", "ok"), ("jwks", "provider_error")]
