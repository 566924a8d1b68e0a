"""One worker by itself: it tells its parent how it is, and stops when its parent is gone."""

from __future__ import annotations

import asyncio
import json
import pickle
import signal
import socket
from pathlib import Path
from typing import Any

from gateway.app.server import Sockets, open_sockets
from gateway.config import load
from gateway.core import dice
from gateway.core.session.key_file import format_key
from gateway.demo.options import DemoOptions
from gateway.workers import worker
from gateway.workers.line import Wire
from tests.fakes.patience import PATIENCE
from tests.fakes.serving import Application, launched, written

OF_THE_FILE = {"yaml", "ruamel", "typer", "click", "rich", "pydantic", "pydantic_core"}
_LIVE = """
import json, pickle, socket, sys
from pathlib import Path
from gateway.app import server
from gateway.workers import desk, parent, worker

settings = pickle.loads(Path(sys.argv[1]).read_bytes())
server.set_up_output(settings)
ours, theirs = socket.socketpair()
sockets = server.open_sockets(settings)
print("listening", flush=True)
status = worker.run(settings, sockets, 0, 0.0, theirs)
print(json.dumps(sorted(sys.modules)))
sys.exit(status)
"""


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


async def test_it_lives_on_the_value_of_the_configuration(tmp_path: Path) -> None:
    """Handed over from another process: it serves and reads its files again, without what reads the configuration."""
    application = Application()
    application.port = 9
    settings = load(written(tmp_path, DemoOptions(), application), {})
    value = tmp_path / "settings.pickle"
    value.write_bytes(pickle.dumps(settings))
    assert pickle.loads(value.read_bytes()) == settings
    process = await launched(tmp_path / "gateway.yaml", "-c", _LIVE, str(value), workers=1, accept_for=0.0)
    log = tmp_path / "log"
    async with asyncio.timeout(PATIENCE):
        while "listening" not in log.read_text():
            await asyncio.sleep(0.05)
        reader, writer = await asyncio.open_connection(settings.listen.host, settings.listen.port)
        writer.write(b"GET /oauth2/session HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 ")
        writer.close()
        changed = {
            "session-key": ("keys", format_key(dice.key())),
            "client-secret": ("client secret", "another-secret-of-the-client"),
            "okta-hook-secret": ("event hook secret", "another-secret-of-the-hook"),
        }
        for name, (_, text) in changed.items():
            (tmp_path / name).write_text(text)
        while {what for what, _ in changed.values()} - reloaded(log):
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    modules = set(json.loads(log.read_text().splitlines()[-1]))
    assert {"gateway.workers.worker", "gateway.app.wiring", "gateway.settings.model"} <= modules
    assert {name.partition(".")[0] for name in modules} & OF_THE_FILE == set()
    assert "gateway.config" not in modules


def reloaded(log: Path) -> set[str]:
    """What a process says it has taken in anew."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]
    return {line["what"] for line in lines if line.get("event") == "reloaded"}
