"""What the desk runs: probes, metrics and the operator's API of all workers, in a process of their own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from typing import Any

from gateway.app.options import admin_options, backends
from gateway.app.server import Desk, Sockets, stop_on_signals
from gateway.core.errors import GatewayError
from gateway.settings.model import Settings
from gateway.telemetry.audit import AuditTrail
from gateway.telemetry.metrics import MULTIPROC_DIR, Metrics
from gateway.web.admin import AdminApi
from gateway.web.probes import Readiness
from gateway.web.signout.revoker import Revoker
from gateway.web.signout.session_events import SessionEvents
from gateway.workers.line import Line


class Noticeboard:
    """What the parent says of the workers."""

    def __init__(self) -> None:
        self._report: dict[str, Any] = {}

    def write(self, report: dict[str, Any]) -> None:
        """The parent's latest word."""
        self._report = report

    def readiness(self) -> Readiness:
        """For the probes."""
        report = self._report
        details = {"phase": report.get("phase", "starting"), "workers": report.get("workers", "none yet")}
        return Readiness(
            ready=bool(report.get("ready")),
            started=bool(report.get("started")),
            details={**details, **report.get("details", {})},
        )


def run(settings: Settings, sockets: Sockets, line: socket.socket) -> int:
    """The exit status. Called after the fork."""
    import uvloop

    for sock in (*sockets.doors, *sockets.questions):
        sock.close()
    return uvloop.run(_attend(settings, sockets, line))


async def _attend(settings: Settings, sockets: Sockets, pair: socket.socket) -> int:
    stop = asyncio.Event()
    stop_on_signals(stop, (signal.SIGTERM,))
    board = Noticeboard()
    orphaned = asyncio.Event()

    def ended() -> None:
        orphaned.set()
        stop.set()

    line = Line(pair, on_message=board.write, ended=ended)
    metrics = Metrics(replica=False)
    shared = backends(settings)
    log, sign_ins = shared.log, shared.sign_ins
    events = SessionEvents(AuditTrail(), metrics)
    log.on_renewed = events.log_renewed
    admin = AdminApi(admin_options(settings), log=log, revoker=Revoker(log), events=events, sign_ins=sign_ins)
    desk = Desk(board.readiness, metrics.exposition, admin)
    try:
        await log.open()
        await sign_ins.open()
        await desk.open(sockets.probes, sockets.admin)
        await stop.wait()
    except GatewayError as error:
        line.say(failed=[error.code, error.detail, error.fix])
        return 1
    finally:
        await desk.close()
        await sign_ins.close()
        await log.close()
        line.close()
        if orphaned.is_set() and MULTIPROC_DIR in os.environ:
            # The parent was killed and cannot tidy up any more.
            shutil.rmtree(os.environ[MULTIPROC_DIR], ignore_errors=True)
    return 0
