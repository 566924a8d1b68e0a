"""The page: targets, tables, and what to know when reading them."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.cases import Case
from tests.bench.measure import Sample
from tests.bench.peers.equal_work import BY_OURS
from tests.bench.peers.forward_auth import FRONTS
from tests.bench.peers.line_up import ONE
from tests.bench.peers.peer import Role
from tests.bench.peers.plain import NGINX
from tests.bench.results import Ratio, foreign, middle, ratio, rows_of
from tests.bench.targets import table_of_targets

if TYPE_CHECKING:
    from tests.bench.run import Bench

QUIET = 0.05
"""Share of a core that others may use before the figures are called disturbed."""

HEAD = """# Benchmarks

Written by `make bench`, which sets all of this up, signs somebody in to every proxy at a certified OpenID provider, and
measures. Each proxy is alone on one core; upstreams and load generator are elsewhere. `make bench-quick` compares
nginx and this gateway in one case, in under a minute.

"""
NOTES = """## How to read this

* **Ratios, not figures.** Machines differ, and the same machine differs from minute to minute. Every round measures all
  proxies in turn; *of nginx* is the median of the ratios within a round, with the extremes behind it, everything else
  the median over the rounds. nginx does no authentication: it is the yardstick, not a competitor.
* **CPU** is user and system time of the proxy and its child processes for one request or message. **Memory** is resident,
  after the load: the largest process, and what the others have for themselves. **Core** is the share of its core that
  the proxy used: well below 100 % something else was the limit, rates are then closer together than the proxies are,
  and CPU is what to compare.
* **Latency** is measured with all connections always busy (32; uploads 8), so it follows the rate; the case with pauses
  between the requests is the one that says what users notice.
* Everybody is really signed in: a scripted browser walks through sign-in and consent, and the load carries the cookies
  it was given, renewed before each measurement. Status and body are checked before and after each measurement, and
  under load every answer must have the right status, and all of them together the right size.
* This gateway has everything on: sealed session, revocation check (against the sign-outs of a thousand others), Cedar
  policies (`builtin:groups`, which read the path, so that a new path is a decision that no memory answers), identity
  headers, metrics; the access log as named.
* This gateway remembers what the cookies of 4,096 sessions say, and decisions; revocation and expiry are asked every time.
  Where path and Cookie header are new with every request, none of that helps it.
* The peers do less for a session than this gateway does. Where the whole session is in the cookie (Envoy, oauth2-proxy,
  mod_auth_openidc with client cookie, the naive proxy) it cannot be revoked: a copied cookie works after sign-out. No
  peer evaluates a policy here beyond "signed in", and Envoy tells the application no more than the access token.
* The peers have no access log, keep their connections to the upstream, and follow what their projects say: Envoy its own
  advice for benchmarks (no request ids, no dynamic statistics, no circuit breaking); oauth2-proxy keeps no tokens in its
  cookie, and Go's two idle connections a host are its own limit, which no option moves; mod_auth_openidc passes claims as
  headers only. Apache runs the event MPM with 64 threads in one process, Envoy and nginx one worker, the naive proxy
  uvloop. The naive proxy reads bodies whole; the others stream, and nginx does not buffer uploads here.
* A proxy that asks is measured with three recipes: ours, the least that oauth2-proxy's documentation says, and ours with
  oauth2-proxy behind it. Ours takes identity headers of a client's own, our cookies and shared caching out of the way, which the
  least does not. *Proxy* and *asked* are their shares of the CPU; [performance.md](performance.md) says what each is made of,
  and why the targets of these rows are met or missed.
* The WebSocket generator and its echo are Python and are slower than the fast proxies.
"""


def document(bench: Bench, missing: Sequence[tuple[str, str]]) -> str:
    """The whole of ``docs/benchmarks.md``."""
    parts = [HEAD, disturbed(bench), surroundings(bench, missing), table_of_targets(bench)]
    parts += [table(bench, case, [name for name, _ in missing]) for case in bench.cases]
    return "\n".join(part for part in [*parts, NOTES] if part)


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
    """A warning when others used the cores meanwhile."""
    share = foreign(bench)
    if share <= QUIET:
        return ""
    return (
        f"> **The machine was busy:** others used {share:.0%} of a core. These figures show that the run"
        " works, and nothing more.\n"
    )


def surroundings(bench: Bench, missing: Sequence[tuple[str, str]]) -> str:
    rounds = min(len(samples) for samples in bench.samples.values())
    release = platform.release().partition("-")[0]
    lines = [
        f"{rounds} rounds; a measurement takes {bench.seconds} s, where a target depends on it {2 * bench.seconds} s.\n",
        f"* {os.cpu_count()} cores of {processor()}; {layout(bench)}",
        f"* others used {foreign(bench):.1%} of the core that was disturbed more",
        f"* {platform.system()} {release}, Python {platform.python_version()} ({built()}), wrk {wrk_version()}",
        *(f"* {name}: {version}" for name, version in versions(bench).items()),
        *(f"* {name}: **not measured**, {why}" for name, why in missing),
    ]
    return "\n".join(lines) + "\n"


def built() -> str:
    """Whose build the interpreter is, which decides about a tenth of what it costs."""
    packaged = sys.base_prefix in {"/usr", "/usr/local"}
    return "the distribution's build" if packaged else "**not a distribution's build**"


def layout(bench: Bench) -> str:
    """Which core does what."""
    cores = bench.cores
    said = f"core {cores.proxy} for the proxy, core {cores.load} for the load generator"
    said += " and the rest" if cores.upstream == cores.load else f", core {cores.upstream} for the rest"
    return said if cores.apart else f"{said} (two threads of one core, which hinder each other)"


def versions(bench: Bench) -> dict[str, str]:
    """This gateway once, though it is there several times."""
    return {
        "this gateway" if peer.name.startswith("this gateway") else peer.name: peer.version
        for peer in bench.peers
    }


def processor() -> str:
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found[1].strip() if found else platform.machine()


def wrk_version() -> str:
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return said.split()[1] if said.startswith("wrk") else "unknown"


def table(bench: Bench, case: Case, missing: Sequence[str]) -> str:
    base = NGINX if Role.REFERENCE in case.roles else ONE
    rows = [
        row(peer.name, samples, ratio(bench, case.key, peer.name, base))
        for peer in bench.peers
        if (samples := bench.samples.get((case.key, peer.name)))
    ]
    absent = [name for name in missing if Role.GATED in case.roles]
    if Role.ASKED in case.roles:
        absent += [f"{front} asking {name}" for name in missing for front in FRONTS]
        absent += [f"{front} asking {BY_OURS}" for _ in missing for front in FRONTS]
    rows += [[f"{name}: not measured", *[""] * 8] for name in absent]
    header = [
        "", f"{case.unit}s/s", f"of {base.partition(',')[0] if base is NGINX else '1 worker'}", "extremes",
        "p50 ms", "p99 ms", f"CPU µs/{case.unit}", "memory MB", "core",
    ]  # fmt: skip
    if Role.ASKED in case.roles:
        header += ["proxy µs", "asked µs"]
        rows = [line + (parts_of(bench, case, line[0]) if len(line) < len(header) else []) for line in rows]
    about = about_workers(bench) if Role.WORKERS in case.roles else case.about
    return "\n\n".join(part for part in (f"## {case.title}", about, rows_of(header, rows)) if part)


def parts_of(bench: Bench, case: Case, name: str) -> list[str]:
    """CPU of the proxy for a request, and of what it asks."""
    samples = bench.samples.get((case.key, name.strip("*")), [])
    parts = list(zip(*(each.parts for each in samples), strict=True)) if samples else []
    return [f"{median(part) * 1e6:,.0f}" for part in parts[:2]] if len(parts) == 2 else ["", ""]


def about_workers(bench: Bench) -> str:
    if bench.cores.second is not None:
        return "The second worker has a core of its own, and so has the second gateway."
    return (
        "There is no core for the second worker, so both share the proxy's, and the rate cannot grow. Two processes on one"
        " core always cost more than one, which finds more to do whenever it wakes. Therefore the third row: two gateways"
        " that know nothing of each other, each with half of the connections. What two workers cost beyond that is what"
        " they wait for in each other."
    )


def row(name: str, samples: Sequence[Sample], of_base: Ratio | None) -> list[str]:
    return [
        f"**{name}**" if "this gateway" in name else name,
        f"{middle(samples, lambda s: s.rate):,.0f}",
        "" if of_base is None else f"{of_base.value:.2f}",
        "" if of_base is None else f"{of_base.least:.2f} to {of_base.most:.2f}",
        f"{middle(samples, lambda s: s.p50) * 1e3:.2f}",
        f"{middle(samples, lambda s: s.p99) * 1e3:.2f}",
        f"{middle(samples, lambda s: s.cpu) * 1e6:,.0f}",
        f"{middle(samples, lambda s: s.memory.total) / 1e6:.0f}",
        f"{middle(samples, lambda s: s.busy):.0%}",
    ]
