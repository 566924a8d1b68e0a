"""The words of the contract: what must never be shown is not shown."""

from __future__ import annotations

from gateway.state.contract.refreshes import Succeeded


def test_a_sealed_successor_is_in_no_repr() -> None:
    """A claim may end in a log line or an error."""
    assert "secret" not in repr(Succeeded(1, b"secret"))
