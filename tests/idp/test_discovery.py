from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.core.errors import ConfigurationError, ProviderError
from gateway.idp.discovery import Discovery, back_off
from gateway.idp.link import ProviderLink
from gateway.idp.transport import Transport
from tests.fakes.door import eventually
from tests.fakes.forge import rsa_key
from tests.fakes.op import Provider, running
from tests.fakes.patience import PATIENCE


@pytest.fixture
async def op() -> AsyncIterator[Provider]:
    """A provider that listens."""
    async with running() as provider:
        yield provider


@pytest.fixture
async def discovery(op: Provider) -> AsyncIterator[Discovery]:
    """Discovery of ``op``, not yet started."""
    link = ProviderLink(Transport(timeout=PATIENCE))
    discovery = Discovery(link, op.issuer, jitter=lambda: 0.0)
    yield discovery
    await discovery.close()
    await link.close()


def test_back_off_doubles_to_a_minute_with_jitter() -> None:
    """Half of each wait is jitter, so that replicas do not come back in step."""
    assert [back_off(failures, 0.0) for failures in (1, 2, 3, 7, 8, 1000)] == [
        0.5,
        1.0,
        2.0,
        30.0,
        30.0,
        30.0,
    ]
    assert back_off(1, 0.5) == 0.75
    assert back_off(1000, 0.999) < 60.0


async def test_metadata_and_keys_are_fetched_once(op: Provider, discovery: Discovery) -> None:
    """Fifty who ask together and one who asks later cost one call each."""
    await asyncio.gather(
        *[discovery.keys.current() for _ in range(50)], *[discovery.metadata() for _ in range(50)]
    )
    await discovery.keys.current()
    assert dict(op.calls) == {"metadata": 1, "jwks": 1}
    assert discovery.complete


async def test_p18_the_background_finds_a_provider_that_comes_late(
    op: Provider, discovery: Discovery
) -> None:
    """Down at start, found by itself when it is there."""
    op.trouble["metadata"] = "503 html"
    discovery.start()
    await asyncio.sleep(0.1)
    assert not discovery.complete
    op.trouble.clear()
    async with asyncio.timeout(PATIENCE):
        while not discovery.complete:
            await asyncio.sleep(0.02)


async def test_trouble_elsewhere_makes_the_background_look_soon(op: Provider, discovery: Discovery) -> None:
    """A failed exchange of any kind brings a fresh look at the provider within a second, not within the hour."""
    discovery.start()
    await discovery.keys.current()
    await asyncio.sleep(0.05)
    seen = op.calls["metadata"]
    op.trouble["jwks"] = "500"
    with pytest.raises(ProviderError):
        await discovery.keys.refetched()
    op.trouble.clear()
    async with asyncio.timeout(PATIENCE):
        while op.calls["metadata"] == seen:
            await asyncio.sleep(0.02)


async def test_an_unknown_key_fetches_once_in_thirty_seconds(op: Provider, discovery: Discovery) -> None:
    """The first finds the new key at once; the next, just after, is not even asked."""
    await discovery.keys.current()
    op.rotate("second")
    keys = await discovery.keys.refetched()
    assert keys is not None and keys.candidates("second", "RS256")
    assert await discovery.keys.refetched() is None
    assert op.calls["jwks"] == 2


async def test_those_who_meet_an_unknown_key_together_share_the_fetch(
    op: Provider, discovery: Discovery
) -> None:
    """Nobody is refused for being second while the fetch is under way."""
    await discovery.keys.current()
    op.rotate("second")
    found = await asyncio.gather(*[discovery.keys.refetched() for _ in range(20)])
    assert all(keys is not None and keys.candidates("second", "RS256") for keys in found)
    assert op.calls["jwks"] == 2


@pytest.mark.parametrize("trouble", ["500", "html", "empty object", "huge", "slow"])
async def test_stale_keys_are_kept_while_the_provider_fails(
    op: Provider, discovery: Discovery, trouble: str
) -> None:
    """A failed or senseless answer never replaces good keys."""
    keys = await discovery.keys.current()
    op.trouble["jwks"] = trouble
    if trouble == "slow":
        discovery._link._transport._timeout = 0.5
    with pytest.raises(ProviderError):
        await discovery.keys.refetched()
    assert await discovery.keys.current() is keys


async def test_a_withdrawn_key_is_forgotten_with_the_next_fetch(op: Provider, discovery: Discovery) -> None:
    """The set is replaced, not merged."""
    await discovery.keys.current()
    op.jwks_changes = {"keys": [rsa_key("access").jwk()]}
    keys = await discovery.keys.refetched()
    assert keys is not None and not keys.candidates("id", "RS256")


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example"},
        {"jwks_uri": None},
        {"jwks_uri": "http://192.0.2.1/keys"},
        {"token_endpoint": "file:///etc/passwd"},
    ],
)
async def test_metadata_that_lies_is_not_kept(
    op: Provider, discovery: Discovery, changes: dict[str, str | None]
) -> None:
    """Another issuer, a missing or an unsafe endpoint; asked again, it is fetched again."""
    op.metadata_changes = dict(changes)
    for _ in range(2):
        with pytest.raises(ProviderError):
            await discovery.keys.current()
    assert discovery.known_metadata is None
    op.metadata_changes = {}
    assert await discovery.keys.current()


async def test_an_unusable_issuer_is_refused_at_once() -> None:
    """Before anything is started."""
    with pytest.raises(ConfigurationError):
        Discovery(ProviderLink(Transport()), "http://op.example")


async def test_close_ends_the_background_in_the_middle_of_a_fetch(op: Provider, discovery: Discovery) -> None:
    """A slow provider does not hold up shutdown."""
    op.trouble["metadata"] = "slow"
    discovery.start()
    await eventually(lambda: op.calls.total() == 1)
    async with asyncio.timeout(PATIENCE / 2):  # the provider takes longer
        await discovery.close()
