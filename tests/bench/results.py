"""What the samples come to: medians, ratios within a round, and how they stand to the targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.measure import Sample
from tests.bench.sockets import CONNECTIONS

if TYPE_CHECKING:
    from tests.bench.run import Bench

NGINX, OURS, LOUD = "nginx, no authentication", "this gateway, access log off", "this gateway, access log on"
ENVOY, COOKIE = "Envoy, oauth2 filter", "mod_auth_openidc, client cookie"
Quantity = Callable[[Sample], float]


def rate(sample: Sample) -> float:
    return sample.rate


def p99(sample: Sample) -> float:
    return sample.p99


def middle(samples: Sequence[Sample], what: Quantity) -> float:
    return median(what(sample) for sample in samples)


def ratio(
    bench: Bench, case: str, name: str, to: str = NGINX, *, to_case: str = "", what: Quantity = rate
) -> float | None:
    """Median of the ratios within a round; None where one of the two was not measured."""
    above, below = bench.samples.get((case, name)), bench.samples.get((to_case or case, to))
    if not above or not below:
        return None
    return median(what(a) / what(b) for a, b in zip(above, below, strict=True))


def rows_of(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; all columns but the first are numbers."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows)) + "\n"


def started(bench: Bench) -> float:
    return median([peer.ready for peer in bench.peers if peer.ready] or [0.0])


def alone(bench: Bench) -> str:
    """What has no peer to be compared with."""
    if not started(bench):
        return ""
    rows = [["start until `/readyz` says so", f"{started(bench):.2f} s"]]
    if bench.socket_bytes:
        name = f"memory of an idle WebSocket behind the gate ({CONNECTIONS} open)"
        rows.append([name, f"{bench.socket_bytes / 1024:.1f} KiB"])
    return f"## This gateway alone\n\n{rows_of(['', 'measured'], rows)}"


def targets(bench: Bench) -> str:
    """What was promised, beside what was measured; only what this run has."""
    rows = [
        [what, f"{sign} {bound:g}", f"{value:.2f}", "yes" if met(value, sign, bound) else "**no**"]
        for what, value, sign, bound in goals(bench)
        if value is not None
    ]
    if not rows:
        return ""
    return f"## Targets\n\n{rows_of(['', 'target', 'measured', 'met'], rows)}"


def met(value: float, sign: str, bound: float) -> bool:
    return value >= bound if sign == "≥" else value <= bound


def goals(bench: Bench) -> list[tuple[str, float | None, str, float]]:
    """Every target: what, as measured or None, the direction, the bound."""
    ours = bench.samples.get(("1k", OURS), [])
    logged = ratio(bench, "1k", LOUD, OURS)
    signed_in = [peer.name for peer in bench.peers if peer.authenticates and not peer.forward_auth]
    rivals = [ratio(bench, "1k", OURS, name) for name in signed_in if "this gateway" not in name]
    return [
        ("1 KB GET, of the fastest peer that authenticates", min(filter(None, rivals), default=None), "≥", 1),
        ("1 KB GET, of Envoy's oauth2 filter", ratio(bench, "1k", OURS, ENVOY), "≥", 1.5),
        ("1 KB GET, of mod_auth_openidc with client cookie", ratio(bench, "1k", OURS, COOKIE), "≥", 3),
        ("1 KB GET, of nginx", ratio(bench, "1k", OURS), "≥", 0.4),
        (
            "1 KB GET with a new path, of the same path",
            ratio(bench, "unique", OURS, OURS, to_case="1k"),
            "≥",
            0.6,
        ),
        ("p99 of 1 KB GET, of nginx's", ratio(bench, "1k", OURS, what=p99), "≤", 2.5),
        ("100 KB GET, of nginx", ratio(bench, "100k", OURS), "≥", 0.6),
        ("cost of the access log", None if logged is None else 1 - logged, "≤", 0.15),
        ("memory, MB", middle(ours, lambda s: s.rss) / 1e6 if ours else None, "≤", 90),
        ("start to ready, s", started(bench) or None, "≤", 1.0),
        ("idle WebSocket, KiB", bench.socket_bytes / 1024 or None, "≤", 24),
    ]
