"""A machine that stops: ``python -m pytest -p tests.stops …`` puts the clock forward in the middle of each test.

That is what a test and the gateway in its process see of a machine that stood still: whatever was under way is where it
was, and every time limit has come nearer by seconds. It costs no time, so each test can be stopped, at a moment of its
own that ``STOPS_SEED`` chooses anew. ``STOPS_SECONDS`` (5) are how long, ``STOPS`` (1) how often. Loops of uvloop and
other processes do not notice. What fails, fails again with the same seed: its report says in which turn of the loop.

With ``STOPS_HELD=1`` the test's process is really held still for that long, while its threads and all others go on: that
finds who takes a state for granted that somebody else has left meanwhile. ``STOPS_HELD=1 STOPS_SECONDS=0.3 STOPS=6`` and
a dozen workers are a good measure, since who is held still needs no processor.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Generator

import pytest

SECONDS = float(os.environ.get("STOPS_SECONDS", "5"))
OFTEN = int(os.environ.get("STOPS", "1"))
SEED = os.environ.get("STOPS_SEED", "0")
HELD = os.environ.get("STOPS_HELD", "0") == "1"
LATEST = 2.7
"""A test is stopped in one of the first 500 turns of its loop (this is the logarithm), in the first ones most often."""


class Stops:
    """The clock that is put forward, and the turns of the loop in which that happens."""

    def __init__(self) -> None:
        self._true = time.monotonic
        self._forward = 0.0
        self._turn = 0
        self._ahead: list[int] = []
        self.made: list[int] = []

    def monotonic(self) -> float:
        """In the place of ``time.monotonic``."""
        return self._true() + self._forward

    def turns(self) -> None:
        """The loop begins another turn."""
        self._turn += 1
        if self._ahead and self._turn >= self._ahead[0]:
            self.made.append(self._ahead.pop(0))
            if HELD:
                time.sleep(SECONDS)
            else:
                self._forward += SECONDS

    def begin(self, test: str) -> None:
        """Choose anew."""
        chance = random.Random(f"{SEED} {test}")
        self._turn, self.made = 0, []
        self._ahead = sorted(int(10 ** chance.uniform(0.3, LATEST)) for _ in range(OFTEN))

    def put(self, patch: pytest.MonkeyPatch) -> None:
        """For every loop of asyncio and whoever reads the clock."""
        once = asyncio.BaseEventLoop._run_once  # type: ignore[attr-defined]  # no other place is passed in each turn

        def turned(loop: asyncio.BaseEventLoop) -> None:
            self.turns()
            once(loop)

        patch.setattr(time, "monotonic", self.monotonic)
        patch.setattr(asyncio.BaseEventLoop, "time", lambda _: self.monotonic())
        patch.setattr(asyncio.BaseEventLoop, "_run_once", turned)


class _Plugin:
    def __init__(self) -> None:
        self._stops = Stops()
        self._patch = pytest.MonkeyPatch()
        self._stops.put(self._patch)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._stops.begin(item.nodeid)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.failed:
            report.sections.append(("the machine stopped", f"in turns {self._stops.made} of the loop"))
        return report

    def pytest_unconfigure(self) -> None:
        self._patch.undo()


def pytest_configure(config: pytest.Config) -> None:
    """From now on."""
    config.pluginmanager.register(_Plugin())
