"""npm's `oidc-provider`, which is certified and which nobody here wrote, as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.demo.build import node_and_npm
from tests.fakes.ports import free_ports

HERE = Path(__file__).parent
INTO = HERE.parents[1] / "build" / "certified"
PINNED = ("package.json", "package-lock.json", ".npmrc")
PATIENCE = 90
"""Seconds for npm; nothing is fetched where its cache has it all."""


def installed() -> Path:
    """The directory with the provider in it, made where the lock is another than last time.

    Without Node, or without a registry that npm can ask, this fails: tests that need it are not skipped.
    """
    node, npm = node_and_npm()
    INTO.mkdir(parents=True, exist_ok=True)
    home, stamp = INTO / "home", INTO / ".stamp"
    pinned = [*(HERE / name for name in PINNED), HERE / "server.mjs"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in pinned)).hexdigest()
    with (INTO / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other processes run tests too, and all begin at once
        if not stamp.is_file() or stamp.read_text() != digest:
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            for path in pinned:
                shutil.copy(path, home)
            environ = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
            command: list[str | Path] = [node, npm, "ci", "--prefer-offline"]
            done = subprocess.run(
                command, cwd=home, env=environ, timeout=PATIENCE, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"npm ci ended with status {done.returncode}: {done.stderr[-2000:]}"
            stamp.write_text(digest)
    return home


@dataclass
class Provider:
    """The running provider. ``told``: what happened there, in order."""

    issuer: str
    told: list[dict[str, Any]] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, event: str) -> list[dict[str, Any]]:
        """What was told under this name."""
        return [each for each in self.told if each["event"] == event]

    async def until(self, holds: Callable[[], bool], within: float = PATIENCE) -> None:
        """Wait until ``holds`` does, looking whenever something happened."""
        async with asyncio.timeout(within):
            while not holds():
                self._more.clear()
                await self._more.wait()

    async def listen(self, output: asyncio.StreamReader) -> None:
        async for line in output:
            if line.startswith(b"{"):
                self.told.append(json.loads(line))
                self._more.set()


@asynccontextmanager
async def providing(directory: Path, clients: list[dict[str, Any]]) -> AsyncIterator[Provider]:
    """A provider that knows ``clients`` and listens."""
    node, _ = node_and_npm()
    home = await asyncio.to_thread(installed)
    [port] = free_ports(1)
    (directory / "clients.json").write_text(json.dumps(clients))
    process = await asyncio.create_subprocess_exec(
        node,
        "server.mjs",
        str(port),
        str(directory / "clients.json"),
        cwd=home,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    provider = Provider(f"http://localhost:{port}")
    assert process.stdout is not None
    listening = asyncio.create_task(provider.listen(process.stdout))
    try:
        await provider.until(lambda: bool(provider.of("ready")))
        yield provider
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        await listening
