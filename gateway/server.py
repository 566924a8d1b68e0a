"""Runs replicas: sockets, workers, signals, probes; drains before it stops (rule R12).

One worker runs in this process. With more, this process opens the listening socket, forks the workers, keeps probes
and admin API for itself, and replaces a worker that dies; it holds the socket until the last worker has drained, so no
queued connection is lost.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from gateway.app import Gateway
from gateway.config.addresses import Address
from gateway.config.model import Settings
from gateway.telemetry.audit import Listener
from gateway.telemetry.log import configure, get_logger
from gateway.web.probes import Readiness, probe_application

_log = get_logger("server")

BACKLOG = 2_048
DRAIN_ACCEPT = 5.0
"""Seconds a stopping replica still accepts: load balancers need as long to hear that it is unready (rule R12)."""
DRAIN_REQUESTS = 30.0
"""Seconds requests in flight may still take: Kubernetes' terminationGracePeriodSeconds."""


@dataclass(slots=True)
class Run:
    """One run of a replica.

    :ivar draining: set when it has been told to stop; ``/readyz`` says so at once.
    """

    gateway: Gateway
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    ready: bool = False
    draining: bool = False


class Probes:
    """The probe listener of one replica."""

    def __init__(self, run: Run) -> None:
        self._run = run
        app = probe_application(self._readiness, run.gateway.metrics.exposition)
        self._runner = web.AppRunner(app, access_log=None)

    async def open(self) -> None:
        """Listen; it answers before the replica is ready, so that ``/startupz`` can say so."""
        address = self._run.gateway.settings.probes.listen
        await self._runner.setup()
        await web.TCPSite(self._runner, address.host, address.port).start()

    async def close(self) -> None:
        await self._runner.cleanup()

    def _readiness(self) -> Readiness:
        run, gateway = self._run, self._run.gateway
        usable = gateway.log.loaded and gateway.log.age() <= gateway.settings.max_staleness
        return Readiness(
            ready=run.ready and usable and not run.draining,
            started=run.ready,
            details={"state": gateway.log.health(), "idp": gateway.provider.health()},
        )


def listening_socket(address: Address) -> socket.socket:
    """A bound, listening TCP socket.

    :raises OSError: the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((address.host, address.port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """TLS 1.2 and later on our own listener, None when it is plain."""
    if not settings.tls.enabled:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(str(settings.tls.cert_file), str(settings.tls.key_file))
    return context


async def serve_replica(
    run: Run, sock: socket.socket, *, on_ready: Callable[[], None], accept_for: float = DRAIN_ACCEPT
) -> None:
    """Open the replica, serve until ``run.stop`` is set, drain, close."""
    gateway = run.gateway
    await gateway.open()
    listener = gateway.door.listener()
    server = await asyncio.get_running_loop().create_server(
        listener, sock=sock, ssl=tls_context(gateway.settings), backlog=BACKLOG
    )
    try:
        on_ready()
        await run.stop.wait()
        run.draining = True
        gateway.forwarder.draining = True
        await asyncio.sleep(accept_for)
    finally:
        server.close()
        listener.pre_shutdown()
        await listener.shutdown(DRAIN_REQUESTS)
        await gateway.close()


def serve(
    settings: Settings,
    *,
    workers: int = 1,
    on_ready: Callable[[], None] = lambda: None,
    on_audit: Listener | None = None,
    accept_for: float = DRAIN_ACCEPT,
) -> int:
    """Serve until SIGTERM or SIGINT; the exit status.

    :param workers: processes that share the listening socket.
    :param on_ready: called once, when requests are answered and ``/readyz`` says so.
    """
    import uvloop

    configure(settings.log.level)
    sock = listening_socket(settings.listen)
    if workers == 1:
        uvloop.run(_alone(settings, sock, on_ready, on_audit, accept_for))
        return 0
    raise NotImplementedError


async def _alone(
    settings: Settings,
    sock: socket.socket,
    on_ready: Callable[[], None],
    on_audit: Listener | None,
    accept_for: float,
) -> None:

    gateway = Gateway(settings, on_audit=on_audit)
    run = Run(gateway)
    stop_on_signals(run.stop)
    probes = Probes(run)

    def ready() -> None:
        run.ready = True
        _log.info("ready", listen=str(gateway.settings.listen), public_url=gateway.settings.public_url)
        on_ready()

    await probes.open()
    try:
        await serve_replica(run, sock, on_ready=ready, accept_for=accept_for)
    finally:
        await probes.close()


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set ``stop``; a second one ends the process at once."""
    loop = asyncio.get_running_loop()

    def told(number: int) -> None:
        loop.remove_signal_handler(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told, number)
