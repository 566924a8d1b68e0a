"""The only place that reads the wall clock (rule R38); everything below takes ``now`` as an argument."""

from __future__ import annotations

import time


def now() -> int:
    """Seconds since the epoch, UTC."""
    return int(time.time())


def precise() -> float:
    """Seconds since the epoch with their fraction, for log lines."""
    return time.time()
