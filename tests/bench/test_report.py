"""The benchmark's arithmetic, on samples that were made up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.bench import report, results, targets
from tests.bench.cases import CASES
from tests.bench.cores import Cores
from tests.bench.measure import Sample, fault_of
from tests.bench.peers.envoy import ENVOY
from tests.bench.peers.line_up import APART, LOUD, ONE, OURS, TWO
from tests.bench.peers.naive import NAIVE
from tests.bench.peers.peer import Peer, Role
from tests.bench.peers.plain import NGINX
from tests.bench.run import Bench
from tests.bench.usage import Memory

ROLES = {NGINX: Role.REFERENCE, LOUD: Role.LOGGING, ONE: Role.WORKERS, TWO: Role.WORKERS, APART: Role.WORKERS}
BY_KEY = {case.key: case for case in CASES}


def sample(rate: float, *, foreign: float = 0.0) -> Sample:
    memory = Memory(50_000_000, 60_000_000)
    return Sample(rate=rate, p50=0.001, p99=0.002, cpu=1 / rate, memory=memory, busy=1.0, foreign=foreign)


def bench(
    rates: dict[tuple[str, str], list[float]], *, second: int | None = None, foreign: float = 0.0
) -> Bench:
    """A run that measured these rates, by case and peer."""
    names = dict.fromkeys(name for _, name in rates)
    peers = [Peer(name, "1", 1, [], ROLES.get(name, Role.GATED), ready=0.5) for name in names]
    cases = [case for case in CASES if case.key in {key for key, _ in rates}]
    made = Bench(peers, cases, 1, Cores(0, 1, 1, second), [])
    made.samples = {pair: [sample(rate, foreign=foreign) for rate in each] for pair, each in rates.items()}
    return made


def lines(made: Bench) -> dict[str, targets.Target]:
    return {target.what: target for target in targets.targets(made)}


def test_the_ratio_is_the_median_of_the_ratios_within_a_round() -> None:
    """A round in which the whole machine was slow counts by its ratio, not by its rates."""
    made = bench({("1k", OURS): [50, 5, 44], ("1k", NGINX): [100, 10, 80]})
    assert results.ratio(made, "1k", OURS) == results.Ratio(0.5, 0.5, 0.55)
    assert results.middle(made.samples["1k", OURS], results.rate) == 44


def test_the_fastest_rival_is_found_by_its_ratio() -> None:
    """The target is to be ahead of all of them, so the line names the one that is nearest."""
    made = bench({("1k", OURS): [50], ("1k", ENVOY): [20], ("1k", NAIVE): [40], ("1k", NGINX): [100]})
    assert results.rivals(made) == [NAIVE, ENVOY]
    line = lines(made)[f"1 KB GET, of the fastest peer that authenticates ({NAIVE})"]
    assert line.row()[2:] == ["1.25 \N{MULTIPLICATION SIGN}", "yes"]


def test_a_figure_just_beyond_its_target_does_not_look_met() -> None:
    """Rounding must not turn a miss into what was promised."""
    line = lines(bench({("1k", OURS): [1499], ("1k", ENVOY): [1000]}))["1 KB GET, of Envoy's oauth2 filter"]
    assert line.row()[2:] == ["just below 1.50 \N{MULTIPLICATION SIGN}", "**no**"]


def test_every_target_has_its_line() -> None:
    """What was not measured is said so, and neither met nor missed."""
    found = lines(bench({("1k", OURS): [50], ("1k", NGINX): [100]}))
    assert len(found) == 18
    assert found["100 KB GET, of nginx"].row()[2:] == ["not measured", ""]
    assert found["1 KB GET, of nginx"].met
    assert found["start until `/readyz` says so"].value == 0.5
    assert found["memory of a worker, at most"].value == 50


@pytest.mark.parametrize(
    ("second", "measured"),
    [(None, ["not measurable with fewer than four cores", ""]), (3, ["1.90 \N{MULTIPLICATION SIGN}", "yes"])],
)
def test_workers_scale_only_where_each_has_a_core(second: int | None, measured: list[str]) -> None:
    """On two cores only the cost of a request is known, and that has no target."""
    rates: dict[tuple[str, str], list[float]] = {
        ("workers", ONE): [100],
        ("workers", TWO): [190],
        ("workers", APART): [209],
    }
    made = bench(rates, second=second)
    assert lines(made)["2 workers, of 1 worker"].row()[2:] == measured
    said = report.document(made, [])
    assert "| CPU per request with 2 workers, of 2 gateways apart |  | 1.10 \N{MULTIPLICATION SIGN} |" in said


def test_what_the_log_costs_is_a_share() -> None:
    """Of the rate without it."""
    line = lines(bench({("1k", OURS): [100], ("1k", LOUD): [90]}))["what the access log costs of 1 KB GET"]
    assert line.row()[1:] == ["≤ 15.0%", "10.0%", "yes"]


def test_a_missing_peer_has_a_row_with_its_reason() -> None:
    """In the tables that it belongs to."""
    made = bench({("1k", OURS): [50], ("1k", NGINX): [100], ("auth", NGINX): [100]})
    text = report.document(made, [("oauth2-proxy", "Go is not installed")])
    assert "oauth2-proxy: **not measured**, Go is not installed" in text
    assert "| oauth2-proxy: not measured |" in text
    assert "| nginx asking oauth2-proxy: not measured |" in text
    assert "| Envoy asking oauth2-proxy: not measured |" in text
    assert "| Envoy asking oauth2-proxy by our recipe: not measured |" in text


@pytest.mark.parametrize(("foreign", "warned"), [(0.01, False), (0.2, True)])
def test_figures_of_a_busy_machine_are_marked(foreign: float, warned: bool) -> None:
    """When others used a core meanwhile, the page says so first."""
    text = report.document(bench({("1k", NGINX): [100]}, foreign=foreign), [])
    assert ("The machine was busy" in text) is warned


def test_a_terminal_gets_the_same_tables() -> None:
    """Without the introduction and the notes, and without Markdown's bars."""
    shown = report.plain(report.document(bench({("1k", OURS): [50], ("1k", NGINX): [100]}), []))
    assert "|" not in shown
    assert "Written by" not in shown
    assert "How to read" not in shown
    assert f"**{OURS}**" in shown


@pytest.mark.parametrize(
    ("key", "seen", "fault"),
    [
        ("1k", {}, ""),
        ("1k", {"bad": 1}, "wrong statuses"),
        ("1k", {"errors": 1}, "connections failed"),
        ("1k", {"bytes": 10 * 1023}, "answers were too short"),
        ("1k", {"requests": 0}, "no answers"),
        ("401", {"bad": 10, "bytes": 10}, ""),
        ("401", {"bad": 9}, "wrong statuses"),
    ],
)
def test_load_counts_only_when_its_answers_were_right(key: str, seen: dict[str, float], fault: str) -> None:
    """By status and by size: a redirect to a sign-in page has neither an error nor a kilobyte."""
    right = {"requests": 10, "bytes": 10 * 1300, "bad": 0, "errors": 0}
    assert fault_of(BY_KEY[key], right | seen) == fault


def test_memory_that_processes_share_counts_once() -> None:
    """The page's figure is the total; the promise is about the largest process."""
    made = bench({("1k", OURS): [50], ("1k", NGINX): [100]})
    made.samples["1k", OURS] = [replace(sample(50), memory=Memory(91_000_000, 120_000_000))]
    assert lines(made)["memory of a worker, at most"].row()[2:] == ["91.0 MB", "**no**"]
    assert report.row(OURS, made.samples["1k", OURS], None)[7] == "120"
