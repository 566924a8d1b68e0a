"""What sign-outs took, and the section that says it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from tests.bench.results import rows_of
from tests.bench.usage import core_seconds, cpu_seconds

PART = "logout"
"""Marks the section in ``docs/benchmarks.md``; the rest of the page is :mod:`tests.bench.run`'s."""
ONE_PROCESS, ACROSS, TABS_GONE = 0.05, 0.25, 1.0
"""Seconds in which all is to be over, of 99 in 100 sign-outs: in one process, at every replica, and to be seen in tabs."""
QUIET = 0.05
"""Share of the machine that others may use before the figures are called disturbed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One sign-out; seconds since it was asked for.

    :ivar answered: until the answer. :ivar own: until the last live connection was ended at the replica that was asked;
        0 where there is none. :ivar others: the same at the others. :ivar refused: until every replica has refused
        the cookie.
    """

    answered: float
    own: float
    others: float
    refused: float


@dataclass(frozen=True, slots=True)
class Scene:
    """What was measured with so many replicas.

    :ivar connections: that stayed open meanwhile. :ivar sessions: theirs. :ivar wide: the sign-out of a session with
        ``many`` connections. :ivar foreign: share of the machine that others used. :ivar tabs: the sign-outs of a real
        browser with ``others`` further tabs: seconds until the last of these had left for the signed-out page.
    """

    replicas: int
    connections: int
    sessions: int
    samples: Sequence[Sample]
    wide: Sample
    many: int
    foreign: float
    tabs: Sequence[float] = ()
    others: int = 0


@dataclass(frozen=True, slots=True)
class Busy:
    """How busy others keep the machine."""

    pids: Sequence[int]
    began: float
    all_cores: float
    ours: float

    @classmethod
    def begin(cls, pids: Sequence[int]) -> Self:
        """From now on. :param pids: whose work is not that of others."""
        return cls(pids, time.monotonic(), core_seconds(_cores()), cpu_seconds(pids))

    def others(self) -> float:
        """The share of all cores that others have used since."""
        spent = core_seconds(_cores()) - self.all_cores - (cpu_seconds(self.pids) - self.ours)
        return max(0.0, spent / (time.monotonic() - self.began) / len(_cores()))


def _cores() -> range:
    return range(os.cpu_count() or 1)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not exceeded by this share of them."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 100) // 100) - 1)]


_TABS = (
    " The tabs are Chromium's, in one window, behind a balancer that spreads connections over the replicas, while all"
    " those connections are open; the clock starts when the button in one of them is pressed. A tab that is in sight waits"
    " 200 ms before it leaves, because it could be the one whose button was pressed."
)


def document(scenes: Sequence[Scene]) -> str:
    """The section, as Markdown."""
    return "\n".join(["## Signing out\n", *(_scene(scene) for scene in scenes)])


def _scene(scene: Scene) -> str:
    where = (
        "One process, its log in a file" if scene.replicas == 1 else f"{scene.replicas} replicas on one Redis"
    )
    target = ONE_PROCESS if scene.replicas == 1 else ACROSS
    what = (
        f"**{where}.** {len(scene.samples)} sign-outs one after another, each of a session with four WebSockets and an"
        f" event stream, while {scene.connections:,} other connections of {scene.sessions:,} sessions are open."
        " Milliseconds since the sign-out was asked for."
    )
    rows = [
        _row(name, [measured(sample) for sample in scene.samples], bound)
        for name, measured, bound in _quantities(scene, target)
    ]
    if scene.tabs:
        name = f"last of {scene.others} other tabs gone ({len(scene.tabs)} sign-outs)"
        rows.append(_row(name, scene.tabs, TABS_GONE))
    last = max(scene.wide.own, scene.wide.others) * 1e3
    busy = ": **busy**, which shows most in p99 and max" if scene.foreign > QUIET else ""
    beside = (
        f"A session with {scene.many} WebSockets: the last one ended after {last:.1f} ms."
        f" Others used {scene.foreign:.0%} of the machine's {len(_cores())} cores{busy}."
    )
    if scene.tabs:
        beside += _TABS
    header = ["", "target p99", "p50", "p99", "max", "met"]
    return "\n".join([what, "", rows_of(header, rows), beside, ""])


def _quantities(scene: Scene, target: float) -> list[tuple[str, Callable[[Sample], float], float | None]]:
    rows: list[tuple[str, Callable[[Sample], float], float | None]] = [
        ("answer", lambda sample: sample.answered, None),
        ("last connection ended where it was asked", lambda sample: sample.own, ONE_PROCESS),
    ]
    if scene.replicas > 1:
        rows.append(("last connection ended elsewhere", lambda sample: sample.others, target))
    where = "everywhere" if scene.replicas > 1 else "here"
    return [*rows, (f"copied cookie refused {where}", lambda sample: sample.refused, target)]


def _row(name: str, values: Sequence[float], bound: float | None) -> list[str]:
    p50, p99, most = percentile(values, 0.5), percentile(values, 0.99), max(values)
    said = "" if bound is None else f"≤ {bound * 1e3:.0f}"
    met = "" if bound is None else "yes" if p99 <= bound else "**no**"
    return [name, said, *(f"{value * 1e3:.1f}" for value in (p50, p99, most)), met]
