"""The only place that reads the wall clock (rule R38); everything below takes ``now`` as an argument."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache


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
