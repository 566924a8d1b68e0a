"""The benchmark's arithmetic, on samples that were made up."""

from __future__ import annotations

import pytest

from tests.bench import report, results
from tests.bench.cases import CASES
from tests.bench.measure import Sample
from tests.bench.peers.peer import Peer
from tests.bench.run import Bench


def sample(rate: float, *, foreign: float = 0.0) -> Sample:
    return Sample(rate=rate, p50=0.001, p99=0.002, cpu=1 / rate, rss=50e6, busy=1.0, foreign=foreign)


def bench(ours: list[float], reference: list[float], *, foreign: float = 0.0) -> Bench:
    peers = [
        Peer(results.NGINX, "1", 1, [], False, reference=True),
        Peer(results.OURS, "2", 2, [], ready=0.5),
    ]
    made = Bench(peers, [CASES[0]], 2, [])
    made.samples["1k", results.OURS] = [sample(rate, foreign=foreign) for rate in ours]
    made.samples["1k", results.NGINX] = [sample(rate, foreign=foreign) for rate in reference]
    return made


def test_the_ratio_is_the_median_of_the_ratios_within_a_round() -> None:
    """A round in which the whole machine was slow counts by its ratio, not by its rates."""
    made = bench([50, 5, 40], [100, 10, 100])
    assert results.ratio(made, "1k", results.OURS) == pytest.approx(0.5)
    assert results.middle(made.samples["1k", results.OURS], results.rate) == 40


def test_what_was_not_measured_is_said_and_not_made_up() -> None:
    """A missing peer has a row with its reason; targets that need it are left out."""
    text = report.document(bench([50], [100]), [("oauth2-proxy", "Go is not installed")])
    assert "| oauth2-proxy: not measured |" in text
    assert "oauth2-proxy: **not measured**, Go is not installed" in text
    assert "1 KB GET, of nginx | ≥ 0.4 | 0.50 | yes" in text
    assert "Envoy's oauth2 filter |" not in text


@pytest.mark.parametrize(("foreign", "warned"), [(0.01, False), (0.2, True)])
def test_figures_of_a_busy_machine_are_marked(foreign: float, warned: bool) -> None:
    """When others used a core meanwhile, the page says so first."""
    text = report.document(bench([50], [100], foreign=foreign), [])
    assert ("The machine was busy" in text) is warned


def test_a_terminal_gets_the_same_tables() -> None:
    """Without the introduction and the notes, and without Markdown's bars."""
    shown = report.plain(report.document(bench([50], [100]), []))
    assert "|" not in shown
    assert "Written by" not in shown
    assert "How to read" not in shown
    assert f"**{results.OURS}**" in shown
