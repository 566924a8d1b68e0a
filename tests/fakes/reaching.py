"""Waiting until a server that was just started can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.fakes.patience import PATIENCE


async def reached(port: int, process: asyncio.subprocess.Process, said: Callable[[], str]) -> None:
    """Until somebody listens at ``port`` of loopback; ``said`` gives what the process has said if it ends before."""
    async with asyncio.timeout(PATIENCE):
        while True:
            assert process.returncode is None, said()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
