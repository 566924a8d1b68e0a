"""Runs one replica: sockets, signals, probes and admin API beside the door; drains before it stops (rule R12).

``gateway/workers`` runs several of them, each with :func:`serve_replica`.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import TextIOWrapper

from aiohttp import web

from gateway.app.accepting import (
    HALF_OPEN,
    accepting,
    let_nobody_in,
    listening_socket,
    listening_sockets,
    stand_in,
    take_queued,
)
from gateway.app.descriptors import raise_limit
from gateway.app.tls import tls_context
from gateway.app.wiring import Gateway
from gateway.proxy.live import LiveConnections
from gateway.settings.model import Settings
from gateway.telemetry.audit import Listener as AuditListener
from gateway.telemetry.log import configure, get_logger
from gateway.web.admin import AdminApi
from gateway.web.door.listener import Listener
from gateway.web.probes import Readiness, probe_application

_log = get_logger("server")

_CUT = 0.1
"""Seconds that what is cut off after that has to end itself."""
_LOOK = 0.05
"""Seconds between two looks at what is still in flight."""


@dataclass(slots=True)
class Run:
    """One run of a replica.

    :ivar draining: set when it has been told to stop; ``/readyz`` says so at once.
    :ivar orphaned: nobody supervises it any more; whoever takes its place needs the address at once.
    """

    gateway: Gateway
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    ready: bool = False
    draining: bool = False
    orphaned: bool = False

    def readiness(self) -> Readiness:
        """For the probes: ready by configuration, keys and the loaded index alone (pain P18)."""
        phase = "draining" if self.draining else "serving" if self.ready else "starting"
        return Readiness(
            ready=self.ready and self.gateway.usable and not self.draining,
            started=self.ready,
            details={"phase": phase, **self.gateway.health()},
        )


@dataclass(frozen=True, slots=True)
class Sockets:
    """Everything that is listened on.

    :ivar doors: one for each worker. :ivar questions: the same, where Envoy asks over gRPC.
    """

    doors: tuple[socket.socket, ...]
    questions: tuple[socket.socket, ...]
    probes: socket.socket
    admin: socket.socket


class Desk:
    """The listeners beside the door: probes, and the operator's API."""

    def __init__(
        self, readiness: Callable[[], Readiness], exposition: Callable[[], bytes], admin: AdminApi
    ) -> None:
        self._probes: web.BaseRunner = web.AppRunner(
            probe_application(readiness, exposition), access_log=None
        )
        self._admin: web.BaseRunner = web.ServerRunner(
            web.Server(admin.handle, access_log=None, keepalive_timeout=75.0)
        )

    async def open(self, probes: socket.socket, admin: socket.socket) -> None:
        """Answer; probes do so before the replica is ready, so that ``/startupz`` can say so."""
        for runner, sock in ((self._probes, probes), (self._admin, admin)):
            await runner.setup()
            await web.SockSite(runner, sock, backlog=128).start()

    async def close(self) -> None:
        await asyncio.gather(self._admin.cleanup(), self._probes.cleanup())


def open_sockets(settings: Settings, *, workers: int = 1) -> Sockets:
    """All listening sockets.

    :raises ConfigurationError: an address is taken or not ours.
    """
    grpc = settings.forward_auth.grpc if settings.forward_auth is not None else None
    return Sockets(
        listening_sockets(settings.listen, "listen", workers),
        listening_sockets(grpc.listen, "forward_auth.grpc.listen", workers) if grpc is not None else (),
        listening_socket(settings.probes.listen, "probes.listen"),
        listening_socket(settings.admin.listen, "admin.listen"),
    )


async def serve_replica(
    run: Run,
    sock: socket.socket,
    *,
    on_ready: Callable[[], None],
    accept_for: float,
    beside: Sequence[socket.socket] = (),
    questions: socket.socket | None = None,
) -> None:
    """Open the replica, serve until ``run.stop`` is set, drain, close.

    :param accept_for: seconds a stopping replica still accepts: load balancers need as long to hear that it is unready
        (rule R12). :param beside: the other workers' sockets. :param questions: where Envoy asks over gRPC.
    """
    gateway = run.gateway
    await gateway.open()
    listener, tls = gateway.door.listener(), gateway.tls
    queue = sock.dup()  # what it has queued outlives the server that accepts from it
    server = await accepting(sock, listener, tls)
    if gateway.questions is not None and questions is not None:
        await gateway.questions.listen(questions)
    standing_in = asyncio.create_task(stand_in(beside, listener, tls), name="stand-in") if beside else None
    keep()
    try:
        run.ready = True
        on_ready()
        await run.stop.wait()
        run.draining = True
        gateway.drain()
        await asyncio.sleep(0.0 if run.orphaned else accept_for)
        if let_nobody_in(queue):
            await asyncio.sleep(HALF_OPEN)
    finally:
        server.close()
        if standing_in is not None:
            standing_in.cancel()
        await asyncio.gather(*(take_queued(each, listener, tls) for each in (queue, *beside)))
        limit = gateway.settings.timeouts.drain
        ends = [] if gateway.questions is None else [gateway.questions.drain(limit)]
        await asyncio.gather(drain(listener, gateway.live, limit), *ends)
        await gateway.close()


def keep() -> None:
    """What there is by now stays: the garbage collector passes over it from here on.

    Else every full look through the program stops all requests, the longer the more sessions are remembered; and its
    marks would copy the pages that a worker shares with the parent.
    """
    gc.freeze()
    gc.enable()


async def drain(listener: Listener, live: LiveConnections, limit: float) -> None:
    """Let requests in flight finish, at most ``limit`` seconds; end what would never finish, close what is idle.

    What is still there then is cut off.
    """
    until = asyncio.get_running_loop().time() + limit
    while True:
        live.leave()
        if not listener.close_idle() or asyncio.get_running_loop().time() >= until:
            break
        await asyncio.sleep(_LOOK)
    if listener.connections:
        _log.warning("drain_cut", connections=len(listener.connections), after=limit)
    await listener.shutdown(_CUT)


def serve(
    settings: Settings,
    *,
    on_ready: Callable[[], None] = lambda: None,
    on_audit: AuditListener | None = None,
    accept_for: float | None = None,
) -> int:
    """Serve with one worker, this process, until SIGTERM or SIGINT; the exit status.

    :param on_ready: called once, when requests are answered and ``/readyz`` says so.
    :param accept_for: seconds that it still accepts when it is stopped, in the place of what is configured.
    :raises ConfigurationError: something that was configured cannot be used.
    """
    import uvloop

    set_up_output(settings)
    raise_limit()
    tls_context(settings)  # its faults are to be told before anything is listened on
    accept_for = settings.timeouts.drain_accept if accept_for is None else accept_for
    uvloop.run(_alone(settings, open_sockets(settings), on_ready, on_audit, accept_for))
    return 0


def set_up_output(settings: Settings) -> None:
    """Logs, and standard output for the access lines: each line at once and whole, whoever else writes there."""
    configure(settings.log.level)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)


async def _alone(
    settings: Settings,
    sockets: Sockets,
    on_ready: Callable[[], None],
    on_audit: AuditListener | None,
    accept_for: float,
) -> None:
    gateway = Gateway(settings, on_audit=on_audit)
    run = Run(gateway)
    stop_on_signals(run.stop, (signal.SIGTERM, signal.SIGINT))
    desk = Desk(run.readiness, gateway.metrics.exposition, gateway.admin())

    def ready() -> None:
        tell_ready(settings, workers=1)
        on_ready()

    await desk.open(sockets.probes, sockets.admin)
    try:
        questions = next(iter(sockets.questions), None)
        await serve_replica(run, sockets.doors[0], on_ready=ready, accept_for=accept_for, questions=questions)
    finally:
        await desk.close()


def tell_ready(settings: Settings, *, workers: int) -> None:
    """One line in the log."""
    _log.info("ready", listen=str(settings.listen), public_url=settings.public_url, workers=workers)


def stop_on_signals(stop: asyncio.Event, signals: Sequence[signal.Signals]) -> None:
    """``signals`` set ``stop``; the same one again ends the process at once."""
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        loop.remove_signal_handler(number)
        stop.set()

    for number in signals:
        loop.add_signal_handler(number, on_signal, number)
