"""``gateway serve``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway.config import ConfigurationErrors, load
from gateway.config.model import Settings
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
        typer.echo(f"gateway: {error.detail or error.code}; {error.fix}", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        typer.echo(f"gateway: {error}; see what the system refuses", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(status)


def loaded(config: Path) -> Settings:
    """The settings, or every finding on standard error and exit status 1."""
    try:
        return load(config, os.environ)
    except ConfigurationErrors as errors:
        for finding in errors.findings:
            typer.echo(str(finding), err=True)
        raise typer.Exit(1) from None
