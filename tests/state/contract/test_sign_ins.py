"""The words of the contract."""

from __future__ import annotations

from gateway.state.contract.sign_ins import UNKNOWN


def test_without_an_answer_the_list_does_not_claim_to_be_complete() -> None:
    """An empty page must not look like "nobody else is signed in"."""
    assert (UNKNOWN.total, UNKNOWN.complete) == (0, False)
