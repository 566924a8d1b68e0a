"""The real Caddy, Envoy, HAProxy and Traefik, each running a recipe of ours with other addresses in it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tests.fakes.patience import PATIENCE
from tests.fakes.pieces import put
from tests.fakes.reaching import reached
from tests.programs import program

_LOCKED = Path(sys.executable).parent
"""Where programs of the lock are: beside the Python that runs the tests."""

ENVOY = Path(os.environ.get("ENVOY", _LOCKED / "envoy"))
"""The locked one; `make envoys` tries older ones."""


class FrontProxy:
    """One process that serves ``recipe``.

    :param substitutions: addresses and paths in the recipe, and what to put there instead.
    """

    name = ""
    head = ""
    """What stands before the recipe; ``DIRECTORY`` in it is the one of the process."""

    def __init__(self, directory: Path, recipe: str, substitutions: dict[str, str], port: int) -> None:
        self.port = port
        self.directory = directory
        self.recipe = directory / f"recipe{self.name}"
        self._process: asyncio.subprocess.Process | None = None
        self.recipe.write_text(self.head.replace("DIRECTORY", str(directory)) + put(recipe, substitutions))

    def command(self) -> list[str | Path]:
        """Program and arguments."""
        raise NotImplementedError

    async def start(self) -> None:
        with (self.directory / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.command(), stdout=log, stderr=log, env={"HOME": str(self.directory)}
            )
        await reached(self.port, self._process, self.log)

    def log(self) -> str:
        return (self.directory / "log").read_text()

    async def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


class Caddy(FrontProxy):
    head = "{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n\tstorage file_system DIRECTORY\n}\n\n"

    def command(self) -> list[str | Path]:
        return [_LOCKED / "caddy", "run", "--config", self.recipe, "--adapter", "caddyfile"]


class Envoy(FrontProxy):
    name = ".yaml"  # Envoy goes by it

    def command(self) -> list[str | Path]:
        return [
            ENVOY, "-c", self.recipe, "--concurrency", "1", "--disable-hot-restart", "-l", "warn",
            "--file-flush-interval-msec", "100",
        ]  # fmt: skip


class Haproxy(FrontProxy):
    def command(self) -> list[str | Path]:
        return [program("haproxy"), "-db", "-f", self.recipe]


class Traefik(FrontProxy):
    name = ".yaml"

    def command(self) -> list[str | Path]:
        return [_LOCKED / "traefik", f"--configFile={self.recipe}"]

    async def start(self) -> None:
        """Until it has its routes as well: it listens before."""
        await super().start()
        async with asyncio.timeout(PATIENCE):
            while b" 404 " in await self._first_line():
                await asyncio.sleep(0.02)

    async def _first_line(self) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET /logged-out HTTP/1.1\r\nHost: app.localhost:{self.port}\r\n\r\n".encode())
        line = await reader.readline()
        writer.close()
        return line
