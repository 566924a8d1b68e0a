"""Threads that go on only when they are told to, a line of the gateway's own code at a time.

A log gives its files to threads. Here each of them is a `Worker`: it runs so many lines of ``gateway/state`` and stops
in the middle of whatever it is doing, holding what it holds, until it is told to go on, or dies there. So every order of
steps of several processes can be had again, and a process can be killed between any two lines.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any, Self

import gateway.state

STATE = str(Path(gateway.state.__file__).parent)
"""Whose lines are counted."""
ALL = 1 << 30
"""Lines: to the end of the job."""
LETTING_GO = {"_opened", "_locked", "locked", "sending"}
"""Functions in which nobody dies: they free what the kernel would, but a number of a file that is lost is never freed."""


class KilledError(BaseException):
    """What a line raises at which the process dies: the locks go as the kernel would free them, and nothing is caught."""


class Worker:
    """One thread of a process that can be stopped anywhere.

    :ivar waited: seconds that the job at hand has waited for locks; the world's clock does not know of them.
    """

    here: ContextVar[Worker | None] = ContextVar("worker", default=None)

    def __init__(self) -> None:
        self.waited = 0.0
        self._jobs: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._lines = 0
        self._at: tuple[object, int] = (None, 0)
        self._running = self._killed = self._ending = self._at_once = False
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """As an executor does; nothing runs yet. What is given to the dead is never done."""
        future: Future[Any] = Future()
        if not self._killed:
            self._jobs.append((future, lambda: job(*arguments)))
        return future

    def shutdown(self, *, wait: bool) -> None:
        """Part of an executor: nothing is to be done."""

    @property
    def busy(self) -> bool:
        """Has it something to do?"""
        return self._running or bool(self._jobs)

    def run(self, lines: int = ALL) -> int:
        """Go on for so many lines, at most to the end of the job; how many are left."""
        if self.busy:
            self._hand_over(lines)
            return max(0, self._lines)
        return lines

    def kill(self) -> None:
        """It does not go on."""
        self._jobs.clear()
        self._killed = True
        if self._running:
            self._hand_over(ALL)

    def do(self, job: Callable[[], object]) -> None:
        """Have something done at once, by this thread, in one go; also by one that was killed."""
        assert not self._running
        self._jobs.appendleft((Future(), job))
        self._at_once = True
        self._hand_over(ALL)
        self._at_once = False

    def end(self) -> None:
        """Let go of the thread."""
        self.kill()
        self._ending = True
        self._go.release()
        self._thread.join()

    def _hand_over(self, lines: int) -> None:
        self._lines = lines
        self._go.release()
        self._back.acquire()

    def _live(self) -> None:
        self.here.set(self)
        while True:
            self._go.acquire()
            if self._ending:
                return
            future, job = self._jobs.popleft()
            if not future.set_running_or_notify_cancel():
                self._back.release()
                continue
            self._running = True
            self.waited = 0.0
            before = sys.gettrace()
            sys.settrace(None if self._at_once else self._trace)
            try:
                done = job()
            except KilledError:
                pass
            except BaseException as error:
                sys.settrace(before)
                if not self._killed:
                    future.set_exception(error)
            else:
                sys.settrace(before)
                if not self._killed:
                    future.set_result(done)
            finally:
                sys.settrace(before)
            self._running = False
            self._back.release()

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(STATE) or frame.f_code.co_name.startswith("<"):
            return None
        # A comprehension is one step, however long it is.
        at, self._at = self._at, (frame.f_code, frame.f_lineno)
        if event == "line" and at != self._at and not self._ending:
            self._lines -= 1
            if self._lines <= 0:
                self._back.release()
                self._go.acquire()
            if self._killed and frame.f_code.co_name not in LETTING_GO:
                raise KilledError
        return self._trace


class Guard(contextlib.AbstractContextManager["Guard"]):
    """A lock between the threads of one process: who wants it lets whoever has it go on until it is free."""

    def __init__(self) -> None:
        self._owner: Worker | None = None
        self._held = 0

    def __enter__(self) -> Self:
        while self._held:
            assert self._owner is not None
            self._owner.run(1)
        self._owner, self._held = Worker.here.get(), 1
        return self

    def __exit__(self, *_: object) -> None:
        self._held = 0
