"""Which core does what."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

TOPOLOGY = Path("/sys/devices/system/cpu")


@dataclass(frozen=True, slots=True)
class Cores:
    """One core for the proxy alone; what it is measured with is elsewhere.

    :ivar load: the load generator.
    :ivar upstream: upstreams and identity provider; beside the load generator when there are only two cores.
    :ivar second: for a second worker of the proxy alone; None with fewer than four cores.
    :ivar apart: each of them is a core of its own; otherwise some are two threads of one core.
    """

    proxy: int
    load: int
    upstream: int
    second: int | None = None
    apart: bool = True

    @classmethod
    def pick(cls) -> Self | None:
        """Of the cores that this process may use; None when there is only one."""
        return cls.of({cpu: siblings(cpu) for cpu in sorted(os.sched_getaffinity(0))})

    @classmethod
    def of(cls, cpus: Mapping[int, str]) -> Self | None:
        """:param cpus: the name of its physical core by each logical one."""
        firsts = {core: cpu for cpu, core in reversed(list(cpus.items()))}
        own = sorted(firsts.values())
        order = [*own, *(cpu for cpu in cpus if cpu not in own)]
        if len(order) < 2:
            return None
        return cls(
            order[0],
            order[1],
            order[2] if len(own) > 2 else order[1],
            order[3] if len(own) > 3 else None,
            apart=len(own) > 1,
        )

    @property
    def beside(self) -> tuple[int, ...]:
        """Where the load generator and the upstreams are."""
        return tuple({self.load: None, self.upstream: None})


def siblings(cpu: int) -> str:
    """What the threads of one physical core have in common (Linux: cputopology)."""
    try:
        return (TOPOLOGY / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip()
    except FileNotFoundError:
        return str(cpu)
