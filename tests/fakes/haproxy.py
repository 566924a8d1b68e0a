"""The real HAProxy, running a recipe of ours with other addresses in it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.fakes.pieces import put
from tests.fakes.reaching import reached
from tests.programs import program


class Haproxy:
    """One HAProxy process that serves ``recipe``.

    :param substitutions: addresses and paths in the recipe, and what to put there instead.
    """

    def __init__(self, directory: Path, recipe: str, substitutions: dict[str, str], port: int) -> None:
        self.port = port
        self._directory = directory
        self._process: asyncio.subprocess.Process | None = None
        (directory / "haproxy.cfg").write_text(put(recipe, substitutions))

    async def start(self) -> None:
        with (self._directory / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                program("haproxy"), "-db", "-f", self._directory / "haproxy.cfg", stdout=log, stderr=log
            )
        await reached(self.port, self._process, self.log)

    def log(self) -> str:
        return (self._directory / "log").read_text()

    async def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
