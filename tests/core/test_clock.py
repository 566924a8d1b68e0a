"""The only place that reads the clock (rule R38)."""

from __future__ import annotations

import time

import pytest

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


def test_the_date_of_a_response_is_now_in_gmt(monkeypatch: pytest.MonkeyPatch) -> None:
    """As RFC 9110 writes it, whatever the machine's time zone; made once a second, and not kept beyond it."""
    moment = [784_111_777]
    monkeypatch.setattr(clock, "now", lambda: moment[0])
    assert clock.http_date() == "Sun, 06 Nov 1994 08:49:37 GMT"
    moment[0] += 1
    assert clock.http_date() == "Sun, 06 Nov 1994 08:49:38 GMT"
