"""How much is allocated."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def measured() -> Iterator[Callable[[], int]]:
    """Bytes that Python has allocated since the test began and has not freed."""
    gc.collect()
    gc.freeze()  # what was there before is not looked at with each measuring
    gc.disable()  # nor is what grows, again and again
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]

    def now() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    yield now
    tracemalloc.stop()
    gc.enable()
