"""The only place that reads the clock (rule R38)."""

from __future__ import annotations

import time

from gateway.core import clock


def test_the_time_that_a_machine_was_suspended_counts() -> None:
    """CLOCK_MONOTONIC would leave it out."""
    before = time.clock_gettime(time.CLOCK_BOOTTIME)

    assert before <= clock.elapsed() <= time.clock_gettime(time.CLOCK_BOOTTIME)
    assert clock.elapsed.args == (time.CLOCK_BOOTTIME,)


def test_both_clocks_tell_the_same_time() -> None:
    """Whole seconds for what is sealed and compared, a fraction for log lines."""
    before = time.time()
    now, precise = clock.now(), clock.precise()
    assert isinstance(now, int)
    assert int(before) <= now <= precise <= time.time()
