"""What was promised, beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.peers.apache import COOKIE
from tests.bench.peers.envoy import ENVOY
from tests.bench.peers.equal_work import BY_OURS
from tests.bench.peers.forward_auth import FRONTS
from tests.bench.peers.line_up import APART, LOUD, ONE, OURS, TWO
from tests.bench.peers.plain import NGINX
from tests.bench.results import Quantity, cpu, p99, rate, ratio, rivals, rows_of
from tests.bench.sockets import MANY

if TYPE_CHECKING:
    from tests.bench.run import Bench

TIMES = "{:.2f} \N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True)
class Target:
    """One line.

    :ivar sign: ``≥`` or ``≤``.
    :ivar value: as measured; None when it was not, and ``why`` says so.
    :ivar form: how bound and value are written, a format of one field.
    :ivar goal: what is hoped for beyond the bound.
    """

    what: str
    sign: str
    bound: float
    value: float | None
    form: str = TIMES
    goal: str = ""
    why: str = "not measured"

    @property
    def met(self) -> bool | None:
        if self.value is None:
            return None
        return self.value >= self.bound if self.sign == "≥" else self.value <= self.bound

    def row(self) -> list[str]:
        target = f"{self.sign} {self.form.format(self.bound)}{self.goal}"
        if self.value is None:
            return [self.what, target, self.why, ""]
        said = self.form.format(self.value)
        if not self.met and said == self.form.format(self.bound):
            said = f"just beyond {said}" if self.sign == "≤" else f"just below {said}"
        return [self.what, target, said, "yes" if self.met else "**no**"]


def table_of_targets(bench: Bench) -> str:
    """All of them, and below what has no target but belongs to one."""
    rows = [*(each.row() for each in targets(bench)), *known_beside(bench)]
    return f"## Targets\n\n{rows_of(['', 'target', 'measured', 'met'], rows)}"


def targets(bench: Bench) -> Iterator[Target]:
    """Every promise."""

    def of(case: str, to: str = NGINX, what: Quantity = rate, to_case: str = "") -> float | None:
        found = ratio(bench, case, OURS, to, to_case=to_case, what=what)
        return None if found is None else found.value

    fastest = next(iter(rivals(bench)), "")
    beside = f"the fastest peer that authenticates{fastest and f' ({fastest})'}"
    yield Target(f"1 KB GET, of {beside}", "≥", 1, of("1k", fastest))
    yield Target("1 KB GET, of Envoy's oauth2 filter", "≥", 1.5, of("1k", ENVOY))
    yield Target("1 KB GET, of mod_auth_openidc with client cookie", "≥", 3, of("1k", COOKIE))
    yield Target("1 KB GET, of nginx", "≥", 0.4, of("1k"), goal=", goal 0.5")
    yield Target("1 KB GET with a new path, of the same path", "≥", 0.6, of("unique", OURS, to_case="1k"))
    yield Target("p99 of 1 KB GET, of nginx's", "≤", 2.5, of("1k", what=p99))
    yield Target("100 KB GET, of nginx", "≥", 0.6, of("100k"))
    for front in FRONTS:
        for other in ("oauth2-proxy", BY_OURS):
            found = ratio(bench, "auth", f"{front} asking this gateway", f"{front} asking {other}")
            beside = f"1 KB GET through {front} asking this gateway, of the same asking {other}"
            yield Target(beside, "≥", 1.5, None if found is None else found.value)
    yield Target("what the access log costs of 1 KB GET", "≤", 0.15, cost_of_log(bench), "{:.1%}")
    yield scaling(bench)
    yield Target("memory of a worker, at most", "≤", 90, largest_worker(bench), "{:.1f} MB")
    yield Target("start until `/readyz` says so", "≤", 1, bench.started, "{:.2f} s")
    socket = None if bench.socket_bytes is None else bench.socket_bytes / 1024
    yield Target(f"memory of an idle WebSocket behind the gate, of {MANY}", "≤", 24, socket, "{:.1f} KiB")


def cost_of_log(bench: Bench) -> float | None:
    found = ratio(bench, "1k", LOUD, OURS)
    return None if found is None else 1 - found.value


def scaling(bench: Bench) -> Target:
    """Two workers need a core each, and what drives them two more."""
    found, why = ratio(bench, "workers", TWO, ONE), "not measured"
    if bench.cores.second is None:
        found, why = None, "not measurable with fewer than four cores"
    return Target("2 workers, of 1 worker", "≥", 1.8, found.value if found else None, why=why)


def largest_worker(bench: Bench) -> float | None:
    """Of all cases, in megabytes."""
    sizes = [
        sample.memory.largest / 1e6
        for (_, name), samples in bench.samples.items()
        for sample in samples
        if name in {OURS, ONE, TWO}
    ]
    return max(sizes, default=None)


def known_beside(bench: Bench) -> Iterator[list[str]]:
    """Rows without a target: ratios that do not depend on what limits the rate, nor on the number of cores."""
    for key, title in (("1k", "1 KB GET"), ("100k", "100 KB GET")):
        if found := ratio(bench, key, NGINX, OURS, what=cpu):
            yield [f"{title}, CPU per request: nginx's, of ours", "", TIMES.format(found.value), ""]
    if found := ratio(bench, "workers", TWO, APART, what=cpu):
        yield ["CPU per request with 2 workers, of 2 gateways apart", "", TIMES.format(found.value), ""]
