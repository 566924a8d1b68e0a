"""``gateway serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.ending import fail, loaded, stop
from gateway.core.errors import GatewayError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")],
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the address.")] = 1,
) -> None:
    """Run the gateway until it is told to stop (SIGTERM); requests in flight are answered first."""
    settings = loaded(config)
    from gateway.workers import parent

    try:
        status = parent.serve(settings, workers=workers)
    except GatewayError as error:
        fail(error)
    except OSError as error:
        stop(f"gateway: {error}; see what the system refuses")
    raise typer.Exit(status)
