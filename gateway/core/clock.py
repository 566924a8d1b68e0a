"""The only place that reads the wall clock (rule R38); everything below takes ``now`` as an argument.

``time.monotonic`` stands still while a machine is suspended. What must know how much has really gone by asks here too.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache, partial

elapsed = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
"""Seconds since some moment in the past, those included for which the machine was suspended (Linux)."""


def now() -> int:
    """Seconds since the epoch, UTC."""
    return int(time.time())


def precise() -> float:
    """Seconds since the epoch with their fraction, for log lines."""
    return time.time()


def http_date() -> str:
    """Now, as in a Date header (RFC 9110 §5.6.7)."""
    return _http_date(now())


@lru_cache(maxsize=1)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)
