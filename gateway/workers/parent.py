"""The parent of several workers: forks, watches, replaces, forwards the signal to stop.

It has neither threads nor an event loop, then and later, so that it can fork again at any time; what it does is one
``select`` over the signals and the children's lines. It hands on to the desk what the workers say of themselves. It
holds the listening sockets, so a connection in the kernel's queue survives the worker that would have taken it.

Nothing here may import the metrics before ``serve`` has set their directory: prometheus-client looks at it only once.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.core.errors import ConfigurationError, GatewayError
from gateway.telemetry.log import get_logger
from gateway.workers.line import Wire
from gateway.workers.slots import Deaths, Slot, summary

if TYPE_CHECKING:
    from gateway.app.server import Sockets
    from gateway.settings.model import Settings

_log = get_logger("workers")
METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
DESK_ENDS = 5.0
"""Seconds the desk may take to stop."""
_SLACK = 3.0
"""Seconds a worker may take beyond its own limits before it is killed; Kubernetes kills all of us two seconds later."""
_STOPS = (signal.SIGTERM, signal.SIGINT)


def serve(settings: Settings, *, workers: int, accept_for: float | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the exit status.

    :param workers: with one, everything runs in this process. :param accept_for: seconds a stopping worker accepts,
        in the place of what is configured.
    :raises GatewayError: something that was configured cannot be used, or the workers do not stay alive.
    """
    for name in (METRICS_DIRECTORY, METRICS_DIRECTORY.lower()):
        os.environ.pop(name, None)
    if accept_for is None:
        accept_for = settings.timeouts.drain_accept
    gc.disable()  # what is imported and made now stays: `server.keep` ends this
    if workers == 1:
        from gateway.app import server

        return server.serve(settings, accept_for=accept_for)
    # Until the parent listens to signals, an early one must still leave through the clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with _shared_directory() as shared:
        from gateway.app import server
        from gateway.app.descriptors import raise_limit
        from gateway.app.tls import tls_context

        server.keep()
        server.set_up_output(settings)
        raise_limit()
        tls_context(settings)  # its faults are to be told before anything is listened on
        sockets = server.open_sockets(settings, workers=workers)
        return Parent(_with_spool(settings, shared), workers, sockets, accept_for).run()


def _with_spool(settings: Settings, directory: Path) -> Settings:
    """Workers know of each other's sign-outs while Redis takes none, also where no spool outlives them."""
    from gateway.settings.state_urls import RedisUrl

    if settings.redis.spool is not None or not isinstance(settings.state, RedisUrl):
        return settings
    return replace(settings, redis=replace(settings.redis, spool=directory))


@contextlib.contextmanager
def _shared_directory() -> Iterator[Path]:
    """For the metrics of all workers, and what else they share until they end."""
    try:
        directory = tempfile.mkdtemp(prefix="gateway-workers-")
    except OSError as error:
        what = f"no temporary directory for what several workers share ({error.strerror or error})"
        fix = "make /tmp writable, set TMPDIR, or run with --workers 1"
        raise ConfigurationError("no_temporary_directory", what, fix=fix) from None
    os.environ[METRICS_DIRECTORY] = directory
    try:
        yield Path(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class Parent:
    """See the module. Synchronous: one ``select`` over the signals and the children's lines."""

    def __init__(self, settings: Settings, workers: int, sockets: Sockets, accept_for: float) -> None:
        from gateway.app.server import tell_ready
        from gateway.workers import desk, worker

        self._settings = settings
        self._sockets = sockets
        self._tell_ready: Callable[[], None] = lambda: tell_ready(settings, workers=workers)
        self._limit = accept_for + settings.timeouts.drain + _SLACK
        self._workers = [
            Slot(f"worker {place + 1}", partial(worker.run, settings, sockets, place, accept_for))
            for place in range(workers)
        ]
        self._desk = Slot("desk", lambda line: desk.run(settings, sockets, line))
        self._selector = selectors.DefaultSelector()
        self._wakeup = socket.socketpair()
        self._started = False
        self._draining = False
        self._kill_at: float | None = None
        self._failure: GatewayError | None = None
        self._board: object = None

    def run(self) -> int:
        """Until all is over; the exit status."""
        self._listen_to_signals()
        try:
            while True:
                self._start_due()
                if self._draining and not any(slot.pid for slot in self._workers):
                    break
                self._wait()
                self._tell_desk()
        finally:
            self._end_all()
        if self._failure is not None:
            raise self._failure
        return 0

    # Signals and waiting

    def _listen_to_signals(self) -> None:
        for end in self._wakeup:
            end.setblocking(False)
        for number in (*_STOPS, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._wakeup[1].fileno())
        self._selector.register(self._wakeup[0], selectors.EVENT_READ)

    def _wait(self) -> None:
        for key, _ in self._selector.select(self._patience()):
            if key.data is None:
                self._signalled(self._wakeup[0].recv(4_096))
            else:
                self._hear(key.data)
        self._reap()
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            _log.error("workers_killed", why="they did not stop in time")
            self._signal_workers(signal.SIGKILL)
            self._kill_at = None

    def _patience(self) -> float | None:
        """Seconds until something is to be done without being asked."""
        times = [slot.due for slot in self._slots() if not slot.pid and slot.due is not None]
        if self._kill_at is not None:
            times.append(self._kill_at)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _signalled(self, numbers: bytes) -> None:
        for number in numbers:
            if number not in _STOPS:
                continue
            if self._draining:
                self._signal_workers(signal.SIGKILL)
            else:
                self._drain()

    def _drain(self) -> None:
        """Unready at once, then let the workers take their time."""
        self._draining = True
        self._kill_at = time.monotonic() + self._limit
        _log.info("draining")
        self._tell_desk()
        for slot in self._workers:
            slot.due = None
        self._signal_workers(signal.SIGTERM)
        # No worker is started any more, and each has all of them: the last one looks who waits and closes them, without
        # a moment in between in which the kernel could queue somebody whom nobody takes.
        for sock in (*self._sockets.doors, *self._sockets.questions):
            sock.close()

    def _signal_workers(self, number: signal.Signals) -> None:
        for slot in self._workers:
            if slot.pid:
                os.kill(slot.pid, number)

    # Children

    def _slots(self) -> list[Slot]:
        return [self._desk, *self._workers]

    def _start_due(self) -> None:
        now = time.monotonic()
        for slot in self._slots():
            if not slot.pid and slot.due is not None and slot.due <= now:
                self._start(slot)

    def _start(self, slot: Slot) -> None:
        from gateway.app.accepting import let_everybody_in

        if slot is not self._desk:
            # Whoever had this place may have kept new connections out at its end.
            let_everybody_in(self._sockets.doors[self._workers.index(slot)])
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            self._become(slot, ours, theirs)  # pragma: no cover - a child is traced from its next call on
        theirs.close()
        slot.pid, slot.line, slot.report = pid, Wire(ours), {}
        slot.born, slot.due = time.monotonic(), None
        self._selector.register(ours, selectors.EVENT_READ, slot)
        if slot is self._desk:
            self._board = None

    def _become(self, slot: Slot, ours: socket.socket, theirs: socket.socket) -> None:
        """In the child: let go of what is the parent's, run, and never return."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            # A terminal sends SIGINT to all of us; it is the parent who says when to stop.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            self._selector.close()
            for end in (ours, *self._wakeup, *(other.line.sock for other in self._slots() if other.line)):
                end.close()
            with contextlib.suppress(OSError):
                Path("/proc/self/comm").write_text(f"gw {slot.name}")
            status = slot.body(theirs)
        except BaseException:  # noqa: BLE001 -- a child must not run on in the parent's code
            _log.exception("child_crashed", child=slot.name)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _hear(self, slot: Slot) -> None:
        if slot.line is None:
            return
        messages = slot.line.hear()
        if messages is None:
            self._selector.unregister(slot.line.sock)
            slot.line.sock.close()
            slot.line = None
        for message in messages or ():
            self._received(slot, message)

    def _received(self, slot: Slot, report: dict[str, Any]) -> None:
        slot.report |= report
        if not self._started and all(each.ready for each in self._workers):
            self._started = True
            self._tell_ready()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for slot in self._slots():
                if slot.pid == pid:
                    self._died(slot, status)

    def _died(self, slot: Slot, status: int) -> None:
        from gateway.telemetry.metrics import worker_ended

        if slot.line is not None:
            self._hear(slot)  # its last words may still be unread
        worker_ended(slot.pid)
        pid, slot.pid = slot.pid, 0
        lived = time.monotonic() - slot.born
        slot.report.pop("ready", None)
        failed = slot.report.get("failed")
        if self._draining:
            return
        if failed and not self._started:
            self._give_up(GatewayError(*failed[:2], fix=failed[2]))
            return
        pause = slot.deaths.pause(lived)
        _log.error("child_died", child=slot.name, pid=pid, how=_ending(status), again_in=pause)
        if pause is None:
            what = f"the {slot.name} died {Deaths.MOST} times soon after its start, last by {_ending(status)}"
            self._give_up(GatewayError("children_die", what, fix="see the log above for the cause"))
            return
        slot.due = time.monotonic() + pause

    def _give_up(self, failure: GatewayError) -> None:
        self._failure = self._failure or failure
        if not self._draining:
            self._drain()
        if not self._started:
            self._signal_workers(signal.SIGKILL)

    # The desk, and the end

    def _tell_desk(self) -> None:
        ready = [slot for slot in self._workers if slot.pid and slot.ready]
        board: dict[str, object] = {
            "ready": self._started and bool(ready) and not self._draining,
            "started": self._started,
            "phase": "draining" if self._draining else "serving" if self._started else "starting",
            "workers": f"{len(ready)} of {len(self._workers)} ready",
            "details": summary([slot.report.get("details", {}) for slot in ready]),
        }
        if board == self._board or self._desk.line is None:
            return
        self._desk.line.say(**board)
        self._board = board

    def _end_all(self) -> None:
        """Nothing is left running, whatever happened."""
        self._draining = True
        self._signal_workers(signal.SIGKILL)
        self._desk.due = None
        if self._desk.pid:
            os.kill(self._desk.pid, signal.SIGTERM)
        until = time.monotonic() + DESK_ENDS
        while any(slot.pid for slot in self._slots()) and time.monotonic() < until:
            self._selector.select(0.05)
            self._reap()
        for slot in self._slots():
            if slot.pid:
                os.kill(slot.pid, signal.SIGKILL)
                os.waitpid(slot.pid, 0)


def _ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"exit status {os.waitstatus_to_exitcode(status)}"
