"""What the section on sign-outs says."""

from __future__ import annotations

from tests.bench.latency import Sample, Scene, document, percentile


def test_a_percentile_is_a_value_that_was_measured() -> None:
    """The smallest one that is not exceeded by that share of all."""
    values = [value / 1000 for value in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0.5, 0.99, 1.0)] == [0.05, 0.099, 0.1]
    assert percentile([0.7], 0.5) == percentile([0.7], 0.99) == 0.7


def test_a_target_that_was_missed_is_said_to_be() -> None:
    """Beside those that were met, and with what else kept the machine busy."""
    samples = [Sample(0.004, 0.001, 0.2, 0.3)] * 10
    text = document([Scene(3, 2_000, 400, samples, samples[0], 300, 0.5)])
    assert "| last connection ended elsewhere | ≤ 250 | 200.0 | 200.0 | 200.0 | yes |" in text
    assert "| copied cookie refused everywhere | ≤ 250 | 300.0 | 300.0 | 300.0 | **no** |" in text
    assert "Others used 50%" in text
    assert "**busy**" in text
    assert "tabs" not in text


def test_tabs_have_a_row_of_their_own() -> None:
    """With a target of their own, and with how many sign-outs it comes from."""
    samples = [Sample(0.004, 0.001, 0.0, 0.01)] * 10
    text = document([Scene(1, 2_000, 400, samples, samples[0], 300, 0.0, tabs=[0.3, 1.2], others=5)])
    assert "| last of 5 other tabs gone (2 sign-outs) | ≤ 1000 | 300.0 | 1200.0 | 1200.0 | **no** |" in text
