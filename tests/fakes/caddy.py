"""The real Caddy, running a recipe of ours with other addresses in it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.fakes.pieces import put
from tests.fakes.reaching import reached

_CADDY = Path(sys.executable).with_name("caddy")
"""Of the lock, beside the Python that runs the tests."""
_GLOBAL = "{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n\tstorage file_system DIRECTORY\n}\n\n"


class Caddy:
    """One Caddy process that serves ``recipe``.

    :param substitutions: addresses in the recipe, and what to put there instead.
    """

    def __init__(self, directory: Path, recipe: str, substitutions: dict[str, str], port: int) -> None:
        self.port = port
        self._directory = directory
        self._process: asyncio.subprocess.Process | None = None
        text = _GLOBAL.replace("DIRECTORY", str(directory)) + put(recipe, substitutions)
        (directory / "Caddyfile").write_text(text)

    async def start(self) -> None:
        with (self._directory / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                _CADDY, "run", "--config", self._directory / "Caddyfile", "--adapter", "caddyfile",
                stdout=log, stderr=log, env={"HOME": str(self._directory)},
            )  # fmt: skip
        await reached(self.port, self._process, self.log)

    def log(self) -> str:
        return (self._directory / "log").read_text()

    async def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
