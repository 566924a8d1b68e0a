"""Which core does what, on machines that are told."""

from __future__ import annotations

import pytest

from tests.bench.cores import Cores

THREADS = {0: "0,4", 1: "1,5", 2: "2,6", 3: "3,7", 4: "0,4", 5: "1,5", 6: "2,6", 7: "3,7"}


@pytest.mark.parametrize(
    ("cpus", "cores"),
    [
        ({3: "3"}, None),
        ({2: "2", 5: "5"}, Cores(2, 5, 5)),
        ({0: "0", 1: "1", 2: "2"}, Cores(0, 1, 2)),
        ({0: "0", 1: "1", 2: "2", 3: "3"}, Cores(0, 1, 2, 3)),
        (THREADS, Cores(0, 1, 2, 3)),
        ({0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"}, Cores(0, 2, 2)),
        ({0: "0-1", 1: "0-1"}, Cores(0, 1, 1, apart=False)),
    ],
    ids=["one", "two", "three", "four", "four with threads", "two with threads", "two threads"],
)
def test_two_threads_of_one_core_are_not_two_cores(cpus: dict[int, str], cores: Cores | None) -> None:
    """The proxy shares its core with nobody as long as there are two; a second worker needs a fourth."""
    assert Cores.of(cpus) == cores


def test_what_is_beside_the_proxy_is_counted_once() -> None:
    """Load generator and upstreams may share a core."""
    assert Cores(0, 1, 1).beside == (1,)
    assert Cores(0, 1, 2).beside == (1, 2)
