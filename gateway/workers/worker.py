"""What one worker runs: a replica that tells its parent how it is."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Sequence

from gateway.app.server import Run, Sockets, serve_replica, stop_on_signals
from gateway.app.wiring import Gateway
from gateway.core.errors import GatewayError
from gateway.settings.model import Settings
from gateway.workers.line import Line

REPORT_EVERY = 1.0
"""Seconds between two reports of a worker about itself."""


def run(settings: Settings, sockets: Sockets, place: int, accept_for: float, line: socket.socket) -> int:
    """The exit status. Called after the fork; loop, threads and connections are this process's own.

    :param place: of the worker's own listening socket.
    """
    import uvloop

    sockets.probes.close()
    sockets.admin.close()
    questions = sockets.questions[place] if sockets.questions else None
    for sock in sockets.questions:
        if sock is not questions:
            sock.close()
    return uvloop.run(_serve(settings, sockets.doors, place, accept_for, line, questions))


async def _serve(
    settings: Settings,
    doors: Sequence[socket.socket],
    place: int,
    accept_for: float,
    pair: socket.socket,
    questions: socket.socket | None = None,
) -> int:
    stop = asyncio.Event()
    stop_on_signals(stop, (signal.SIGTERM,))
    run: Run | None = None

    def orphaned() -> None:
        if run is not None:
            run.orphaned = True
        stop.set()

    line = Line(pair, on_message=lambda _: None, ended=orphaned)
    reporting: asyncio.Task[None] | None = None
    try:
        run = Run(Gateway(settings), stop)
        reporting = asyncio.get_running_loop().create_task(_report(run, line))
        await serve_replica(
            run,
            doors[place],
            accept_for=accept_for,
            on_ready=lambda: _tell(run, line),
            questions=questions,
            beside=[door for door in doors if door is not doors[place]],
        )
    except GatewayError as error:
        line.say(failed=[error.code, error.detail, error.fix])
        return 1
    finally:
        if reporting is not None:
            reporting.cancel()
        line.close()
    return 0


async def _report(run: Run, line: Line) -> None:
    while True:
        await asyncio.sleep(REPORT_EVERY)
        _tell(run, line)


def _tell(run: Run, line: Line) -> None:
    now = run.readiness()
    line.say(ready=now.started and run.gateway.usable, details=run.gateway.health())
