"""How often one source may try what anybody can send: a bucket of tries for each, refilled by the second."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from time import monotonic

from gateway.core.memo import Kept

BURST = 30
"""Tries that may come at once."""
EACH_SECOND = 1.0
"""Tries that come back in a second."""
SOURCES, SOURCES_BYTES = 4_096, 3 * 1024 * 1024
"""Sources that are remembered; those that were quiet for longest go first, which a few seconds make good."""


class TriesPerSource:
    """Counts tries by the client's address; in IPv6 by its /64, of which each subscriber has at least one.

    :param clock: seconds that never go back.
    """

    def __init__(
        self,
        *,
        burst: float = BURST,
        each_second: float = EACH_SECOND,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._burst = burst
        self._each_second = each_second
        self._clock = clock
        self._left: Kept[str, tuple[float, float]] = Kept(entries=SOURCES, size=SOURCES_BYTES)

    def exhausted(self, client: str) -> bool:
        """Whether this source has no try left for now."""
        return self._tries(_source(client), self._clock()) < 1

    def spend(self, client: str) -> None:
        """One try of this source was in vain."""
        source, now = _source(client), self._clock()
        self._left.keep(source, (max(0.0, self._tries(source, now) - 1), now))

    def _tries(self, source: str, now: float) -> float:
        left, at = self._left[source] or (self._burst, now)
        return min(self._burst, left + (now - at) * self._each_second)


def _source(client: str) -> str:
    try:
        address = ip_address(client)
    except ValueError:  # a path of a Unix socket, or nothing
        return client
    return client if address.version == 4 else str(ip_network(f"{address}/64", strict=False))
