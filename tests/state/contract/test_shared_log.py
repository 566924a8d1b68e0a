"""What both logs have in common; the rest of each is held to the contract."""

from __future__ import annotations

import math

from structlog.testing import capture_logs

from gateway.state.contract.shared_log import SharedLog


def test_a_log_that_takes_nothing_grows_old_and_it_is_said_once() -> None:
    """From when it last took something; also that it is over."""
    log = SharedLog(state_loss_accepted=False, deadline=0.25, beat=1.0)
    log._age.read(100.0)
    with capture_logs() as told:
        log._takes("full", 100.0, since=90.0)
        log._takes("full", 101.0, since=90.0)
        assert log._age.at(100.0) == 10.0
        log._takes("", 102.0, since=None)
        assert log._age.at(100.0) == 0.0
    assert [line["event"] for line in told] == ["state_log_takes_nothing", "state_log_takes_entries"]


def test_a_doubt_is_as_old_as_can_be_and_it_is_said_once() -> None:
    """However it changes meanwhile."""
    log = SharedLog(state_loss_accepted=False, deadline=0.25, beat=1.0)
    log._age.read(100.0)
    with capture_logs() as told:
        for why in ("dead", "alive"):
            log._doubt(why)
            assert log._age.at(100.0) == math.inf
        log._doubt("")
        assert log._age.at(100.0) == 0.0
    assert [line["event"] for line in told] == ["state_log_incomplete", "state_log_complete"]
