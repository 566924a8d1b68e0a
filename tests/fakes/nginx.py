"""The real nginx, running a recipe of ours with other addresses in it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tests.fakes.pieces import put
from tests.fakes.reaching import reached
from tests.programs import program

_MAIN = """\
daemon off;
master_process off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log info;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {recipe};
}}
"""


class Nginx:
    """One nginx process that serves ``recipe``.

    :param substitutions: addresses and paths in the recipe, and what to put there instead.
    """

    def __init__(self, directory: Path, recipe: str, substitutions: dict[str, str], port: int) -> None:
        self.directory = directory
        self.port = port
        self._process: asyncio.subprocess.Process | None = None
        (directory / "recipe.conf").write_text(put(recipe, substitutions))
        main = _MAIN.format(directory=directory, recipe=directory / "recipe.conf")
        (directory / "nginx.conf").write_text(main)

    async def start(self) -> None:
        said = self.directory / "stderr"
        with said.open("wb") as stderr:
            self._process = await asyncio.create_subprocess_exec(
                program("nginx"), "-p", str(self.directory), "-c", "nginx.conf", stderr=stderr
            )
        await reached(self.port, self._process, said.read_text)

    async def close(self) -> None:
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()

    def worked(self) -> float:
        """Seconds of a processor that it has used so far; unlike time that passes, nobody else adds to them."""
        assert self._process is not None
        used = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")

    def errors(self) -> str:
        return (self.directory / "error.log").read_text()
