"""The only place that draws randomness (rule R38, CVE-2024-21495)."""

from __future__ import annotations

import re

import pytest

from gateway.core import dice


@pytest.mark.parametrize("nbytes", [8, 16, 32])
def test_a_token_has_its_bytes_and_fits_into_a_url(nbytes: int) -> None:
    """Base64url without padding, never twice the same."""
    drawn = {dice.token(nbytes) for _ in range(300)}
    assert len(drawn) == 300
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", one) and len(one) == -(-nbytes * 4 // 3) for one in drawn)


def test_keys_and_nonces_have_their_lengths() -> None:
    """256 and 96 bits, drawn anew each time."""
    assert {len(dice.key()) for _ in range(50)} == {32}
    assert {len(dice.nonce96()) for _ in range(50)} == {12}
    assert len({dice.nonce96() for _ in range(1_000)}) == 1_000


def test_a_fraction_lies_in_its_range() -> None:
    """From 0 up to but not including 1, and all over it."""
    drawn = [dice.fraction() for _ in range(500)]
    assert all(0 <= one < 1 for one in drawn)
    assert min(drawn) < 0.2
    assert max(drawn) > 0.8
