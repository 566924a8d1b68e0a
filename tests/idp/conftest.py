"""A provider that listens, and the gateway's side of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.idp.provider import IdentityProvider
from tests.fakes.ample import ample_for_the_others, ample_unless_it_stalls  # noqa: F401 - how fast a machine is decides no test
from tests.fakes.op import Provider, running
from tests.idp.attempts import options


@pytest.fixture
async def op() -> AsyncIterator[Provider]:
    """A provider that listens."""
    async with running() as provider:
        yield provider


@pytest.fixture
async def provider(op: Provider) -> AsyncIterator[IdentityProvider]:
    """The gateway's side of ``op``, not started: it works on demand too."""
    provider = IdentityProvider(options(op), jitter=lambda: 0.0)
    yield provider
    await provider.close()
