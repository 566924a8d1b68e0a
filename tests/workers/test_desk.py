"""The desk by itself: it shows what the parent says, serves operators, and ends with its parent."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import aiohttp

from gateway.app.server import Sockets, open_sockets
from gateway.config import load
from gateway.demo.options import DemoOptions
from gateway.workers import desk
from gateway.workers.line import Wire
from tests.fakes.ample import ample_for_the_others, ample_unless_it_stalls  # noqa: F401 - how fast a disk is decides no test
from tests.fakes.patience import PATIENCE
from tests.fakes.serving import TOKEN, Application, written


def started(directory: Path) -> tuple[Wire, Sockets, asyncio.Task[int]]:
    application = Application()
    application.port = 9
    settings = load(written(directory, DemoOptions(), application), {})
    sockets = open_sockets(settings)
    ours, theirs = socket.socketpair()
    sockets.doors[0].close()
    task = asyncio.get_running_loop().create_task(desk._attend(settings, sockets, theirs))
    return Wire(ours), sockets, task


async def readyz(client: aiohttp.ClientSession, port: int) -> tuple[int, dict[str, object]]:
    async with client.get(f"http://127.0.0.1:{port}/readyz") as answer:
        return answer.status, await answer.json()


async def test_probes_say_what_the_parent_says(tmp_path: Path) -> None:
    """Not ready before it has said so, and nothing of the past afterwards; it ends when the parent is gone."""
    wire, sockets, task = started(tmp_path)
    port, admin = sockets.probes.getsockname()[1], sockets.admin.getsockname()[1]
    async with aiohttp.ClientSession() as client:
        assert await readyz(client, port) == (
            503,
            {"ready": False, "phase": "starting", "workers": "none yet"},
        )
        board = {"ready": True, "started": True, "phase": "serving", "workers": "1 of 1 ready"}
        wire.say(**board, details={"idp": "up"})
        async with asyncio.timeout(PATIENCE):
            while (seen := await readyz(client, port))[0] != 200:
                await asyncio.sleep(0.01)
        assert seen[1] == {"ready": True, "phase": "serving", "workers": "1 of 1 ready", "idp": "up"}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with client.post(
            f"http://127.0.0.1:{admin}/api/revocations", json={"all": True}, headers=headers
        ) as answer:
            assert (await answer.json())["durable"] is True
        wire.say(**{**board, "ready": False, "phase": "draining"})
        async with asyncio.timeout(PATIENCE):
            while (await readyz(client, port))[0] != 503:
                await asyncio.sleep(0.01)
    wire.sock.close()
    assert await asyncio.wait_for(task, PATIENCE) == 0


async def test_a_state_file_that_cannot_be_used_is_told_to_the_parent(tmp_path: Path) -> None:
    """Code, cause and fix; the parent says it once for all children."""
    (tmp_path / "state.db").write_bytes(b"no database " * 1_000)
    wire, sockets, task = started(tmp_path)
    assert await asyncio.wait_for(task, PATIENCE) == 1
    messages = wire.hear()
    assert messages is not None
    ((code, detail, fix),) = [message["failed"] for message in messages]
    assert code.startswith("state_")
    assert detail
    assert fix
    for sock in (wire.sock, sockets.probes, sockets.admin):
        sock.close()
