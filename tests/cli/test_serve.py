"""``gateway serve``: what keeps it from starting, said in a line, and its end."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.core.errors import GatewayError
from gateway.demo.options import DemoOptions
from gateway.workers import parent
from tests.fakes.door import eventually
from tests.fakes.patience import PATIENCE
from tests.fakes.serving import Application, Serving, launched, serving, written


@pytest.fixture
def config(tmp_path: Path) -> Path:
    application = Application()
    application.port = 9
    return written(tmp_path, DemoOptions(), application)


def served(config: Path, *words: str) -> tuple[int, str]:
    """Exit status and standard error; nothing is printed besides."""
    ran = CliRunner().invoke(app, ["serve", "-c", str(config), *words])
    assert ran.stdout == ""
    return ran.exit_code, ran.stderr


async def test_it_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """The command that operators write, with its own processes; status 0."""
    async with serving(tmp_path, provider=False) as gateway:
        assert await gateway.stop() == 0
        await again(gateway)
        await eventually(lambda: set(gateway.workers()) == {"gw worker 1", "gw worker 2"})
        gateway.process.send_signal(signal.SIGTERM)
        gateway.process.send_signal(signal.SIGTERM)  # in a hurry
        assert await gateway.ends() == 0


async def again(gateway: Serving) -> None:
    """The same configuration, served by the command itself."""
    command = f"-m gateway serve -c {gateway.config} --workers 2".split()
    gateway.process = await launched(gateway.config, *command, workers=2, accept_for=5.0)
    await gateway.until("/readyz", 200)


def test_every_finding_is_said(config: Path) -> None:
    """On standard error, each with its place; nothing is started."""
    config.write_text(config.read_text() + "bananas: 3\nstate_loss: perhaps\n")
    status, err = served(config)
    assert status == 1
    found = {line.split()[1].rstrip(":") for line in err.splitlines()}
    assert {"bananas", "state_loss"} <= found, err
    assert all(line.startswith(f"{config}:") for line in err.splitlines())


def test_an_address_that_is_taken_is_named(config: Path) -> None:
    """With the key that says it, and what to do."""
    listen = next(line for line in config.read_text().splitlines() if line.startswith("listen: "))
    host, _, port = listen.removeprefix("listen: ").rpartition(":")
    with socket.create_server((host, int(port))):
        words = [sys.executable, "-m", "gateway", "serve", "-c", str(config)]
        ran = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(f"gateway: cannot listen on {host}:{port} (listen): ")
    assert "choose another listen" in ran.stderr


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (
            GatewayError("children_die", "the worker 1 died 5 times", fix="see the log"),
            "gateway: the worker 1 died 5 times; see the log\n",
        ),
        (GatewayError("children_die", fix="see the log"), "gateway: children_die; see the log\n"),
        (
            OSError(24, "Too many open files"),
            "gateway: [Errno 24] Too many open files; see what the system refuses\n",
        ),
    ],
)
def test_what_ends_it_is_one_line(
    config: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception, said: str
) -> None:
    """And status 1; no traceback."""
    monkeypatch.setattr(parent, "serve", raising(trouble))
    assert served(config) == (1, said)


def test_the_status_is_that_of_the_gateway(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the number of workers is handed on."""
    asked: list[int] = []

    def serve(_: object, *, workers: int) -> int:
        asked.append(workers)
        return 0

    monkeypatch.setattr(parent, "serve", serve)
    assert served(config, "--workers", "3") == (0, "")
    assert asked == [3]


def raising(trouble: Exception) -> Callable[..., int]:
    def serve(*_: Any, **__: Any) -> int:
        raise trouble

    return serve
