"""The clock of the time limits, moved by hand: however slow the machine is, no limit passes before a test says so."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from gateway.app.server import Run
from gateway.proxy.pool import Pool
from gateway.telemetry.seldom import Seldom
from tests.fakes.patience import PATIENCE


class Hand:
    """What ``gateway.proxy.deadlines`` takes for the loop's time and timers, while the rest of the loop runs as ever.

    So do pools, for how long a connection has been free, and whoever writes one line in a while.
    """

    of_this_test: ClassVar[Hand | None] = None

    def __init__(self) -> None:
        self._at = 1_000.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timers: list[_Timer] = []

    def time(self) -> float:
        """Seconds."""
        return self._at

    def call_later(self, seconds: float, call: Callable[[], None]) -> _Timer:
        """As a loop does, but ``seconds`` pass in :meth:`goes` alone."""
        timer = _Timer(self._at + seconds, call)
        self._timers.append(timer)
        return timer

    def create_future(self) -> asyncio.Future[Any]:
        """One of the loop that runs."""
        return asyncio.get_running_loop().create_future()

    def goes(self, seconds: float) -> None:
        """Let time pass, and everything happen that is due meanwhile, one after the other."""
        end = self._at + seconds
        while due := [timer for timer in self._timers if timer.at <= end]:
            timer = min(due, key=lambda timer: timer.at)
            self._timers.remove(timer)
            self._at = timer.at
            if not timer.cancelled:
                timer.call()
        self._at = end

    @contextlib.asynccontextmanager
    async def passing(self, step: float = 0.05) -> AsyncIterator[None]:
        """Meanwhile ``step`` seconds pass again and again, for who waits until a limit is over."""

        async def go() -> None:
            while True:
                self.goes(step)
                await asyncio.sleep(0.005)

        going = asyncio.ensure_future(go())
        try:
            yield
        finally:
            going.cancel()

    def goes_elsewhere(self, seconds: float) -> None:
        """The same from another thread than that of the loop; returns when it has happened."""
        assert self._loop is not None
        done = threading.Event()

        def go() -> None:
            self.goes(seconds)
            done.set()

        self._loop.call_soon_threadsafe(go)
        assert done.wait(PATIENCE)

    def put(self, monkeypatch: pytest.MonkeyPatch) -> Hand:
        """Every clock of limits that is made from now on is moved by this hand."""

        def running() -> Hand:
            with contextlib.suppress(RuntimeError):  # no loop runs where a test needs none
                self._loop = asyncio.get_running_loop()
            return self

        made = Pool.__init__

        def by_hand(pool: Any, *given: Any, **named: Any) -> None:
            made(pool, *given, **named)
            pool._loop = self

        monkeypatch.setattr("gateway.proxy.deadlines.asyncio", SimpleNamespace(get_running_loop=running))
        monkeypatch.setattr(Pool, "__init__", by_hand)
        monkeypatch.setattr(Seldom.__init__, "__defaults__", (self.time,))
        monkeypatch.setattr(Hand, "of_this_test", self)
        return self


async def stopped(run: Run, task: asyncio.Task[None]) -> None:
    """Stop a replica in this process, and wait until it has ended. Limits pass meanwhile: a browser that does not take
    leave would be waited for as long as the drain may take.
    """
    run.stop.set()
    async with contextlib.nullcontext() if Hand.of_this_test is None else Hand.of_this_test.passing():
        await task


class _Timer:
    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True
