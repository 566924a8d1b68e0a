"""The real nginx, running a recipe of ours with other addresses in it."""

from __future__ import annotations

import asyncio
from pathlib import Path

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
        for old, new in substitutions.items():
            assert old in recipe, old
            recipe = recipe.replace(old, new)
        self.directory = directory
        self.port = port
        (directory / "recipe.conf").write_text(recipe)
        main = _MAIN.format(directory=directory, recipe=directory / "recipe.conf")
        (directory / "nginx.conf").write_text(main)

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            program("nginx"), "-p", str(self.directory), "-c", "nginx.conf", stderr=asyncio.subprocess.PIPE
        )
        for _ in range(250):
            assert self._process.returncode is None, (await self._process.communicate())[1].decode()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
        raise AssertionError("nginx does not listen")

    async def close(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.communicate()

    def errors(self) -> str:
        return (self.directory / "error.log").read_text()
