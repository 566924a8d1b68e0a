"""A line when something begins, and one when it is over."""

from __future__ import annotations

from structlog.testing import capture_logs

from gateway.state.contract.trouble import Trouble


def test_what_lasts_is_told_twice() -> None:
    """Whatever the reasons are that it has meanwhile; where it is stands in both lines."""
    trouble = Trouble("it_fails", "it_works", level=30, path="/x")
    with capture_logs() as told:
        for why in ("", "full", "slow", "", "", "full"):
            trouble.tell(why)
            assert trouble.why == why
    assert [(each["event"], each["log_level"], each["why"], each["path"]) for each in told] == [
        ("it_fails", "warning", "full", "/x"),
        ("it_works", "info", "", "/x"),
        ("it_fails", "warning", "full", "/x"),
    ]
