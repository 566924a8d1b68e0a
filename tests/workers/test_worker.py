"""One worker by itself: it tells its parent how it is, and stops when its parent is gone."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

from gateway.app.server import Sockets, open_sockets
from gateway.config import load
from gateway.demo.options import DemoOptions
from gateway.workers import worker
from gateway.workers.line import Wire
from tests.fakes.patience import PATIENCE
from tests.fakes.serving import Application, written


def started(directory: Path) -> tuple[Wire, Sockets, asyncio.Task[int]]:
    application = Application()
    application.port = 9
    settings = load(written(directory, DemoOptions(), application), {})
    sockets = open_sockets(settings)
    for unused in (sockets.probes, sockets.admin):
        unused.close()
    ours, theirs = socket.socketpair()
    task = asyncio.get_running_loop().create_task(worker._serve(settings, sockets.doors, 0, 0.0, theirs))
    return Wire(ours), sockets, task


async def heard(wire: Wire, name: str) -> dict[str, Any]:
    """The next message that says ``name``."""
    async with asyncio.timeout(PATIENCE):
        while True:
            messages = wire.hear()
            assert messages is not None
            for message in messages:
                if name in message:
                    found: dict[str, Any] = message
                    return found
            await asyncio.sleep(0.01)


async def test_it_says_that_it_is_ready_and_how_it_is(tmp_path: Path) -> None:
    """Ready only once it answers; then again every second, for /readyz."""
    wire, sockets, task = started(tmp_path)
    address = sockets.doors[0].getsockname()
    first = await heard(wire, "ready")
    assert first["ready"] is True
    assert set(first["details"]) == {
        *("state", "idp", "keys", "policies", "client_secret"),
        *("application_certificate", "event_hook_secret"),  # of Okta's ways in, which the demo has
    }
    _, writer = await asyncio.open_connection(*address)
    writer.close()
    await writer.wait_closed()
    assert (await heard(wire, "ready"))["ready"] is True
    wire.sock.close()
    assert await asyncio.wait_for(task, PATIENCE) == 0


async def test_what_keeps_it_from_starting_is_told_to_the_parent(tmp_path: Path) -> None:
    """Code, cause and fix."""
    (tmp_path / "state.db").write_bytes(b"no database " * 1_000)
    wire, sockets, task = started(tmp_path)
    code, detail, fix = (await heard(wire, "failed"))["failed"]
    assert code.startswith("state_")
    assert detail
    assert fix
    assert await asyncio.wait_for(task, PATIENCE) == 1
    sockets.doors[0].close()
    wire.sock.close()
