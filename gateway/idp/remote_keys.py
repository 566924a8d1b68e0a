"""Somebody's key set, as it is needed: fetched when it is asked for, kept while it cannot be had.

One fetch runs at a time, whoever waits for it. A key id that nobody knows may cause one fetch in 30 s, whatever is sent
to us, and so may a signature that no known key of its id has made (some providers change the key and keep the id). Old
keys are fetched anew at the next use, so that a withdrawn one is forgotten, and serve on while that fails.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from gateway.core.errors import ProviderError
from gateway.idp.link import ProviderLink
from gateway.idp.single_flight import SingleFlight
from gateway.oidc.jose.jwks import KeySet, parse_key_set, refetch_allowed
from gateway.oidc.jose.signed_token import SIGNATURE
from gateway.oidc.wire import get

FRESH_FOR = 3600.0
"""Seconds after which keys are fetched anew."""
T = TypeVar("T")


class KeySource(Protocol):
    """Where keys come from: a key set at an address, or a certificate that is at hand."""

    async def current(self) -> KeySet:
        """The keys.

        :raises ProviderError: they cannot be had.
        """

    async def refetched(self) -> KeySet | None:
        """The keys after a fetch for an unknown key id; None when none is due for now.

        :raises ProviderError: the fetch was allowed and failed.
        """


class RemoteKeys:
    """The key set that ``fetch`` brings. It begins with none.

    :param fresh_for: seconds; infinite where somebody else calls `fetch_now` in time.
    """

    def __init__(
        self, fetch: Callable[[], Coroutine[Any, Any, KeySet]], *, fresh_for: float = FRESH_FOR
    ) -> None:
        self._fetch = fetch
        self._fresh_for = fresh_for
        self._flight = SingleFlight(self._fetched)
        self._known: KeySet | None = None
        self._fetched_at = -math.inf
        self._tried_at: float | None = None
        self._last_refetch: float | None = None

    @property
    def known(self) -> KeySet | None:
        """The keys, if they have ever been fetched."""
        return self._known

    async def current(self) -> KeySet:
        """The keys, fetched now if there are none or they are old; old ones while that fails.

        :raises ProviderError: there are none, and they cannot be had.
        """
        known = self._known
        if known is None:
            return await self._flight.run()
        now = asyncio.get_running_loop().time()
        if now - self._fetched_at < self._fresh_for or not refetch_allowed(self._tried_at, now=now):
            return known
        try:
            return await self._flight.run()
        except ProviderError:
            return known

    async def refetched(self) -> KeySet | None:
        """The keys after a fetch for an unknown key id; None when the last such fetch was less than 30 s ago.

        :raises ProviderError: the fetch was allowed and failed; the keys there were are kept.
        """
        now = asyncio.get_running_loop().time()
        if not self._flight.under_way:
            if not refetch_allowed(self._last_refetch, now=now):
                return None
            self._last_refetch = now
        return await self._flight.run()

    async def latest(self) -> KeySet | None:
        """The keys as they were within the last 30 s, fetched if need be; None when a fetch has failed as lately.

        :raises ProviderError: they had to be fetched, and cannot be had.
        """
        now = asyncio.get_running_loop().time()
        if not refetch_allowed(self._fetched_at, now=now):
            return self._known
        if not self._flight.under_way and not refetch_allowed(self._tried_at, now=now):
            return None
        return await self._flight.run()

    async def fetch_now(self) -> KeySet:
        """The keys, fetched anew.

        :raises ProviderError: they cannot be had; those there were are kept.
        """
        return await self._flight.run()

    async def close(self) -> None:
        """End the fetch under way."""
        await self._flight.close()

    async def _fetched(self) -> KeySet:
        loop = asyncio.get_running_loop()
        self._tried_at = loop.time()
        self._known = await self._fetch()
        self._fetched_at = loop.time()
        return self._known


def keys_at(uri: str, link: ProviderLink) -> RemoteKeys:
    """The key set at ``uri``; whoever made ``link`` closes it."""
    return RemoteKeys(lambda: link.exchange("jwks", get(uri), parse_key_set))


class KeysAtHand:
    """Keys that nobody has to be asked for, such as those of a certificate."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    def replace(self, keys: KeySet) -> None:
        """Others from now on."""
        self._keys = keys

    async def current(self) -> KeySet:
        """These."""
        return self._keys

    async def refetched(self) -> KeySet | None:
        """The same: there are no others."""
        return self._keys


async def checked(source: KeySource, check: Callable[[KeySet], T]) -> T:
    """What ``check`` makes of the keys; where none of them has signed, once more with fresh ones.

    :raises ProviderError: of ``check``, or the keys cannot be had; ``unknown_key`` is retryable where no fresh keys are
        due for now, so that it cannot be said whether there is such a key.
    """
    try:
        return check(await source.current())
    except ProviderError as error:
        unsigned = error.code == "token_rejected" and error.detail.startswith(SIGNATURE)
        if error.code != "unknown_key" and not unsigned:
            raise
        fresh = await source.refetched()
        if fresh is None and unsigned:
            raise
        if fresh is None:
            raise ProviderError(error.code, error.detail, retryable=True) from error
    return check(fresh)
