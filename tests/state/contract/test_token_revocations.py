"""The contract's own words."""

from __future__ import annotations

from gateway.state.contract.token_revocations import LARGEST, MOST, Taken


def test_what_is_sealed_is_not_shown() -> None:
    """Wherever a record is printed, in a log line or a failed assertion."""
    assert "token" not in repr(Taken("s/0", b"token", 1, 60))


def test_it_is_bounded_to_some_megabytes() -> None:
    """The largest store there can be."""
    assert MOST * LARGEST == 64 * 1024 * 1024
