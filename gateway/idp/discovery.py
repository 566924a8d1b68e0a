"""The provider's metadata and keys: fetched in the background, kept while the provider is away.

The gateway starts without the provider (pain P18). Fresh copies come about once an hour, so that a withdrawn
key is forgotten; a failed fetch keeps what there is. A key id that nobody knows may cause one fetch in 30 s.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from gateway.core import dice
from gateway.core.errors import ProviderError
from gateway.idp.link import ProviderLink
from gateway.idp.remote_keys import FRESH_FOR, RemoteKeys
from gateway.idp.single_flight import SingleFlight
from gateway.oidc.jose.jwks import KeySet, parse_key_set
from gateway.oidc.signin.metadata import ProviderMetadata, metadata_request, parse_metadata
from gateway.oidc.wire import get

FIRST_BACK_OFF = 1.0  # seconds after the first failure; doubled with each further one
LONGEST_BACK_OFF = 60.0


def back_off(failures: int, fraction: float) -> float:
    """Seconds to wait after ``failures`` failures in a row: doubling to a minute, half of it jitter.

    :param fraction: a random number in [0, 1); replicas must not come back in step.
    """
    longest = min(LONGEST_BACK_OFF, FIRST_BACK_OFF * 2.0 ** min(failures - 1, 10))
    return longest * (0.5 + fraction / 2)


class Discovery:
    """Metadata and keys of one issuer.

    :ivar keys: the keys; fresh ones come from here, about once an hour.
    :raises ConfigurationError: the issuer is not a URL that can have metadata.
    """

    def __init__(
        self, link: ProviderLink, issuer: str, *, jitter: Callable[[], float] = dice.fraction
    ) -> None:
        self._link = link
        self._issuer = issuer
        self._request = metadata_request(issuer)
        self._jitter = jitter
        self._metadata: ProviderMetadata | None = None
        self._metadata_flight = SingleFlight(self._fetch_metadata)
        self.keys = RemoteKeys(self._fetch_keys, fresh_for=math.inf)
        self._background: asyncio.Task[None] | None = None

    @property
    def known_metadata(self) -> ProviderMetadata | None:
        """The metadata, if it has ever been fetched."""
        return self._metadata

    @property
    def complete(self) -> bool:
        """Whether metadata and keys are both there, fresh or not."""
        return self._metadata is not None and self.keys.known is not None

    def start(self) -> None:
        """Begin to fetch, and go on until `close`. Returns at once."""
        self._background = asyncio.get_running_loop().create_task(self._stay_fresh())

    async def close(self) -> None:
        """End the background work and whatever is under way."""
        if self._background is not None:
            self._background.cancel()
            await asyncio.wait([self._background])
        await self._metadata_flight.close()
        await self.keys.close()

    async def metadata(self) -> ProviderMetadata:
        """The metadata, fetched now if there is none yet.

        :raises ProviderError: there is none, and it cannot be had.
        """
        return self._metadata or await self._metadata_flight.run()

    async def _fetch_metadata(self) -> ProviderMetadata:
        self._metadata = await self._link.exchange(
            "metadata", self._request, lambda answer: parse_metadata(answer, issuer=self._issuer)
        )
        return self._metadata

    async def _fetch_keys(self) -> KeySet:
        metadata = await self.metadata()
        return await self._link.exchange("jwks", get(metadata.jwks_uri), parse_key_set)

    async def _stay_fresh(self) -> None:
        failures = 0
        while True:
            self._link.went_down.clear()
            try:
                await self._metadata_flight.run()
                await self.keys.fetch_now()
            except ProviderError:
                failures += 1  # told to the operator by the link; the next try comes by itself
                await asyncio.sleep(back_off(failures, self._jitter()))
            else:
                failures = 0
                await self._rest()

    async def _rest(self) -> None:
        """Wait until the copies are old, or a little when another exchange shows trouble."""
        try:
            async with asyncio.timeout(FRESH_FOR * (0.9 + self._jitter() / 5)):
                await self._link.went_down.wait()
        except TimeoutError:
            return
        await asyncio.sleep(back_off(1, self._jitter()))
