"""The tables: medians over the rounds, ratios within a round, the targets, and what to know when reading them."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from tests.bench.cases import Case
from tests.bench.measure import Sample
from tests.bench.peers.peer import Peer
from tests.bench.results import alone, middle, ratio, rows_of, targets
from tests.bench.stand import LOAD_CORE, PROXY_CORE

if TYPE_CHECKING:
    from tests.bench.run import Bench

QUIET = 0.05
"""Share of a core that others may use before the figures are called disturbed."""

HEAD = """# Benchmarks

Written by `make bench`, which sets all of this up, signs somebody in to every proxy at a certified OpenID provider, and
measures. Each proxy is alone on one core; upstreams and load generator are on another. `make bench-quick` compares
nginx and this gateway in one case, in under a minute.

"""
NOTES = """## How to read this

* **Ratios, not figures.** Machines differ, and the same machine differs from minute to minute. Every round measures all
  proxies in turn; *of nginx* is the median of the ratios within a round, everything else the median over the rounds.
  nginx does no authentication: it is the yardstick, not a competitor.
* **CPU** is user and system time of the proxy and its child processes for one request or message. **Memory** is theirs too; what
  processes share is counted once. **Core** is the share of its core that the proxy used: well below 100 % the load core
  was the limit, rates are then closer together than the proxies are, and CPU is what to compare.
* **Latency** is measured with all connections always busy (32; uploads 8), so it follows the rate.
* Everybody is really signed in: a scripted browser walks through sign-in and consent, and the load carries the cookies
  it was given, renewed before each measurement. Status and body are checked before and after each measurement, and
  every answer under load must have the right status. The 401 of nginx is a plain `return 401`.
* This gateway has everything on: sealed session, revocation check, Cedar policies (`builtin:groups`, which read the
  path, so that a new path is a decision that no memory answers), identity headers, metrics; the access log as named.
* The peers do less for a session than this gateway does. Envoy's and mod_auth_openidc's cookie sessions cannot be
  revoked: a copied cookie works after sign-out. No peer evaluates a policy here beyond "signed in".
* Apache runs the event MPM with 64 threads in one process, Envoy one worker, nginx one worker, the naive proxy uvloop.
  The naive proxy reads bodies whole. The others stream; nginx does not buffer uploads here.
* The WebSocket generator and its echo are Python on the load core and are slower than the fast proxies.
* With two cores there is none left for a second worker: scaling over workers is not measured here.
"""


def document(bench: Bench, missing: Sequence[tuple[str, str]]) -> str:
    """The whole of ``docs/benchmarks.md``."""
    parts = [HEAD, disturbed(bench), surroundings(bench, missing)]
    parts += [table(bench, case, missing) for case in bench.cases]
    parts += [alone(bench), targets(bench), NOTES]
    return "\n".join(part for part in parts if part)


def plain(text: str) -> str:
    """The same for a terminal: without introduction and notes, columns padded."""
    body = text[len(HEAD) : text.index("## How to read this")]
    lines, rows = [], []
    for line in [*body.splitlines(), ""]:
        if line.startswith("|"):
            if not set(line) <= set("|-: "):
                rows.append([cell.strip() for cell in line.strip("|").split("|")])
            continue
        lines += padded(rows)
        rows = []
        lines.append(line)
    return "\n".join(lines)


def padded(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def disturbed(bench: Bench) -> str:
    """A warning when others used the proxy's core meanwhile."""
    share = foreign(bench)
    if share <= QUIET:
        return ""
    return (
        f"> **The machine was busy:** others used {share:.0%} of a core. These figures show that the run"
        " works, and nothing more.\n"
    )


def foreign(bench: Bench) -> float:
    """Mean share of the worse core that nobody here can account for."""
    return mean(sample.foreign for samples in bench.samples.values() for sample in samples)


def surroundings(bench: Bench, missing: Sequence[tuple[str, str]]) -> str:
    rounds = min(len(samples) for samples in bench.samples.values())
    release = platform.release().partition("-")[0]
    lines = [
        f"{rounds} rounds of {bench.seconds} s for each proxy and case.\n",
        f"* {os.cpu_count()} cores of {processor()}; core {PROXY_CORE} for the proxy, core {LOAD_CORE} for the rest",
        f"* others used {foreign(bench):.1%} of the core that was disturbed more",
        f"* {platform.system()} {release}, Python {platform.python_version()}, wrk {wrk_version()}",
        *(f"* {peer.name}: {peer.version}" for peer in bench.peers),
        *(f"* {name}: **not measured**, {why}" for name, why in missing),
    ]
    return "\n".join(lines) + "\n"


def processor() -> str:
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found[1].strip() if found else platform.machine()


def wrk_version() -> str:
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return said.split()[1] if said.startswith("wrk") else "unknown"


def table(bench: Bench, case: Case, missing: Sequence[tuple[str, str]]) -> str:
    rows = []
    for peer in bench.peers:
        samples = bench.samples.get((case.key, peer.name))
        if samples:
            rows.append(row(peer, samples, ratio(bench, case.key, peer.name)))
    rows += [[f"{name}: not measured", *[""] * 7] for name, _ in missing]
    header = [
        "", f"{case.unit}s/s", "of nginx", "p50 ms", "p99 ms", f"CPU µs/{case.unit}", "memory MB", "core",
    ]  # fmt: skip
    return f"## {case.title}\n\n{rows_of(header, rows)}"


def row(peer: Peer, samples: Sequence[Sample], of_nginx: float | None) -> list[str]:
    return [
        f"**{peer.name}**" if "this gateway" in peer.name else peer.name,
        f"{middle(samples, lambda s: s.rate):,.0f}",
        "" if of_nginx is None else f"{of_nginx:.2f}",
        f"{middle(samples, lambda s: s.p50) * 1e3:.2f}",
        f"{middle(samples, lambda s: s.p99) * 1e3:.2f}",
        f"{middle(samples, lambda s: s.cpu) * 1e6:,.0f}",
        f"{middle(samples, lambda s: s.rss) / 1e6:.0f}",
        f"{middle(samples, lambda s: s.busy):.0%}",
    ]
