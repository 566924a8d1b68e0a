"""The only place that reads the clock (rule R38)."""

from __future__ import annotations

import time

from gateway.core import clock


def test_both_clocks_tell_the_same_time() -> None:
    """Whole seconds for what is sealed and compared, a fraction for log lines."""
    before = time.time()
    now, precise = clock.now(), clock.precise()
    assert isinstance(now, int)
    assert int(before) <= now <= precise <= time.time()
