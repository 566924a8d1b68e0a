"""What the samples come to: medians, and ratios within a round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import TYPE_CHECKING

from tests.bench.measure import Sample
from tests.bench.peers.line_up import OURS
from tests.bench.peers.peer import Role
from tests.bench.peers.plain import NGINX

if TYPE_CHECKING:
    from tests.bench.run import Bench

Quantity = Callable[[Sample], float]


def rate(sample: Sample) -> float:
    return sample.rate


def p99(sample: Sample) -> float:
    return sample.p99


def cpu(sample: Sample) -> float:
    return sample.cpu


@dataclass(frozen=True, slots=True)
class Ratio:
    """Median of the ratios within a round, and the extremes."""

    value: float
    least: float
    most: float


def middle(samples: Sequence[Sample], what: Quantity) -> float:
    return median(map(what, samples))


def ratio(
    bench: Bench, case: str, name: str, to: str = NGINX, *, to_case: str = "", what: Quantity = rate
) -> Ratio | None:
    """One peer's quantity, of another's; None where one of the two was not measured."""
    above, below = bench.samples.get((case, name)), bench.samples.get((to_case or case, to))
    if not above or not below:
        return None
    each = [what(a) / what(b) for a, b in zip(above, below, strict=True)]
    return Ratio(median(each), min(each), max(each))


def foreign(bench: Bench) -> float:
    """Mean share of a core that nobody here can account for."""
    return mean(sample.foreign for samples in bench.samples.values() for sample in samples)


def rows_of(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; all columns but the first are numbers."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows)) + "\n"


def rivals(bench: Bench) -> list[str]:
    """Peers that authenticate and were measured with the 1 KB GET, the fastest beside this gateway first."""
    gated = [peer.name for peer in bench.peers if peer.role is Role.GATED]
    found = {name: each for name in gated if (each := ratio(bench, "1k", OURS, name)) is not None}
    return sorted(
        (name for name in found if name != OURS),
        key=lambda name: found[name].value,
    )
